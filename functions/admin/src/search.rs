//! `POST /admin/search/users/{auth}`

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::validate::clean_email;
use bespoke_database::{Db, users};
use bespoke_web::level::ADMIN;
use bespoke_web::{Body, Caller, Outcome, Result, Session, list, view};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Most accounts that are found by a part of their user name.
const MAX_FOUND: u32 = 100;
/// The longest text that is looked for, in bytes.
const MAX_QUERY_BYTES: usize = 256;

/// What is looked for.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct SearchRequest {
    /// A part of a user name, or a whole address.
    #[schema(example = "jane")]
    q: String,
}

#[derive(Serialize, ToSchema)]
struct FoundUsers {
    /// Those with that address, or with an image of that name.
    email: Vec<view::Account>,
    /// Those with that in their user name, at most a hundred.
    username: Vec<view::Account>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct SearchAnswer {
    result: Outcome,
    users: FoundUsers,
}

/// Look for accounts
///
/// Without a text nothing is found.
// The original gave away the secrets of the second factor, and everybody for an empty text: defect D60.
#[utoipa::path(post, path = "/admin/search/users/{auth}", tag = "Administration", operation_id = "searchUsers",
    request_body = SearchRequest,
    responses(
        (status = 200, description = "The accounts.", body = SearchAnswer),
        (status = 413, description = "`listTooLarge`: look for something longer."),
    ))]
pub(crate) async fn users(caller: Caller<ADMIN>, session: Session, body: Body) -> Result<Response> {
    let text = body.0.get("q").and_then(Value::as_str).map(clean_email);
    let text = text.filter(|text| !text.is_empty() && text.len() <= MAX_QUERY_BYTES);
    let audit_entry = session
        .audit_entry("users.search")
        .change(Value::Null, json!({ "q": text }));
    let note = caller.write(&session, move |db, actor| audit_entry.record(db, actor));
    note.await?;
    let found = match text {
        Some(text) => session.read(|db| find(db, &text)).await?,
        None => FoundUsers {
            email: Vec::new(),
            username: Vec::new(),
        },
    };
    list(&SearchAnswer {
        result: Outcome::Success,
        users: found,
    })
}

fn find(db: &Db<'_>, text: &str) -> Result<FoundUsers> {
    let mut email: Vec<view::Account> = Vec::new();
    email.extend(users::by_email(db, text)?.map(Into::into));
    email.extend(users::by_ihash(db, text)?.map(Into::into));
    let mut username = Vec::new();
    for id in users::with_username_part(db, text, MAX_FOUND)? {
        username.extend(users::by_id(db, EntityId::Integer(id))?.map(Into::into));
    }
    Ok(FoundUsers { email, username })
}
