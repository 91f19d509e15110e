//! `POST /admin/search/users/{auth}`: [`users`] searches accounts by name, e-mail address or id.

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::entity::user::User;
use bespoke_core::validate::clean_email;
use bespoke_database::{Db, users};
use bespoke_web::level::ADMIN;
use bespoke_web::{Body, Caller, Outcome, Result, Session, list, view};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Maximum number of accounts that a search by user name returns.
const MAX_FOUND: u32 = 100;
/// Limit for the search text, in bytes.
const MAX_QUERY_BYTES: usize = 256;

/// Body of `POST /admin/search/users/{auth}`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct SearchRequest {
    /// A part of a user name, or a complete address, UUID, integer id or name of an image.
    #[schema(example = "jane")]
    q: String,
}

/// The accounts by the property that was found. Clients of the first API generation read `email` and `username`; later ones read all but `email`.
#[derive(Default, Serialize, ToSchema)]
struct FoundUsers {
    /// Accounts with this address, or with an image of this name.
    email: Vec<view::Account>,
    /// Accounts with this address.
    ehash: Vec<view::Account>,
    /// Accounts with an image of this name.
    ihash: Vec<view::Account>,
    /// Accounts whose user name contains the text, at most 100.
    username: Vec<view::Account>,
    /// Accounts with this UUID.
    uuid: Vec<view::Account>,
    /// Accounts with this integer id.
    id: Vec<view::Account>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SearchAnswer)]
pub(crate) struct SearchResponse {
    result: Outcome,
    users: FoundUsers,
}

/// Search accounts
///
/// An empty text finds no accounts.
#[utoipa::path(post, path = "/admin/search/users/{auth}", tag = "Administration", operation_id = "searchUsers",
    request_body = SearchRequest,
    responses(
        (status = 200, description = "The accounts.", body = SearchResponse),
        (status = 413, description = "`listTooLarge`: search for a longer text."),
    ))]
pub(crate) async fn users(caller: Caller<ADMIN>, session: Session, body: Body) -> Result<Response> {
    let text = body.0.get("q").and_then(Value::as_str).map(str::trim);
    let text = text.filter(|text| text.len() <= MAX_QUERY_BYTES).map(clean_email);
    let text = text.filter(|text| !text.is_empty() && text.len() <= MAX_QUERY_BYTES);
    let audit_entry = session
        .audit_entry("users.search")
        .change(Value::Null, json!({ "q": text }));
    let note = caller.write(&session, move |db, actor| audit_entry.record(db, actor));
    note.await?;
    let found = match text {
        Some(text) => session.read(|db| find(db, &text)).await?,
        None => FoundUsers::default(),
    };
    list(&SearchResponse {
        result: Outcome::Success,
        users: found,
    })
}

fn find(db: &Db<'_>, text: &str) -> Result<FoundUsers> {
    let one = |user: Option<User>| -> Vec<view::Account> { user.map(Into::into).into_iter().collect() };
    let (by_email, by_ihash) = (users::by_email(db, text)?, users::by_ihash(db, text)?);
    let mut found = FoundUsers {
        email: by_email.iter().chain(&by_ihash).cloned().map(Into::into).collect(),
        ehash: one(by_email),
        ihash: one(by_ihash),
        ..FoundUsers::default()
    };
    match EntityId::parse(text) {
        Some(id @ EntityId::Uuid(_)) => found.uuid = one(users::by_id(db, id)?),
        Some(id @ EntityId::Integer(_)) => found.id = one(users::by_id(db, id)?),
        None => {}
    }
    for id in users::with_username_part(db, text, MAX_FOUND)? {
        found.username.extend(one(users::by_id(db, EntityId::Integer(id))?));
    }
    Ok(found)
}
