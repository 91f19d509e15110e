//! API keys (contract-2023 section 3.1).

mod create;

use axum::response::Response;
use bespoke_core::entity::api_key::ApiKey;
use bespoke_core::{EntityId, Level, Timestamp};
use bespoke_database::{Db, api_keys};
use bespoke_web::level::{READ_NONE, READ_SOME, USER};
use bespoke_web::{Caller, Error, Id, Outcome, Result, Routes, Session, Via, no_content, ok};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

/// The routes of this function.
pub fn router() -> Routes {
    Routes::new("apikeys")
        .post("/apikeys/{auth}", create::create)
        .get("/apikeys/{auth}", list)
        .get("/apikeys/{id}/{auth}", read)
        .delete("/apikeys/{id}/{auth}", delete)
        .get("/whoami/key", whoami)
}

/// A key as reads of one key show it; `id` and `key` are the same (defect D115).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KeyView {
    key: Uuid,
    level: Level,
    created_at: Timestamp,
    expires_at: Timestamp,
    name: Value,
    user_id: i64,
    user_uuid: Uuid,
    id: Uuid,
}

impl From<ApiKey> for KeyView {
    fn from(key: ApiKey) -> Self {
        Self {
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

/// A key as lists show it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KeyListItem {
    id: Uuid,
    calls: i64,
    created_at: Timestamp,
    expires_at: Timestamp,
    name: Value,
    last_seen: Option<Timestamp>,
    level: Level,
    user_id: i64,
    user_uuid: Uuid,
    key: Uuid,
}

impl From<ApiKey> for KeyListItem {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.uuid,
            calls: key.calls,
            created_at: key.created_at,
            expires_at: key.expires_at,
            name: key.name,
            last_seen: key.last_seen,
            level: key.level,
            user_id: key.user_id,
            user_uuid: key.user_uuid,
            key: key.uuid,
        }
    }
}

#[derive(Serialize)]
struct KeyAnswer {
    result: Outcome,
    apikey: KeyView,
}

#[derive(Serialize)]
struct KeyList {
    result: Outcome,
    apikeys: Vec<KeyListItem>,
}

fn key_answer(key: ApiKey) -> Response {
    ok(&KeyAnswer {
        result: Outcome::Success,
        apikey: key.into(),
    })
}

/// Lists the caller's keys.
async fn list(caller: Caller<READ_SOME>, session: Session) -> Result<Response> {
    let keys = session
        .read(|db| Ok(api_keys::by_user(db, caller.actor.user_id)?))
        .await?;
    let apikeys = keys.into_iter().map(KeyListItem::from).collect();
    Ok(ok(&KeyList {
        result: Outcome::Success,
        apikeys,
    }))
}

/// Reads a key of the caller, or of anybody at level 9.
async fn read(caller: Caller<READ_SOME>, session: Session, id: Id) -> Result<Response> {
    let key = session.read(|db| find(db, id)).await?;
    caller.actor.may_manage_key(key.user_id)?;
    Ok(key_answer(key))
}

/// Ends a key of the caller, or of anybody at level 9. A key may end itself.
async fn delete(caller: Caller<USER>, session: Session, id: Id) -> Result<Response> {
    let actor = caller.actor;
    session
        .write(move |db| {
            let key = find(db, id)?;
            actor.may_manage_key(key.user_id)?;
            Ok(api_keys::delete(db, key.uuid)?)
        })
        .await?;
    Ok(no_content())
}

/// Describes the key that the call is made with.
async fn whoami(caller: Caller<READ_NONE>, session: Session) -> Result<Response> {
    let Via::Key(uuid) = caller.via else {
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
