//! [`Source`]: opens and checks the database file of the legacy backend, and reads its rows.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use rusqlite::types::Value as Cell;
use rusqlite::{Connection, OpenFlags};

use super::conversion::{TABLES, Table, cell};
use super::legacy_cipher::LegacyCipher;
use crate::digest::sha256;

/// The first bytes of every SQLite file.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// Size of the header of a SQLite file, in bytes.
const HEADER_BYTES: usize = 100;
/// How many of the first and of the last rows of a table are decrypted to test the passphrase.
const SAMPLES: u32 = 20;
/// Prefixes of tables that other programs create in the database (Prisma, Litestream, Cloudflare D1). They hold no user
/// data.
const FOREIGN_TABLES: [&str; 4] = ["_prisma_", "_litestream_", "_cf_", "d1_migrations"];
/// The value of the two format versions in the header of a database in WAL mode.
const WAL_FORMAT: u8 = 2;

/// A legacy database, opened for reading only. No file is created next to it.
pub(super) struct Source {
    connection: Connection,
    /// SHA-256 of the file.
    pub(super) digest: [u8; 32],
    /// The risk that the file lacks recent changes.
    pub(super) warning: Option<String>,
}

/// Consecutive rows of one table.
pub(super) struct RawRows {
    /// The rowid and the columns of each row.
    pub(super) rows: Vec<(i64, Vec<Cell>)>,
}

impl Source {
    /// Opens the file and checks its integrity.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let shown = path.display();
        let header = header(path).with_context(|| format!("cannot read {shown}"))?;
        ensure!(
            header.len() == HEADER_BYTES && header.starts_with(MAGIC),
            "{shown} is not a SQLite database"
        );
        let bytes = fs::metadata(path)?.len();
        let expected = expected_bytes(&header);
        ensure!(
            expected.is_none_or(|expected| bytes >= expected),
            "{shown} is truncated: it has {bytes} of {} bytes. Stop FreeSewing's backend and copy the file again",
            expected.unwrap_or_default()
        );
        for (suffix, what) in [("-wal", "changes"), ("-journal", "an unfinished change")] {
            let beside = beside(path, suffix);
            if fs::metadata(&beside).is_ok_and(|data| data.len() > 0) {
                bail!(
                    "{} holds {what} not yet in {shown}: stop the original backend, then run `sqlite3 {shown} 'PRAGMA \
                     journal_mode = DELETE'`",
                    beside.display()
                );
            }
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(uri(path), flags).with_context(|| format!("cannot open {shown}"))?;
        let verdict: rusqlite::Result<String> = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
        match verdict {
            Ok(verdict) if verdict == "ok" => {}
            Ok(verdict) => bail!("{shown} is damaged: {verdict}. `sqlite3 {shown} .recover` saves the readable data"),
            Err(error) => bail!("{shown} is damaged: {error}. `sqlite3 {shown} .recover` saves the readable data"),
        }
        let digest = sha256(path).with_context(|| format!("cannot read {shown}"))?;
        Ok(Self {
            connection,
            digest,
            warning: (header[18..20] == [WAL_FORMAT; 2]).then(|| wal_warning(path)),
        })
    }

    /// Checks that all tables and columns are known. Returns the unknown ones if they are to be ignored.
    pub(super) fn check_shape(&self, ignore_unknown: bool) -> Result<Vec<String>> {
        let mut unknown = Vec::new();
        for table in &TABLES {
            let columns = self.columns(table)?;
            if columns.is_empty() {
                ensure!(
                    !table.required,
                    "this is not a database of FreeSewing's backend of 2023 or later: it has no table {}",
                    table.name
                );
                continue;
            }
            let (missing, unknown_columns) = table.compare(&columns);
            ensure!(
                missing.is_empty(),
                "the table {} has no column {}: the schema is unknown",
                table.name,
                missing.join(", ")
            );
            let names = unknown_columns.iter().map(|column| format!("{}.{column}", table.name));
            unknown.extend(names);
        }
        unknown.extend(self.unknown_tables()?);
        ensure!(
            unknown.is_empty() || ignore_unknown,
            "it contains tables or columns that this version does not know: {}. --ignore-unknown imports the rest",
            unknown.join(", ")
        );
        Ok(unknown)
    }

