//! [`CopyBackend`]: the place of database files: a folder with SQLite files, or memory in a simulation.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rusqlite::Connection;

use crate::copy::engine_tables;
use crate::copy::folder::LocalFolder;
use crate::copy::pages::Pages;
use crate::error::Error;
use crate::format::delta::Delta;

/// Creates database files.
pub(crate) trait CopyBackend: Send + Sync + 'static {
    /// Creates an empty database file. Its path is empty if it is not a file.
    fn create_file(&self) -> io::Result<(PathBuf, Pages)>;
    /// Returns all pages of a new database, which contains the engine's tables only.
    fn first_delta(&self, page_size: u32) -> Result<Delta, Error>;
}

/// SQLite files in a folder.
pub(crate) struct SqliteBackend {
    folder: LocalFolder,
}

impl SqliteBackend {
    pub(crate) fn new(folder: LocalFolder) -> Self {
        Self { folder }
    }
}

impl CopyBackend for SqliteBackend {
    fn create_file(&self) -> io::Result<(PathBuf, Pages)> {
        self.folder.ensure()?;
        let path = self.folder.fresh_file();
        let file = OpenOptions::new().create_new(true).read(true).write(true).open(&path)?;
        Ok((path, Pages::File(file)))
    }

    fn first_delta(&self, page_size: u32) -> Result<Delta, Error> {
        first_delta(&self.folder.fresh_file(), page_size)
    }
}

/// Creates a database in WAL mode at `path`, reads its pages, and removes it.
fn first_delta(path: &Path, page_size: u32) -> Result<Delta, Error> {
    let connection = Connection::open(path)?;
    connection.execute_batch(&format!(
        "PRAGMA synchronous = OFF; PRAGMA page_size = {page_size}; {}; PRAGMA journal_mode = WAL;",
        engine_tables::schema()
    ))?;
    connection.close().map_err(|(_, error)| error)?;
    let file = fs::File::open(path)?;
    let mut bytes = vec![0; usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?];
    file.read_exact_at(&mut bytes, 0)?;
    fs::remove_file(path)?;
    let bytes = Bytes::from(bytes);
    let size = page_size as usize;
    let page_count = u32::try_from(bytes.len() / size).map_err(io::Error::other)?;
    let pages = (1..=page_count).map(|number| {
        let from = (number as usize - 1) * size;
        (number, bytes.slice(from..from + size))
    });
    Ok(Delta {
        page_size,
        page_count,
        pages: pages.collect(),
    })
}
