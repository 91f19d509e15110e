//! Exports: files with everything of an account, in the bucket, for whoever has the signed link.

use bespoke_core::Timestamp;
use bespoke_storage::{Fetched, PutCondition};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use ulid::Ulid;

use crate::{Context, Error, Result};

/// How long the link to an export works, in milliseconds.
pub const LINK_LIFETIME_MS: u32 = 60 * 60 * 1000;
/// How long an export is kept, in milliseconds.
pub const KEPT_MS: i64 = 24 * 60 * 60 * 1000;
/// Bytes of an export that are read at once.
const PIECE_BYTES: u64 = 256 * 1024;
const PREFIX: &str = "exports/";
const SUFFIX: &str = ".json";

/// The name of an export: a ULID, so that it tells its age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportName(Ulid);

impl ExportName {
    /// Reads a name in the one form in which we write it.
    pub fn parse(text: &str) -> Option<Self> {
        let ulid = Ulid::from_string(text).ok()?;
        (ulid.to_string() == text).then_some(Self(ulid))
    }

    /// The path of ours that serves it.
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

/// The object's key.
pub(crate) fn key(name: &str) -> String {
    format!("{PREFIX}{name}{SUFFIX}")
}

impl Context {
    /// A name that no export has.
    pub fn new_export_name(&self) -> ExportName {
        let now = self.now().as_millis().unsigned_abs();
        ExportName(Ulid::from_parts(now, u128::from_be_bytes(self.random().bytes())))
    }

    /// Stores the file of an export. It is stored before its row, so that each row has a file. If the process dies between the two,
    /// maintenance deletes the file.
    ///
    /// # Errors
    /// 503 if the bucket does not take it.
    pub async fn put_export(&self, name: ExportName, file: Bytes) -> Result<()> {
        let key = key(&name.to_string());
        self.bucket().put(&key, file, PutCondition::CreateOnly).await?;
        Ok(())
    }

    /// Deletes the file of an export that has no row because it was refused. If that fails, maintenance does it.
    pub async fn discard_export(&self, name: ExportName) {
        if let Err(error) = self.bucket().delete(&key(&name.to_string())).await {
            tracing::warn!(%error, "the file of a refused export could not be deleted");
        }
    }

    /// The link to an export.
    ///
    /// # Errors
    /// 503 if the bucket cannot sign it.
    pub async fn export_url(&self, name: ExportName) -> Result<String> {
        let key = key(&name.to_string());
        self.download_url(&key, &name.path(), LINK_LIFETIME_MS).await
    }

    /// The file of that name, in pieces: a piece is read when the client has taken the one before, so that a client that takes nothing
    /// holds little memory.
    ///
    /// # Errors
    /// 404 when there is none, 503 when the bucket does not answer.
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

    /// The piece of an export from `offset` on; empty behind its end.
    async fn export_piece(&self, key: &str, offset: u64) -> Result<Bytes> {
        match self.bucket().get_range(key, offset, PIECE_BYTES).await? {
            Fetched::Found(object) => Ok(object.body),
            Fetched::Missing | Fetched::NotModified { .. } => Err(Error::not_found()),
        }
    }

    /// Deletes the files from before that moment, also those whose row never came or went without them.
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
