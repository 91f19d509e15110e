//! Exports: files with everything of an account, in the bucket, for everybody who has the signed link.

use bespoke_database::{Freshness, exports};
use bespoke_storage::{Fetched, PutCondition};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http::HeaderValue;
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

/// The name of an export: a ULID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportName(Ulid);

impl ExportName {
    /// Reads a name in the one form in which we write it.
    pub fn parse(text: &str) -> Option<Self> {
        let ulid = Ulid::from_string(text).ok()?;
        (ulid.to_string() == text).then_some(Self(ulid))
    }

    /// The tag of its file, which never changes.
    pub fn etag(self) -> HeaderValue {
        HeaderValue::try_from(format!("\"{}\"", self.0)).expect("a ULID is visible ASCII")
    }

    /// The path of ours that serves it.
    pub fn path(self) -> String {
        format!("/{PREFIX}{}", self.0)
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

    /// Stores the file of an export whose row has been committed. Because the row comes first, each file without a row is one whose row was
    /// deleted: here if that happened meanwhile, otherwise by maintenance.
    ///
    /// # Errors
    /// 404 if the row was deleted meanwhile, with the account or by newer exports; 503 if the bucket does not answer.
    pub async fn put_export(&self, name: ExportName, file: Bytes) -> Result<()> {
        let key = key(&name.to_string());
        self.bucket().put(&key, file, PutCondition::CreateOnly).await?;
        if self.is_noted(name).await? {
            return Ok(());
        }
        self.bucket().delete(&key).await?;
        Err(Error::not_found())
    }

    /// Whether the export has a row in the newest version of the database.
    async fn is_noted(&self, name: ExportName) -> Result<bool> {
        let read = self
            .database()
            .read(Freshness::Strict, |db| exports::exists(db, &name.to_string()));
        Ok(read.await?)
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

    /// Deletes the files without a row. They are listed before the rows are read, because a row comes before its file.
    pub(crate) async fn purge_exports(&self) -> Result<()> {
        let name_of = |key: &str| ExportName::parse(key.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?);
        let listed = self.bucket().list(PREFIX).await?;
        let names: Vec<_> = listed.iter().filter_map(|listed| name_of(&listed.key)).collect();
        let read = self.database().read(Freshness::Strict, |db| {
            let mut unnoted = Vec::new();
            for name in &names {
                let name = name.to_string();
                if !exports::exists(db, &name)? {
                    unnoted.push(name);
                }
            }
            Ok::<_, Error>(unnoted)
        });
        for name in read.await? {
            self.bucket().delete(&key(&name)).await?;
        }
        Ok(())
    }
}
