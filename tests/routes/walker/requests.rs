//! A request that can succeed for each operation.

use bespoke_tests::support::picture::RED;
use bespoke_web::Route;
use serde_json::{Value, json};

use super::operation;
use super::world::{SECRET, World};

/// A request to a route.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) path: String,
    /// Null without a body.
    pub(super) body: Value,
    /// The level that its fields require, if it is above that of the route.
    pub(super) level: u8,
    /// Whether it changes a password, a second factor, an e-mail address, a role or an API key.
    pub(super) changes_credentials: bool,
}

/// The requests with which a route is called.
pub(super) fn requests(route: &Route, world: &World) -> Vec<Request> {
    let operation = operation(route);
    let request = |body: Value| Request {
        path: world.path(route),
        body,
        level: 0,
        changes_credentials: false,
    };
    let credentials = |body: Value| Request {
        level: 4,
        changes_credentials: true,
        ..request(body)
    };
    match operation.as_str() {
        "PATCH /account" => vec![
            request(json!({ "bio": "b" })),
            credentials(json!({ "password": "another password" })),
            credentials(json!({ "email": "another@freesewing.dev", "test": true })),
            Request {
                level: 4,
                ..request(json!({ "consent": 1 }))
            },
        ],
        "POST /account/mfa" => vec![credentials(json!({ "mfa": true }))],
        "POST /apikeys" => vec![credentials(json!({ "name": "n", "level": 1, "expiresIn": 60 }))],
        "POST /apikeys/{id}/rotate" | "DELETE /apikeys/{id}" | "DELETE /admin/user/{id}/apikeys" => {
            vec![credentials(Value::Null)]
        }
        "PATCH /admin/user/{id}" => vec![
            request(json!({ "patron": 1 })),
            credentials(json!({ "role": "user" })),
            credentials(json!({ "mfaEnabled": false })),
        ],
        operation => vec![request(body(operation, world))],
    }
}

fn body(operation: &str, world: &World) -> Value {
    let curated_set = json!({ "nameEn": "n", "measies": {} });
    let page = json!({ "img": RED, "type": "blog", "subId": "main", "slug": "a-day-out" });
    match operation {
        "POST /signup" | "POST /subscriber" => json!({ "email": "new@example.com", "language": "en" }),
        "POST /confirm/signup/{id}" => json!({ "consent": 2 }),
        "POST /signin" => json!({ "username": "owner", "password": "a guess" }),
        "POST /signinlink" => json!({ "username": "owner" }),
        "PATCH /consent" => json!({ "consent": 2 }),
        // A taken name is a success.
        "POST /available/username" => json!({ "username": "user-1" }),
        "POST /account/import" => json!({ "format": "bespoke-account", "version": 1 }),
        "POST /img" => json!({ "title": "A title" }),
        "POST /find/users" => json!({ "match": "owner" }),
        "POST /admin/search/users" => json!({ "q": "owner" }),
        "POST /bookmarks" => json!({ "title": "t", "url": "/docs", "type": "doc" }),
        "PATCH /bookmarks/{id}" => json!({ "title": SECRET }),
        "POST /curated-sets" | "PATCH /curated-sets/{id}" => curated_set,
        "POST /curated-sets/{id}/clone" => json!({ "language": "en" }),
        "POST /curated-sets/suggest" => {
            json!({ "set": world.owner().set, "height": 166, "name": "n", "img": RED })
        }
        "POST /flows/translator-invite" | "POST /flows/language-suggestion" => json!({ "language": "nl" }),
        "POST /issues" | "POST /discussions" => json!({ "title": "t", "body": "b" }),
        "POST /flows/pr/blog" | "POST /flows/pr/showcase" => {
            json!({ "markdown": "m", "slug": "a-day-out", "language": "en" })
        }
        "POST /images" => page,
        "POST /measurements/check" => json!({ "measurements": { "chest": 930 } }),
        "POST /option-packs" | "PATCH /option-packs/{id}" => json!({ "design": "aaron", "nameEn": "n", "options": {} }),
        "POST /option-packs/suggest" => json!({ "design": "aaron", "options": { "a": 1 }, "notes": "n" }),
        "POST /patterns" => json!({ "design": "aaron", "settings": {} }),
        "PATCH /patterns/{id}" => json!({ "notes": SECRET }),
        "POST /sets" => json!({ "name": "n" }),
        "PATCH /sets/{id}" => json!({ "name": SECRET }),
        "POST /sets/import" => json!({ "sets": [{ "name": "n", "measurements": { "chest": 930 } }] }),
        _ => Value::Null,
    }
}
