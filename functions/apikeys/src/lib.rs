//! The function `apikeys`: API keys of the caller. [`router`] lists its routes. The handlers that list, read and revoke keys are here.

mod create;
mod new_key;
mod rotate;
mod usage;

use axum::response::Response;
use bespoke_core::entity::api_key::ApiKey;
use bespoke_core::{EntityId, Level, Networks, Scopes, Timestamp};
use bespoke_database::{Db, api_keys, stored_bytes};
use bespoke_web::level::{READ_NONE, READ_SOME, USER};
use bespoke_web::view::api_key::ApiKeyListItem;
use bespoke_web::{
    AuthMethod, Caller, Error, Id, Outcome, Paging, Query, Result, Routes, Session, no_content, ok, route,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// The routes of the `apikeys` function, one of the deployable groups of routes.
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

/// An API key. `id` and `key` are equal.
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
    /// The parts of its level's permissions that the key has. `null`: all.
    #[schema(required)]
    scopes: Option<Vec<String>>,
    /// The networks that may use the key. `null`: all.
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
struct KeyResponse {
    result: Outcome,
    apikey: KeyView,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ApiKeyList)]
struct KeyList {
    result: Outcome,
    apikeys: Vec<ApiKeyListItem>,
}

fn key_response(key: ApiKey) -> Response {
    ok(&KeyResponse {
        result: Outcome::Success,
        apikey: key.into(),
    })
}

/// List the caller's API keys
#[utoipa::path(get, path = "/apikeys/{auth}", tag = "API keys", operation_id = "listApiKeys",
    params(Paging),
    responses(
        (status = 200, description = "The keys of the caller, oldest first.", body = KeyList),
        (status = 400, description = "`afterUnknown`: unknown cursor."),
        (status = 413, description = "`listTooLarge`: read the list in pages, with `limit` and `after`."),
    ))]
async fn list(caller: Caller<READ_SOME>, session: Session, paging: Query<Paging>) -> Result<Response> {
    let (page, user_id) = (paging.0.page()?, caller.actor.user_id);
    let bytes = |db: &Db<'_>, max_bytes| Ok(stored_bytes(db, "api_keys", user_id, page, max_bytes)?);
    // A count that is merged into the database between the two reads may be reported twice.
    let unmerged = session.database().usage().unmerged().await?;
    let list = move |db: &Db<'_>| {
        let keys = api_keys::by_user(db, user_id, page)?;
        Ok(KeyList {
            result: Outcome::Success,
            apikeys: ApiKeyListItem::list(keys, &unmerged),
        })
    };
    bespoke_web::stored_list(&session, bytes, list).await
}

/// Read an API key
///
/// Level 9 can read the keys of all accounts.
#[utoipa::path(get, path = "/apikeys/{id}/{auth}", tag = "API keys", operation_id = "readApiKey",
    params(("id" = Uuid, Path, description = "UUID of the key.")),
    responses(
        (status = 200, description = "The key, without its secret.", body = KeyResponse),
        (status = 404, description = "There is no such key."),
    ))]
async fn read(caller: Caller<READ_SOME>, session: Session, id: Id) -> Result<Response> {
    let key = session.read(|db| find(db, id)).await?;
    caller.actor.may_manage_key(key.user_id)?;
    let audit_entry = session.audit_entry("apikeys.read").target("apikeys", key.uuid);
    caller.record_read(&session, audit_entry, key.user_id).await?;
    Ok(key_response(key))
}

/// Revoke an API key
///
/// The key stops working at once. A key can revoke itself, unless it is bound to addresses. Level 9 can revoke the keys of all
/// accounts.
#[utoipa::path(delete, path = "/apikeys/{id}/{auth}", tag = "API keys", operation_id = "deleteApiKey",
    params(("id" = Uuid, Path, description = "UUID of the key.")),
    responses(
        (status = 204, description = "The key was revoked."),
        (status = 403, description = "`restrictedKey`: the caller's key is bound to addresses, so it cannot revoke keys."),
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

/// Read the API key of this call
#[utoipa::path(get, path = "/whoami/key", tag = "API keys", operation_id = "whoamiByKey",
    responses(
        (status = 200, description = "The key that authenticated the call.", body = KeyResponse),
        (status = 404, description = "The key was revoked during the call."),
    ))]
async fn whoami(caller: Caller<READ_NONE>, session: Session) -> Result<Response> {
    let AuthMethod::Key(uuid) = caller.auth_method else {
        return Err(Error::not_found());
    };
    Ok(key_response(
        session.read(|db| find(db, Id(EntityId::Uuid(uuid)))).await?,
    ))
}

/// Returns the key with this UUID. Numbers find no key, because keys had UUIDs in every API generation.
fn find(db: &Db<'_>, Id(id): Id) -> Result<ApiKey> {
    match id {
        EntityId::Uuid(uuid) => api_keys::by_uuid(db, uuid)?.ok_or_else(Error::not_found),
        EntityId::Integer(_) => Err(Error::not_found()),
    }
}
