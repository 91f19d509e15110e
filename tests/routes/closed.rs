//! Tests of the access to every route: each route of the table is called without credentials, at each level, and as a stranger.

use bespoke_tests::support::{App, Key, Person, functions};
use bespoke_web::{Access, Route, Scheme};
use serde_json::{Value, json};

/// The expected access of each route, independent of the code: a route that is missing here, or whose handler differs, fails.
/// The expected access of each route: `None` for everyone, or the lowest level. The list of public routes may only shrink.
const EXPECTED: &[(&str, &str, Option<u8>)] = &[
    ("POST", "/signup", None),
    ("POST", "/confirm/signup/{id}", None),
    ("POST", "/signin", None),
    ("POST", "/signinlink", None),
    ("POST", "/signinlink/{id}", None),
    ("POST", "/signinlink/{id}/{check}", None),
    ("GET", "/sets/{id}.json", None),
    ("GET", "/sets/{id}.yaml", None),
    ("GET", "/sets/{id}/measurements", None),
    ("GET", "/curated-sets/{id}/measurements", None),
    ("GET", "/measurements", None),
    ("POST", "/measurements/check", None),
    ("GET", "/designs", None),
    ("GET", "/designs/{name}", None),
    ("GET", "/patterns/{id}.json", None),
    ("GET", "/patterns/{id}.yaml", None),
    ("GET", "/curated-sets", None),
    ("GET", "/curated-sets.json", None),
    ("GET", "/curated-sets.yaml", None),
    ("GET", "/curated-sets/{id}", None),
    ("GET", "/curated-sets/{id}.json", None),
    ("GET", "/curated-sets/{id}.yaml", None),
    ("GET", "/option-packs", None),
    ("GET", "/option-packs.json", None),
    ("GET", "/option-packs.yaml", None),
    ("GET", "/option-packs/{id}", None),
    ("GET", "/option-packs/{id}.json", None),
    ("GET", "/option-packs/{id}.yaml", None),
    ("GET", "/confirmations/{id}/{check}", None),
    ("POST", "/subscriber", None),
    ("PUT", "/subscriber", None),
    ("POST", "/subscriber/remove", None),
    ("DELETE", "/subscriber/{id}", None),
    ("DELETE", "/subscriber/{id}/{ehash}", None),
    ("GET", "/ocunsub/{id}", None),
    ("POST", "/ocunsub/{id}", None),
    ("GET", "/info/users", None),
    ("GET", "/info/stats", None),
    ("GET", "/info/authors", None),
    ("GET", "/images/{id}", None),
    ("GET", "/users/{id}", None),
    ("GET", "/users/{id}/card", None),
    ("GET", "/exports/{id}", None),
    ("POST", "/signin/oauth/init", None),
    ("POST", "/signin/oauth", None),
    ("GET", "/", None),
    ("GET", "/css/style.css", None),
    ("GET", "/avatar.svg", None),
    ("GET", "/console", None),
    ("GET", "/console/{file}", None),
    ("GET", "/console/{folder}/{file}", None),
    ("GET", "/console/signin/callback/{provider}", None),
    ("GET", "/docs", None),
    ("GET", "/docs/{file}", None),
    ("GET", "/openapi.json", None),
    ("GET", "/openapi.yaml", None),
    ("GET", "/healthz", None),
    ("GET", "/readyz", None),
    ("GET", "/whoami/jwt", Some(1)),
    ("GET", "/whoami/key", Some(0)),
    ("GET", "/account/{auth}", Some(1)),
    ("PATCH", "/account/{auth}", Some(3)),
    ("PATCH", "/consent/jwt", Some(3)),
    ("POST", "/account/mfa/{auth}", Some(4)),
    ("POST", "/available/username/{auth}", Some(1)),
    ("GET", "/users/{id}/{auth}", Some(1)),
    ("GET", "/account/usage/{auth}", Some(1)),
    ("GET", "/account/export/{auth}", Some(2)),
    ("POST", "/account/export/{auth}", Some(2)),
    ("POST", "/account/import/{auth}", Some(4)),
    ("GET", "/account/restrict/{auth}", Some(4)),
    ("POST", "/account/restrict/{auth}", Some(4)),
    ("DELETE", "/account/{auth}", Some(4)),
    ("POST", "/apikeys/{auth}", Some(4)),
    ("GET", "/apikeys/{auth}", Some(1)),
    ("GET", "/apikeys/{id}/{auth}", Some(1)),
    ("DELETE", "/apikeys/{id}/{auth}", Some(4)),
    ("POST", "/apikeys/{id}/rotate/{auth}", Some(4)),
    ("GET", "/apikeys/{id}/usage/{auth}", Some(1)),
    ("POST", "/sets/{auth}", Some(3)),
    ("GET", "/sets/{auth}", Some(1)),
    ("GET", "/sets/{id}/{auth}", Some(1)),
    ("PATCH", "/sets/{id}/{auth}", Some(3)),
    ("DELETE", "/sets/{id}/{auth}", Some(3)),
    ("POST", "/sets/{id}/clone/{auth}", Some(3)),
    ("POST", "/sets/import/{auth}", Some(3)),
    ("GET", "/sets/{id}/measurements/{auth}", Some(1)),
    ("GET", "/sets/lookup/{auth}", Some(1)),
    ("POST", "/patterns/{auth}", Some(4)),
    ("GET", "/patterns/{auth}", Some(1)),
    ("GET", "/patterns/{id}/{auth}", Some(1)),
    ("PATCH", "/patterns/{id}/{auth}", Some(3)),
    ("DELETE", "/patterns/{id}/{auth}", Some(3)),
    ("POST", "/patterns/{id}/clone/{auth}", Some(3)),
    ("POST", "/bookmarks/{auth}", Some(3)),
    ("GET", "/bookmarks/{auth}", Some(1)),
    ("GET", "/bookmarks/{id}/{auth}", Some(1)),
    ("PATCH", "/bookmarks/{id}/{auth}", Some(3)),
    ("DELETE", "/bookmarks/{id}/{auth}", Some(3)),
    ("POST", "/curated-sets/{auth}", Some(5)),
    ("PATCH", "/curated-sets/{id}/{auth}", Some(5)),
    ("DELETE", "/curated-sets/{id}/{auth}", Some(5)),
    ("POST", "/curated-sets/{id}/clone/{auth}", Some(3)),
    ("POST", "/curated-sets/suggest/{auth}", Some(4)),
    ("POST", "/curated-sets/from/{id}/{auth}", Some(5)),
    ("GET", "/suggested-sets/{auth}", Some(5)),
    ("DELETE", "/suggested-sets/{id}/{auth}", Some(5)),
    ("POST", "/option-packs/{auth}", Some(5)),
    ("PATCH", "/option-packs/{id}/{auth}", Some(5)),
    ("DELETE", "/option-packs/{id}/{auth}", Some(5)),
    ("POST", "/option-packs/suggest/{auth}", Some(4)),
    ("GET", "/suggested-packs/{auth}", Some(5)),
    ("DELETE", "/suggested-packs/{id}/{auth}", Some(5)),
    ("POST", "/images", None),
    ("POST", "/img", Some(1)),
    ("POST", "/images/{auth}", Some(1)),
    ("DELETE", "/images/{id}/{auth}", Some(5)),
    ("POST", "/find/users", Some(1)),
    ("POST", "/admin/search/users/{auth}", Some(9)),
    ("GET", "/admin/user/{id}/{auth}", Some(9)),
    ("PATCH", "/admin/user/{id}/{auth}", Some(9)),
    ("DELETE", "/admin/user/{id}/apikeys/{auth}", Some(9)),
    ("GET", "/admin/impersonate/{id}/jwt", Some(8)),
    ("GET", "/admin/subscribers/{auth}", Some(8)),
    ("GET", "/admin/audit/{auth}", Some(9)),
    ("GET", "/admin/outbox/{auth}", Some(9)),
    ("POST", "/admin/outbox/{id}/retry/{auth}", Some(9)),
    ("GET", "/admin/usage/{auth}", Some(9)),
    ("POST", "/flows/translator-invite/{auth}", Some(1)),
    ("POST", "/flows/language-suggestion/{auth}", Some(1)),
    ("POST", "/flows/pr/blog/{auth}", Some(4)),
    ("POST", "/flows/pr/showcase/{auth}", Some(4)),
    ("GET", "/slugs/blog/{slug}/{auth}", Some(1)),
    ("GET", "/slugs/showcase/{slug}/{auth}", Some(1)),
    ("POST", "/issues", None),
    ("POST", "/discussions", None),
];

