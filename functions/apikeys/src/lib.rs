//! API keys (contract-2023 section 3.1).

mod create;
mod new_key;
mod rotate;
mod usage;

use axum::response::Response;
use bespoke_core::entity::api_key::ApiKey;
use bespoke_core::{EntityId, Level, Networks, Scopes, Timestamp};
use bespoke_database::{Db, api_keys, stored_bytes};
use bespoke_web::level::{READ_NONE, READ_SOME, USER};
use bespoke_web::{
    AuthMethod, Caller, Error, Id, Outcome, Paging, Query, Result, Routes, Session, no_content, ok, route, view,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// The routes of this function.
pub fn router() -> Routes {
    Routes::new("apikeys")
        .with(route!(create::create).repeatable())
        .with(route!(list))
        .with(route!(read))
        .with(route!(rotate::rotate))
        .with(route!(usage::usage))
        .with(route!(delete))
        .with(route!(whoami).scopes(&[]))
}

/// An API key. `id` and `key` are the same.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ApiKey)]
struct KeyView {
    key: Uuid,
    #[schema(value_type = u8, maximum = 9)]
    level: Level,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    name: Value,
    user_id: i64,
    user_uuid: Uuid,
    id: Uuid,
    /// What it may do of what its level allows; null for all of it.
    #[schema(required)]
    scopes: Option<Vec<String>>,
    /// The networks from which it may be used; null for everywhere.
    #[schema(required)]
    cidr: Option<Vec<String>>,
}

impl From<ApiKey> for KeyView {
    fn from(key: ApiKey) -> Self {
        Self {
            scopes: key.scopes.as_ref().map(Scopes::names),
            cidr: key.cidr.as_ref().map(Networks::texts),
            key: key.uuid,
            level: key.level,
            created_at: key.created_at,
            expires_at: key.expires_at,
            name: key.name,
            user_id: key.user_id,
            user_uuid: key.user_uuid,
            id: key.uuid,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = ApiKeyAnswer)]
struct KeyAnswer {
    result: Outcome,
    apikey: KeyView,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ApiKeyList)]
struct KeyList {
    result: Outcome,
    apikeys: Vec<view::api_key::ApiKeyListItem>,
}

fn key_answer(key: ApiKey) -> Response {
    ok(&KeyAnswer {
        result: Outcome::Success,
        apikey: key.into(),
    })
}

/// List one's API keys
#[utoipa::path(get, path = "/apikeys/{auth}", tag = "API keys", operation_id = "listApiKeys",
    params(Paging),
    responses(
        (status = 200, description = "The keys of the caller, oldest first.", body = KeyList),
        (status = 400, description = "`afterUnknown`: there is no such key to go on behind."),
        (status = 413, description = "`listTooLarge`: ask for parts, with `limit` and `after`."),
    ))]
async fn list(caller: Caller<READ_SOME>, session: Session, paging: Query<Paging>) -> Result<Response> {
    let (page, user_id) = (paging.0.page()?, caller.actor.user_id);
    let bytes = |db: &Db<'_>, most| Ok(stored_bytes(db, "api_keys", user_id, page, most)?);
    let list = move |db: &Db<'_>| {
        let keys = api_keys::by_user(db, user_id, page)?;
        Ok(KeyList {
            result: Outcome::Success,
            apikeys: keys.into_iter().map(Into::into).collect(),
        })
    };
    bespoke_web::stored_list(&session, bytes, list).await
}

/// Read an API key
///
/// One's own, or anybody's at level 9.
#[utoipa::path(get, path = "/apikeys/{id}/{auth}", tag = "API keys", operation_id = "readApiKey",
    params(("id" = Uuid, Path, description = "UUID of the key.")),
    responses(
        (status = 200, description = "The key, without its secret.", body = KeyAnswer),
        (status = 404, description = "There is no such key."),
    ))]
async fn read(caller: Caller<READ_SOME>, session: Session, id: Id) -> Result<Response> {
    let key = session.read(|db| find(db, id)).await?;
    caller.actor.may_manage_key(key.user_id)?;
    let audit_entry = session.audit_entry("apikeys.read").target("apikeys", key.uuid);
    caller.record_read(&session, audit_entry, key.user_id).await?;
    Ok(key_answer(key))
}

/// End an API key
///
/// One's own, or anybody's at level 9. A key may end itself, unless it is bound to addresses. It is refused from then on, everywhere.
#[utoipa::path(delete, path = "/apikeys/{id}/{auth}", tag = "API keys", operation_id = "deleteApiKey",
    params(("id" = Uuid, Path, description = "UUID of the key.")),
    responses(
        (status = 204, description = "The key has ended."),
        (status = 403, description = "`restrictedKey`: the caller's key is bound to addresses, so it ends none."),
        (status = 404, description = "There is no such key."),
    ))]
async fn delete(caller: Caller<USER>, session: Session, id: Id) -> Result<Response> {
    let (now, audit_entry) = (session.now(), session.audit_entry("apikeys.delete"));
    let end = caller.write(&session, move |db, actor| {
        let key = find(db, id)?;
        actor.may_manage_key(key.user_id)?;
        actor.may_change_credentials()?;
        api_keys::revoke(db, key.uuid, now)?;
        let audit_entry = audit_entry.clone().target("apikeys", key.uuid);
        audit_entry.record_unless_own(db, actor, key.user_id)
    });
    end.await?;
    Ok(no_content())
}

/// Describe the API key of this call
#[utoipa::path(get, path = "/whoami/key", tag = "API keys", operation_id = "whoamiByKey",
    responses(
        (status = 200, description = "The key that the call was made with.", body = KeyAnswer),
        (status = 404, description = "The key was ended while the call was under way."),
    ))]
async fn whoami(caller: Caller<READ_NONE>, session: Session) -> Result<Response> {
    let AuthMethod::Key(uuid) = caller.auth_method else {
        return Err(Error::not_found());
    };
    Ok(key_answer(session.read(|db| find(db, Id(EntityId::Uuid(uuid)))).await?))
}

/// The key of that id. Keys were known by their UUID in every API generation, so a number finds none.
fn find(db: &Db<'_>, Id(id): Id) -> Result<ApiKey> {
    match id {
        EntityId::Uuid(uuid) => api_keys::by_uuid(db, uuid)?.ok_or_else(Error::not_found),
        EntityId::Integer(_) => Err(Error::not_found()),
    }
}
