//! `GET /users/{id}/{auth}`: [`data`] returns the records of an account.

use axum::response::Response;
use bespoke_database::usage::Usage;
use bespoke_database::{Db, Page, api_keys, bookmarks, patterns, sets, stored_bytes, users};
use bespoke_web::level::READ_SOME;
use bespoke_web::view::{self, api_key::ApiKeyListItem};
use bespoke_web::{Caller, Context, Error, Id, Outcome, Result, Session};
use serde::Serialize;
use utoipa::ToSchema;

/// The records of an account.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccountRecords {
    /// API keys, without their secrets.
    pub(crate) apikeys: Vec<ApiKeyListItem>,
    pub(crate) bookmarks: Vec<view::Bookmark>,
    pub(crate) patterns: Vec<view::Pattern>,
    pub(crate) sets: Vec<view::Set>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = AccountRecordsAnswer)]
struct AccountRecordsResponse {
    result: Outcome,
    data: AccountRecords,
}

impl AccountRecords {
    /// Reads the records. `unmerged` contains the counts of calls that the database does not contain yet.
    pub(crate) fn of(db: &Db<'_>, user_id: i64, context: &Context, unmerged: &[Usage]) -> Result<Self> {
        let keys = api_keys::by_user(db, user_id, Page::ALL)?;
        let bookmarks = bookmarks::by_user(db, user_id, Page::ALL)?;
        let patterns = patterns::by_user(db, user_id, Page::ALL)?.into_iter();
        let sets = sets::by_user(db, user_id, Page::ALL)?.into_iter();
        Ok(Self {
            apikeys: ApiKeyListItem::list(keys, unmerged),
            bookmarks: bookmarks.into_iter().map(Into::into).collect(),
            patterns: patterns.map(|pattern| view::Pattern::new(pattern, context)).collect(),
            sets: sets.map(|set| view::Set::new(&set, context)).collect(),
        })
    }
}

/// Read the records of an account
///
/// API keys, bookmarks, patterns and sets of the caller's own account. Level 6 can read those of any account.
#[utoipa::path(get, path = "/users/{id}/{auth}", tag = "Users", operation_id = "readAccountData",
    responses(
        (status = 200, description = "The records.", body = AccountRecordsResponse),
        (status = 404, description = "There is no such account."),
        (status = 413, description = "`listTooLarge`: read the single lists in pages, with `limit` and `after`."),
    ))]
pub(crate) async fn data(caller: Caller<READ_SOME>, session: Session, Id(id): Id) -> Result<Response> {
    let (actor, context) = (caller.actor, session.clone());
    let find = move |db: &Db<'_>| -> Result<i64> {
        let user = users::by_id(db, id)?.ok_or_else(Error::not_found)?;
        actor.may_read(user.account_status.id)?;
        Ok(user.account_status.id)
    };
    let bytes = |db: &Db<'_>, max_bytes: u64| {
        let user_id = find(db)?;
        let mut bytes = 0;
        for table in ["api_keys", "bookmarks", "patterns", "sets"] {
            bytes += stored_bytes(db, table, user_id, Page::ALL, max_bytes)?;
        }
        Ok(bytes)
    };
    // A count that is merged into the database between the two reads may be reported twice.
    let unmerged = session.database().usage().unmerged().await?;
    let list = move |db: &Db<'_>| {
        Ok(AccountRecordsResponse {
            result: Outcome::Success,
            data: AccountRecords::of(db, find(db)?, &context, &unmerged)?,
        })
    };
    let owner_id = session.read(&find).await?;
    let audit_entry = session.audit_entry("users.readRecords").target("users", owner_id);
    caller.record_read(&session, audit_entry, owner_id).await?;
    bespoke_web::stored_list(&session, bytes, list).await
}