fn routes() -> Vec<Route> {
    functions()
        .iter()
        .flat_map(|routes| routes.iter().cloned().collect::<Vec<_>>())
        .collect()
}

fn expected_level(route: &Route) -> Option<u8> {
    let both = route.scheme.and_then(|scheme| {
        let stem = route.path.strip_suffix(scheme.segment())?;
        Some(format!("{stem}{{auth}}"))
    });
    let row = EXPECTED.iter().find(|(method, path, _)| {
        *method == route.method.as_str() && (*path == route.path || Some(*path) == both.as_deref())
    });
    row.unwrap_or_else(|| panic!("{} {} is not in the list", route.method, route.path))
        .2
}

/// Routes whose `{id}` has no owner: they require only their level.
const WITHOUT_OWNER: [&str; 1] = ["/curated-sets/{id}/clone/"];

/// The path with ids of records of `owner`.
fn path_to(route: &Route, owner: &Owner) -> String {
    let id = match route.path.split('/').nth(1) {
        Some("apikeys") => &owner.person.key.id,
        Some("patterns") => &owner.pattern,
        Some("bookmarks") => &owner.bookmark,
        Some("admin" | "users") => &owner.person.uuid,
        _ => &owner.set,
    };
    route
        .path
        .replace("{id}", id)
        .replace("{check}", "0123456789abcdef")
        .replace("{ehash}", "0123456789abcdef")
        .replace("{file}", "index.html")
        .replace("{name}", "aaron")
        .replace("{slug}", "a-day-out")
}