    /// Checks the passphrase by decrypting samples. A database without encrypted values accepts any passphrase.
    pub(super) fn check_passphrase(&self, cipher: &LegacyCipher) -> Result<()> {
        let mut tried = 0;
        for (table, column) in [
            ("User", "email"),
            ("Subscriber", "email"),
            ("Set", "name"),
            ("Pattern", "name"),
        ] {
            for order in ["ASC", "DESC"] {
                let sql = format!(
                    "SELECT {column} FROM \"{table}\" WHERE {column} <> '' ORDER BY rowid {order} LIMIT {SAMPLES}"
                );
                let mut statement = self.connection.prepare(&sql)?;
                let texts = statement.query_map([], |row| Ok(row.get::<_, String>(0).unwrap_or_default()))?;
                for text in texts {
                    if cipher.open(&text?).is_ok() {
                        return Ok(());
                    }
                    tried += 1;
                }
            }
        }
        ensure!(
            tried == 0,
            "IMPORT_ENC_KEY is not the passphrase of this database: it decrypts none of {tried} values"
        );
        Ok(())
    }

    /// Returns the names of the columns of a table, or none if the table does not exist.
    pub(super) fn columns(&self, table: &Table) -> Result<Vec<String>> {
        let mut statement = self.connection.prepare("SELECT name FROM pragma_table_info(?1)")?;
        let names = statement.query_map([table.name], |row| row.get(0))?;
        Ok(names.collect::<rusqlite::Result<_>>()?)
    }

    /// Returns the number of rows of a table.
    pub(super) fn count(&self, table: &Table) -> Result<u64> {
        let sql = format!("SELECT COUNT(*) FROM \"{}\"", table.name);
        Ok(self
            .connection
            .query_row(&sql, [], |row| row.get::<_, i64>(0))?
            .unsigned_abs())
    }

    /// Returns at most `limit` rows after the rowid `after`, in the order of their rowids. `column_count` is the number of
    /// columns of the table.
    pub(super) fn read(&self, table: &Table, column_count: usize, after: i64, limit: usize) -> Result<RawRows> {
        let sql = format!(
            "SELECT rowid, * FROM \"{}\" WHERE rowid > ?1 ORDER BY rowid LIMIT {limit}",
            table.name
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map([after], |row| {
            let cells = (1..=column_count).map(|at| Ok(cell(row.get_ref(at)?)));
            Ok((row.get(0)?, cells.collect::<rusqlite::Result<_>>()?))
        })?;
        Ok(RawRows {
            rows: rows.collect::<rusqlite::Result<_>>()?,
        })
    }

    /// For each table of this project, returns the highest integer id that the legacy table has ever assigned.
    pub(super) fn counters(&self) -> Result<Vec<(&'static str, i64)>> {
        let sql = "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'sqlite_sequence'";
        let has_sequence_table: bool = self.connection.query_row(sql, [], |row| row.get(0))?;
        let mut counters = Vec::new();
        for table in &TABLES {
            let Some(ours) = table.ours else { continue };
            if self.columns(table)?.is_empty() {
                continue;
            }
            let sql = format!("SELECT COALESCE(MAX(id), 0) FROM \"{}\"", table.name);
            let mut highest: i64 = self.connection.query_row(&sql, [], |row| row.get(0))?;
            if has_sequence_table {
                let sql = "SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = ?1";
                highest = highest.max(self.connection.query_row(sql, [table.name], |row| row.get(0))?);
            }
            counters.push((ours, highest));
        }
        Ok(counters)
    }

    fn unknown_tables(&self) -> Result<Vec<String>> {
        let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
        let mut statement = self.connection.prepare(sql)?;
        let names = statement.query_map([], |row| row.get(0))?;
        let names: Vec<String> = names.collect::<rusqlite::Result<_>>()?;
        let known = |name: &String| {
            FOREIGN_TABLES.iter().any(|start| name.starts_with(start)) || TABLES.iter().any(|table| table.name == name)
        };
        Ok(names.into_iter().filter(|name| !known(name)).collect())
    }
}

fn wal_warning(path: &Path) -> String {
    format!(
        "{shown} is in WAL mode, and no file {shown}-wal is next to it. If FreeSewing's backend was running when the file was copied, \
         its latest changes are missing. Stop the backend, run `sqlite3 {shown} 'PRAGMA wal_checkpoint(TRUNCATE)'` on the original, and \
         copy the file again",
        shown = path.display()
    )
}

fn header(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    File::open(path)?.take(HEADER_BYTES as u64).read_to_end(&mut header)?;
    Ok(header)
}

/// Returns the size of the file according to its header, if the header is valid.
fn expected_bytes(header: &[u8]) -> Option<u64> {
    let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let page_bytes = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        bytes => u64::from(bytes),
    };
    let change_counter = number(24);
    let page_count = number(28);
    let page_count_valid_for = number(92);
    // Old versions of SQLite update the change counter, but neither the page count nor the change counter for which the
    // page count is valid.
    (change_counter == page_count_valid_for).then(|| page_bytes * u64::from(page_count))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// With `immutable`, SQLite takes no lock and creates no file next to the database.
fn uri(path: &Path) -> String {
    let path = path.to_string_lossy();
    let escaped = path.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    format!("file:{escaped}?mode=ro&immutable=1")
}
