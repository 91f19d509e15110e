//! Exports: files in the bucket with all data of an account, behind signed links.

use bespoke_core::Timestamp;
use bespoke_storage::{Fetched, PutCondition};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use ulid::Ulid;

use crate::response::{Error, Result};
use crate::state::Context;

/// How long the link to an export is valid. Milliseconds.
pub const LINK_LIFETIME_MS: u32 = 60 * 60 * 1000;
/// The age at which an export is deleted. Milliseconds.
pub const KEPT_MS: i64 = 24 * 60 * 60 * 1000;
/// The size of one read of an export. Bytes.
const PIECE_BYTES: u64 = 256 * 1024;
const PREFIX: &str = "exports/";
const SUFFIX: &str = ".json";

/// The name of an export. It is a ULID, because that contains the time of its creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportName(Ulid);

impl ExportName {
    /// Parses a name in its canonical form.
    pub fn parse(text: &str) -> Option<Self> {
        let ulid = Ulid::from_string(text).ok()?;
        (ulid.to_string() == text).then_some(Self(ulid))
    }

    /// The path of the API that serves the export.
    pub fn path(self) -> String {
        format!("/{PREFIX}{}", self.0)
    }

    fn made_before(self, moment: Timestamp) -> bool {
        i64::try_from(self.0.timestamp_ms()).is_ok_and(|made| made < moment.as_millis())
    }
}

impl std::fmt::Display for ExportName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Returns the key of the object.
pub(crate) fn key(name: &str) -> String {
    format!("{PREFIX}{name}{SUFFIX}")
}

impl Context {
    /// Creates a new name.
    pub fn new_export_name(&self) -> ExportName {
        let now = self.now().as_millis().unsigned_abs();
        ExportName(Ulid::from_parts(now, u128::from_be_bytes(self.random().bytes())))
    }

    /// Stores the file of an export, before its row, so that each row has a file. If the process ends between the two steps, maintenance
    /// deletes the file.
    ///
    /// # Errors
    /// 503 if the bucket does not store it.
    pub async fn put_export(&self, name: ExportName, file: Bytes) -> Result<()> {
        let key = key(&name.to_string());
        self.bucket().put(&key, file, PutCondition::CreateOnly).await?;
        Ok(())
    }

    /// Deletes the file of an export whose row was rejected. If that fails, maintenance deletes the file later.
    pub async fn discard_export(&self, name: ExportName) {
        if let Err(error) = self.bucket().delete(&key(&name.to_string())).await {
            tracing::warn!(%error, "the file of a rejected export could not be deleted");
        }
    }

    /// Returns a signed link to an export.
    ///
    /// # Errors
    /// 503 if the bucket cannot sign the link.
    pub async fn export_url(&self, name: ExportName) -> Result<String> {
        let key = key(&name.to_string());
        self.download_url(&key, &name.path(), LINK_LIFETIME_MS).await
    }

    /// Returns the file of an export as a stream of pieces. A piece is read after the client has received the previous one, so that a slow
    /// client occupies little memory.
    ///
    /// # Errors
    /// 404 if the export does not exist; 503 if the bucket does not respond.
    pub async fn export(&self, name: ExportName) -> Result<impl Stream<Item = std::io::Result<Bytes>> + use<>> {
        let key = key(&name.to_string());
        let first = self.export_piece(&key, 0).await?;
        let state = (self.clone(), key, first.len() as u64);
        let rest = stream::try_unfold(state, |(context, key, at)| async move {
            let piece = context.export_piece(&key, at).await;
            let piece = piece.map_err(|error| std::io::Error::other(error.code()))?;
            let end = at + piece.len() as u64;
            Ok((!piece.is_empty()).then_some((piece, (context, key, end))))
        });
        Ok(stream::iter([Ok(first)]).chain(rest))
    }

    /// Reads the piece of an export that begins at `offset`; it is empty behind the end.
    async fn export_piece(&self, key: &str, offset: u64) -> Result<Bytes> {
        match self.bucket().get_range(key, offset, PIECE_BYTES).await? {
            Fetched::Found(object) => Ok(object.body),
            Fetched::Missing | Fetched::NotModified { .. } => Err(Error::not_found()),
        }
    }

    /// Deletes all files that are older than `before`, including those without a row.
    pub(crate) async fn purge_exports(&self, before: Timestamp) -> Result<()> {
        for listed in self.bucket().list(PREFIX).await? {
            let name = listed
                .key
                .strip_prefix(PREFIX)
                .and_then(|name| name.strip_suffix(SUFFIX));
            if name
                .and_then(ExportName::parse)
                .is_some_and(|name| name.made_before(before))
            {
                self.bucket().delete(&listed.key).await?;
            }
        }
        Ok(())
    }
}