/// An account with one record of each kind; the ids are UUIDs.
struct Owner {
    person: Person,
    set: String,
    pattern: String,
    bookmark: String,
}

async fn owner(app: &App) -> Owner {
    owner_as(app, "user").await
}

async fn owner_as(app: &App, role: &str) -> Owner {
    let person = app.person_as("owner", role).await;
    let make = async |kind: &str, body: Value| {
        let path = format!("/{kind}s/jwt");
        let made = app
            .post(&path)
            .jwt(&person.token)
            .json(&body)
            .send()
            .await
            .expect_status(201);
        made[kind]["uuid"].as_str().unwrap().to_owned()
    };
    let set = make("set", json!({ "name": "Owner's", "measies": { "chest": 930 } })).await;
    let pattern = make("pattern", json!({ "design": "aaron", "settings": {} })).await;
    let bookmark = make("bookmark", json!({ "title": "t", "url": "/docs", "type": "doc" })).await;
    Owner {
        person,
        set,
        pattern,
        bookmark,
    }
}

#[test]
fn route_table_matches_the_list() {
    for route in routes() {
        let access = match route.access {
            Access::Public => None,
            Access::Guest(level) | Access::Level(level) => Some(level),
        };
        assert_eq!(access, expected_level(&route), "{} {}", route.method, route.path);
    }
    let count: usize = EXPECTED
        .iter()
        .map(|(_, path, _)| if path.ends_with("{auth}") { 2 } else { 1 })
        .sum();
    assert_eq!(count, routes().len(), "the list has routes that no longer exist");
}

#[tokio::test]
async fn only_public_routes_work_without_credentials() {
    let app = App::new().await;
    let owner = owner(&app).await;
    for route in routes() {
        let answer = app
            .request(route.method.as_str(), &path_to(&route, &owner))
            .json(&json!({ "name": "x" }))
            .send()
            .await;
        match expected_level(&route) {
            None => assert_ne!(answer.status, 401, "{} {}", route.method, route.path),
            Some(_) => answer.expect_error(401, "unauthorized"),
        }
    }
    let sets = app
        .get("/sets/jwt")
        .jwt(&owner.person.token)
        .send()
        .await
        .expect_status(200);
    assert_eq!(
        sets["sets"].as_array().unwrap().len(),
        1,
        "a refused request changed something"
    );
}

