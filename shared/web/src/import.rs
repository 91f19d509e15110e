//! Records that come back from an export, or from another installation.

use bespoke_core::entity::user::Standing;
use serde_json::Value;
use uuid::Uuid;

use crate::{Context, JsonObject, Result};

/// Most records of one import.
pub const MAX_RECORDS: usize = 5_000;
/// What an export says of a record and nobody can set.
const FIXED: [&str; 9] = [
    "id",
    "uuid",
    "userId",
    "userUuid",
    "createdAt",
    "updatedAt",
    "img",
    "image",
    "imageUrl",
];

/// A record of an import.
pub struct Record<T> {
    /// UUID of a new one.
    fresh: Uuid,
    /// Its UUID where it comes from.
    origin: Option<Uuid>,
    /// What it says.
    pub content: T,
}

impl<T> Record<T> {
    /// Reads a record with `read`, which gets the fields that can be set.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn take<R>(
        mut fields: JsonObject,
        context: &Context,
        read: impl FnOnce(JsonObject) -> Result<(T, R)>,
    ) -> Result<(Self, R)> {
        let origin = fields.get("uuid").and_then(Value::as_str);
        let origin = origin.and_then(|text| Uuid::try_parse(text).ok());
        fields.retain(|field, _| !FIXED.contains(&field.as_str()));
        let (content, rest) = read(fields)?;
        let fresh = context.random().uuid();
        Ok((Self { fresh, origin, content }, rest))
    }

    /// The UUID for the record, and `None` when the account has it. What comes from elsewhere gets one that follows from account
    /// and origin, by which it is known again when it is sent again; it is not its own, which somebody else may have.
    ///
    /// # Errors
    /// Those of `owner_of`.
    pub fn place(
        &self,
        owner: &Standing,
        context: &Context,
        kind: &str,
        owner_of: &dyn Fn(Uuid) -> Result<Option<i64>>,
    ) -> Result<Option<Uuid>> {
        let Some(origin) = self.origin else {
            return Ok(Some(self.fresh));
        };
        if owner_of(origin)? == Some(owner.id) {
            return Ok(None);
        }
        let index = context.database().index();
        let parts: [&[u8]; 4] = [b"import", owner.uuid.as_bytes(), kind.as_bytes(), origin.as_bytes()];
        let uuid = uuid::Builder::from_random_bytes(index.request(&parts)).into_uuid();
        Ok(owner_of(uuid)?.is_none().then_some(uuid))
    }
}
