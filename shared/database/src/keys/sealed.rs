//! Lists all encrypted columns by table. Checks them ([`check`]), measures them, and re-encrypts them with a new key
//! ([`renew`]).

use bespoke_core::BlindIndex;
use rusqlite::params_from_iter;
use rusqlite::types::Value;
use uuid::Uuid;

use crate::connection::{Columns, Db, Page};
use crate::content::sets;
use crate::error::Result;

/// A table with encrypted columns.
struct Table {
    name: &'static str,
    /// Name of its integer key.
    id: &'static str,
    columns: &'static [&'static str],
    /// The column with a keyed hash of an encrypted column, if the table has one.
    index: Option<Index>,
}

/// A column that is a keyed hash of an encrypted one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Index {
    /// `email_index`, of `email`.
    Email,
    /// `name_index`, of the account and `name`.
    Name,
}

impl Index {
    const fn column(self) -> &'static str {
        match self {
            Self::Email => "email_index",
            Self::Name => "name_index",
        }
    }

    const fn of(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Name => "name",
        }
    }

    /// Returns the keyed hash for the decrypted column of a row.
    fn entry(self, index: &BlindIndex, row: &SealedRow, opened: &[u8]) -> [u8; 32] {
        let text = std::str::from_utf8(opened).unwrap_or_default();
        match self {
            Self::Email => index.email(text),
            Self::Name => sets::name_entry(index, row.user_id, text),
        }
    }
}

const fn table(name: &'static str, columns: &'static [&'static str]) -> Table {
    Table {
        name,
        id: "id",
        columns,
        index: None,
    }
}

/// All tables with encrypted columns.
const TABLES: &[Table] = &[
    Table {
        index: Some(Index::Email),
        ..table("users", &["email", "initial", "bio", "data"])
    },
    Table {
        id: "user_id",
        ..table("second_factors", &["secret"])
    },
    table("api_keys", &["name"]),
    Table {
        index: Some(Index::Name),
        ..table("sets", &["name", "notes", "measies"])
    },
    table("confirmations", &["secret", "data"]),
    table("outbox", &["recipient", "action_url", "unsubscribe_url", "details"]),
    table("oauth_states", &["verifier", "returned"]),
    table("patterns", &["name", "notes", "data", "settings"]),
    table("bookmarks", &["title", "url"]),
    table("suggestions", &["data"]),
    Table {
        index: Some(Index::Email),
        ..table("subscribers", &["email"])
    },
    table("audit", &["before", "after"]),
    // The last table: when it uses the new key, all tables do.
    table("installation", &["sealed"]),
];

/// The result of checking or re-encrypting rows.
#[derive(Debug, Default)]
pub struct CheckedRows {
    /// Number of processed rows.
    pub rows: usize,
    /// Integer key of the last one.
    pub last: i64,
    /// Number of changed rows.
    pub changed: usize,
    /// Problems that were found.
    pub problems: Vec<String>,
}

/// One row with encrypted columns.
struct SealedRow {
    id: i64,
    uuid: Uuid,
    /// The owner; 0 if the index does not need it.
    user_id: i64,
    index: Option<Vec<u8>>,
    fields: Vec<Option<Vec<u8>>>,
}

/// Returns the names of the tables, in the order in which they should be processed.
pub fn tables() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|table| table.name)
}

/// Tries to decrypt every field of at max_bytes `limit` rows after `after`.
///
/// # Errors
/// [`crate::Error`] when the rows cannot be read.
pub fn check(db: &Db<'_>, table: &str, after: i64, limit: u32) -> Result<CheckedRows> {
    let mut result = CheckedRows::default();
    let Some(table) = find(table) else { return Ok(result) };
    for row in rows(db, table, after, limit)? {
        result.rows += 1;
        result.last = row.id;
        for (column, field) in table.columns.iter().zip(&row.fields) {
            let Some(field) = field else { continue };
            match db.vault.row(table.name, row.uuid).open_bytes(column, field) {
                Err(error) => result.problems.push(error.to_string()),
                Ok(opened) if !index_matches(db, table, &row, column, &opened) => {
                    let (name, uuid) = (table.name, row.uuid);
                    let problem = format!(
                        "{name}.{column} of {uuid}: the index of the {} does not match",
                        if *column == "email" { "address" } else { "name" }
                    );
                    result.problems.push(problem);
                }
                Ok(_) => {}
            }
        }
    }
    Ok(result)
}

/// Begins a rotation of keys. From now on, processes without the newest index key are refused. A process that has only
/// the newest key is refused until [`renew`] has processed the table `installation`. The call can be repeated safely.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read or written.
pub fn begin(db: &Db<'_>) -> Result<()> {
    let uuid = db.first("SELECT uuid FROM installation WHERE id = 1", [], |_, row| {
        Ok(row.take::<Uuid>()?)
    })?;
    if let Some(uuid) = uuid {
        let entry = db.vault.index().email(&uuid.to_string());
        db.run("UPDATE installation SET email_index = ?1 WHERE id = 1", [entry])?;
    }
    Ok(())
}

/// Re-encrypts with the newest key every field of at max_bytes `limit` rows after `after` that uses an older key. The call
/// can be repeated safely.
///
/// # Errors
/// [`crate::Error::Field`] for a field that cannot be decrypted, and when a row cannot be read or written.
pub fn renew(db: &Db<'_>, table: &str, after: i64, limit: u32) -> Result<CheckedRows> {
    let mut result = CheckedRows::default();
    let Some(table) = find(table) else { return Ok(result) };
    for row in rows(db, table, after, limit)? {
        result.rows += 1;
        result.last = row.id;
        result.changed += usize::from(renew_row(db, table, row)?);
    }
    Ok(result)
}

