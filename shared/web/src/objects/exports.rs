//! [`ExportName`]: the name of an export, which is a file in the bucket with all data of an account, behind a signed link.

use bespoke_database::{Freshness, exports};
use bespoke_storage::{Fetched, PutCondition};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http::HeaderValue;
use ulid::Ulid;

use crate::response::{Error, Result};
use crate::state::Context;

/// How long the link to an export is valid, in milliseconds.
pub const LINK_LIFETIME_MS: u32 = 60 * 60 * 1000;
/// The age at which an export is deleted, in milliseconds.
pub const KEPT_MS: i64 = 24 * 60 * 60 * 1000;
/// The size of one read of an export, in bytes.
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

    /// Returns the ETag of the file, which never changes.
    pub fn etag(self) -> HeaderValue {
        HeaderValue::try_from(format!("\"{}\"", self.0)).expect("a ULID is visible ASCII")
    }

    /// The path of the API that serves the export.
    pub fn path(self) -> String {
        format!("/{PREFIX}{}", self.0)
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

    /// Stores the file of an export whose row has been committed. The row comes first, so that a file without a row is always one whose row was
    /// deleted. If the row was deleted meanwhile, this deletes the file again; if it is deleted later, maintenance deletes the file.
    ///
    /// # Errors
    /// 404 if the row was deleted meanwhile, with the account or by newer exports; 503 if the bucket does not store the file.
    pub async fn put_export(&self, name: ExportName, file: Bytes) -> Result<()> {
        let key = key(&name.to_string());
        self.bucket().put(&key, file, PutCondition::CreateOnly).await?;
        if self.has_row(name).await? {
            return Ok(());
        }
        self.bucket().delete(&key).await?;
        Err(Error::not_found())
    }

    /// Whether the export has a row in the newest version of the database.
    async fn has_row(&self, name: ExportName) -> Result<bool> {
        let read = self
            .database()
            .read(Freshness::Strict, |db| exports::exists(db, &name.to_string()));
        Ok(read.await?)
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

    /// Reads the piece of an export that begins at `offset`. The piece is empty if `offset` is the end of the file.
    async fn export_piece(&self, key: &str, offset: u64) -> Result<Bytes> {
        match self.bucket().get_range(key, offset, PIECE_BYTES).await? {
            Fetched::Found(object) => Ok(object.body),
            Fetched::Missing | Fetched::NotModified { .. } => Err(Error::not_found()),
        }
    }

    /// Deletes the files without a row. The files are listed before the rows are read, because a row comes before its file.
    pub(crate) async fn purge_exports(&self) -> Result<()> {
        let name_of = |key: &str| ExportName::parse(key.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?);
        let listed = self.bucket().list(PREFIX).await?;
        let names: Vec<_> = listed.iter().filter_map(|listed| name_of(&listed.key)).collect();
        let read = self.database().read(Freshness::Strict, |db| {
            let mut without_row = Vec::new();
            for name in &names {
                let name = name.to_string();
                if !exports::exists(db, &name)? {
                    without_row.push(name);
                }
            }
            Ok::<_, Error>(without_row)
        });
        for name in read.await? {
            self.bucket().delete(&key(&name)).await?;
        }
        Ok(())
    }
}