#[tokio::test]
async fn each_level_opens_only_its_listed_routes() {
    let app = App::new().await;
    let owner = owner_as(&app, "admin").await;
    let keys = keys_of_every_level(&app, &owner.person).await;
    for route in routes().iter().filter(|route| route.scheme == Some(Scheme::Key)) {
        let required = expected_level(route).expect("a route with a scheme has a level");
        for (level, key) in (0..).zip(&keys).take(usize::from(required)) {
            let answer = app
                .request(route.method.as_str(), &path_to(route, &owner))
                .key(key)
                .json(&json!({}))
                .send()
                .await;
            assert_eq!(
                (answer.status, &answer.json()["error"]),
                (403, &json!("insufficientAccessLevel")),
                "{level}: {} {}",
                route.method,
                route.path
            );
        }
        let ends_the_owner = route.path.starts_with("/account/restrict/");
        if route.method != "DELETE" && !ends_the_owner {
            let key = &keys[usize::from(required)];
            let answer = app
                .request(route.method.as_str(), &path_to(route, &owner))
                .key(key)
                .json(&json!({}))
                .send()
                .await;
            let refused = answer.status == 401 || answer.json()["error"] == "insufficientAccessLevel";
            assert!(
                !refused,
                "{required}: {} {} {}",
                route.method, route.path, answer.status
            );
        }
    }
}

async fn keys_of_every_level(app: &App, person: &Person) -> Vec<Key> {
    let mut keys = Vec::new();
    for level in 0..=9 {
        keys.push(app.key(person, level).await);
    }
    keys
}

#[tokio::test]
async fn stranger_cannot_reach_records_of_others() {
    let app = App::new().await;
    let owner = owner(&app).await;
    let stranger = app.person("stranger").await;
    for route in routes()
        .iter()
        .filter(|route| route.path.contains("{id}") && route.scheme.is_some())
        .filter(|route| !WITHOUT_OWNER.iter().any(|path| route.path.starts_with(path)))
    {
        let method = route.scheme.expect("filtered").segment();
        let body = json!({ "name": "x", "measies": { "chest": 1 } });
        let path = path_to(route, &owner);
        let answer = app
            .request(route.method.as_str(), &path)
            .auth(&stranger, method)
            .json(&body)
            .send()
            .await;
        answer.expect_error(403, "insufficientAccessLevel");
    }
    let set = app
        .get(&format!("/sets/{}/jwt", owner.set))
        .jwt(&owner.person.token)
        .send()
        .await
        .expect_status(200);
    assert_eq!(
        (&set["set"]["name"], &set["set"]["measies"]),
        (&json!("Owner's"), &json!({ "chest": 930 }))
    );
    app.get("/whoami/key")
        .key(&owner.person.key)
        .send()
        .await
        .expect_status(200);
}

#[tokio::test]
async fn demotion_and_block_apply_to_existing_credentials() {
    // In the original, a demotion or a block had no effect on tokens and keys until they expired.
    let app = App::new().await;
    let admin = app.person_as("root", "admin").await;
    let key = app.key(&admin, 9).await;
    let victim = owner(&app).await;
    let theirs = |method| format!("/sets/{}/{method}", victim.set);
    app.get(&theirs("jwt"))
        .jwt(&admin.token)
        .send()
        .await
        .expect_status(200);
    app.get(&theirs("key")).key(&key).send().await.expect_status(200);
    set_role(&app, admin.id, "user").await;
    app.get(&theirs("jwt"))
        .jwt(&admin.token)
        .send()
        .await
        .expect_error(403, "insufficientAccessLevel");
    app.get(&theirs("key"))
        .key(&key)
        .send()
        .await
        .expect_error(403, "insufficientAccessLevel");
    set_role(&app, admin.id, "blocked").await;
    app.get("/account/jwt")
        .jwt(&admin.token)
        .send()
        .await
        .expect_error(401, "unauthorized");
    app.get("/account/key")
        .key(&key)
        .send()
        .await
        .expect_error(401, "unauthorized");
}

async fn set_role(app: &App, id: i64, role: &'static str) {
    let database = app.context().database();
    let write = database.write::<_, bespoke_web::Error>(database.fresh_commit_id(), move |db| {
        let mut user = bespoke_database::users::by_id(db, bespoke_core::EntityId::Integer(id))?.expect("the account");
        user.account_status.role = bespoke_core::Role::from_name(role);
        Ok(bespoke_database::users::update(db, &user)?)
    });
    write.await.expect("a write");
}