/// Returns the size in bytes of the encrypted columns of one page of an account's list. Stops counting above
/// `max_bytes`. Decrypts nothing, so that a long list can be rejected cheaply.
///
/// # Errors
/// [`crate::Error::NoSuchPlace`] if the item before the page does not exist, and [`crate::Error`] when the rows cannot be read.
pub fn stored_bytes(db: &Db<'_>, table: &'static str, user_id: i64, page: Page, max_bytes: u64) -> Result<u64> {
    let lengths: Vec<_> = columns(table)
        .iter()
        .map(|column| format!("length({column})"))
        .collect();
    let sql = format!(
        "SELECT {} FROM {table} WHERE user_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
        lengths.join(" + ")
    );
    let mut statement = db.connection.prepare_cached(&sql)?;
    let mut rows = statement.query((user_id, db.after(table, page)?, page.limit()))?;
    let mut bytes = 0;
    while bytes <= max_bytes
        && let Some(row) = rows.next()?
    {
        bytes += row.get::<_, i64>(0)?.unsigned_abs();
    }
    Ok(bytes)
}

/// Returns the encrypted columns of a table.
pub(crate) fn columns(table: &str) -> &'static [&'static str] {
    find(table).map_or(&[], |table| table.columns)
}

fn find(name: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.name == name)
}

/// Returns whether the keyed hash of a row, if it has one, matches the column.
fn index_matches(db: &Db<'_>, table: &Table, row: &SealedRow, column: &str, opened: &[u8]) -> bool {
    let (Some(index), Some(stored)) = (table.index.filter(|index| index.of() == column), &row.index) else {
        return true;
    };
    let mut entries = db.vault.index_keys().map(|key| index.entry(key, row, opened));
    entries.any(|entry| entry == stored[..])
}

fn rows(db: &Db<'_>, table: &Table, after: i64, limit: u32) -> Result<Vec<SealedRow>> {
    let Table { name, id, columns, .. } = table;
    let fields = columns
        .iter()
        .map(|column| format!("{name}.{column}"))
        .collect::<Vec<_>>()
        .join(", ");
    let (uuid, join) = match *id {
        "user_id" => (
            "users.uuid".to_owned(),
            format!(" JOIN users ON users.id = {name}.user_id"),
        ),
        _ => (format!("{name}.uuid"), String::new()),
    };
    let index = match table.index {
        Some(index) => index.column(),
        None if *name == INSTALLATION => Index::Email.column(),
        None => "NULL",
    };
    let user_id = match table.index {
        Some(Index::Name) => "user_id",
        _ => "0",
    };
    let sql = format!(
        "SELECT {name}.{id}, {uuid}, {user_id}, {index}, {fields} FROM {name}{join} WHERE {name}.{id} > ?1 ORDER BY {name}.{id} LIMIT ?2"
    );
    db.all(&sql, (after, limit), |_, row: &mut Columns<'_>| {
        Ok(SealedRow {
            id: row.take()?,
            uuid: row.take()?,
            user_id: row.take()?,
            index: row.take()?,
            fields: columns.iter().map(|_| row.take()).collect::<rusqlite::Result<_>>()?,
        })
    })
}

/// A table whose `email_index` is the keyed hash of the UUID of its row, not of an address.
const INSTALLATION: &str = "installation";

fn renew_row(db: &Db<'_>, table: &Table, row: SealedRow) -> Result<bool> {
    let vault = db.vault.row(table.name, row.uuid);
    let mut assignments = Vec::new();
    let mut values = vec![Value::Integer(row.id)];
    let mut new_index = None;
    for (column, field) in table.columns.iter().zip(&row.fields) {
        let Some(field) = field else { continue };
        let index = table.index.filter(|index| index.of() == *column);
        let index = index.or_else(|| (table.name == INSTALLATION).then_some(Index::Email));
        let is_current = db.vault.is_current(field);
        if is_current && index.is_none() {
            continue;
        }
        let opened = vault.open_bytes(column, field)?;
        if let Some(index) = index {
            let entry = index.entry(db.vault.index(), &row, &opened);
            let is_old = row.index.as_deref() != Some(&entry[..]);
            // Writing the name clears its index by a trigger, so that the index is then written too.
            new_index = (is_old || !is_current).then_some((index, entry));
        }
        if !is_current {
            values.push(Value::Blob(vault.seal_bytes(column, &opened)));
            assignments.push(format!("{column} = ?{}", values.len()));
        }
    }
    let Table { name, id, .. } = table;
    if !assignments.is_empty() {
        let sql = format!("UPDATE {name} SET {} WHERE {id} = ?1", assignments.join(", "));
        db.run(&sql, params_from_iter(&values))?;
    }
    if let Some((index, entry)) = new_index {
        let sql = format!("UPDATE {name} SET {} = ?2 WHERE {id} = ?1", index.column());
        db.run(&sql, (row.id, entry))?;
    }
    Ok(!assignments.is_empty() || new_index.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MIGRATIONS;

    #[test]
    fn every_encrypted_column_is_listed() {
        let mut found = Vec::new();
        let mut table = "";
        for line in MIGRATIONS.iter().flat_map(|migration| migration.sql.lines()) {
            if let Some(rest) = line.strip_prefix("CREATE TABLE ") {
                table = rest.split(' ').next().unwrap();
            }
            let comment = line.split_once("-- ").map_or("", |(_, comment)| comment);
            if line.starts_with("  ") && comment.starts_with("sealed") {
                found.push((table, line.split_whitespace().next().unwrap()));
            }
        }
        let mut listed: Vec<_> = TABLES
            .iter()
            .flat_map(|table| table.columns.iter().map(|column| (table.name, *column)))
            .collect();
        found.sort_unstable();
        listed.sort_unstable();
        assert_eq!(found, listed);
    }
}
