//! [`ImportedRecord`]: reads a record of an import, which comes from an export of the same or of another installation.

use std::collections::HashSet;

use bespoke_core::entity::user::AccountStatus;
use serde_json::Value;
use uuid::Uuid;

use crate::body::JsonObject;
use crate::response::Result;
use crate::state::Context;

/// The maximum number of records of one import.
pub const MAX_RECORDS: usize = 5_000;
/// Read-only fields that an export contains.
const READ_ONLY: [&str; 9] = [
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
pub struct ImportedRecord<T> {
    /// A new UUID, for a record without a UUID in the document.
    fresh: Uuid,
    /// The UUID in the document.
    origin: Option<Uuid>,
    /// The content.
    pub content: T,
}

impl<T> ImportedRecord<T> {
    /// Parses a record. `read` gets the fields without read-only ones.
    ///
    /// # Errors
    /// The errors of `read`.
    pub fn parse<R>(
        mut fields: JsonObject,
        context: &Context,
        read: impl FnOnce(JsonObject) -> Result<(T, R)>,
    ) -> Result<(Self, R)> {
        let origin = fields.get("uuid").and_then(Value::as_str);
        let origin = origin.and_then(|text| Uuid::try_parse(text).ok());
        fields.retain(|field, _| !READ_ONLY.contains(&field.as_str()));
        let (content, rest) = read(fields)?;
        let fresh = context.random().uuid();
        Ok((Self { fresh, origin, content }, rest))
    }

    /// Returns the UUID under which the record is stored; `None` if the account already has the record.
    ///
    /// A record of another account or installation gets a UUID that is derived from the account and the original UUID, so that a second import
    /// recognizes the record. It does not get the original UUID, because a record of another account may have it.
    ///
    /// # Errors
    /// The errors of `owner_of`.
    fn uuid_for(
        &self,
        owner: &AccountStatus,
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

    /// Returns the records that the account does not have, with their UUIDs. Of several records with the same UUID, the first is returned.
    ///
    /// # Errors
    /// The errors of `owner_of`, which returns the owner of a stored record.
    pub fn missing<'r>(
        records: &'r [Self],
        owner: &AccountStatus,
        context: &Context,
        kind: &str,
        owner_of: &dyn Fn(Uuid) -> Result<Option<i64>>,
    ) -> Result<Vec<(Uuid, &'r T)>> {
        let mut missing = Vec::new();
        let mut uuids = HashSet::new();
        for record in records {
            if let Some(uuid) = record.uuid_for(owner, context, kind, owner_of)?
                && uuids.insert(uuid)
            {
                missing.push((uuid, &record.content));
            }
        }
        Ok(missing)
    }
}
