//! All that is sealed, by table: so that it can be checked, and sealed anew under another key.

use bespoke_core::BlindIndex;
use rusqlite::params_from_iter;
use rusqlite::types::Value;
use uuid::Uuid;

use crate::row::Columns;
use crate::{Db, Result};

/// A table with sealed columns.
struct Table {
    name: &'static str,
    /// Its integer key.
    id: &'static str,
    columns: &'static [&'static str],
    /// The column by whose index rows are looked up.
    index: Option<Index>,
}

/// A column that is a keyed hash of a sealed one.
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

    /// The entry for the opened column of a row.
    fn entry(self, index: &BlindIndex, row: &SealedRow, opened: &[u8]) -> [u8; 32] {
        let text = std::str::from_utf8(opened).unwrap_or_default();
        match self {
            Self::Email => index.email(text),
            Self::Name => crate::sets::name_entry(index, row.user_id, text),
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

/// Every sealed column.
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
    // Last: once it is under the new key, everything is.
    table("installation", &["sealed"]),
];

/// Rows that were looked at.
#[derive(Debug, Default)]
pub struct Looked {
    /// How many.
    pub rows: usize,
    /// Integer key of the last of them.
    pub last: i64,
    /// How many were changed.
    pub changed: usize,
    /// What is wrong with some of them.
    pub problems: Vec<String>,
}

/// One row of such a table.
struct SealedRow {
    id: i64,
    uuid: Uuid,
    /// Of the owner; 0 where the index does not need it.
    user_id: i64,
    index: Option<Vec<u8>>,
    fields: Vec<Option<Vec<u8>>>,
}

/// Names of the tables, in the order in which they are best worked through.
pub fn tables() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|table| table.name)
}

/// Tries to open every field of at most `limit` rows behind `after`.
///
/// # Errors
/// [`crate::Error`] when the rows cannot be read.
pub fn check(db: &Db<'_>, table: &str, after: i64, limit: u32) -> Result<Looked> {
    let mut looked = Looked::default();
    let Some(table) = find(table) else { return Ok(looked) };
    for row in rows(db, table, after, limit)? {
        looked.rows += 1;
        looked.last = row.id;
        for (column, field) in table.columns.iter().zip(&row.fields) {
            let Some(field) = field else { continue };
            match db.vault.row(table.name, row.uuid).open_bytes(column, field) {
                Err(error) => looked.problems.push(error.to_string()),
                Ok(opened) if !fits(db, table, &row, column, &opened) => {
                    let (name, uuid) = (table.name, row.uuid);
                    let problem = format!(
                        "{name}.{column} of {uuid}: it is not found by its {}",
                        if *column == "email" { "address" } else { "name" }
                    );
                    looked.problems.push(problem);
                }
                Ok(_) => {}
            }
        }
    }
    Ok(looked)
}

/// Begins to replace keys: from now on, a process that does not have the newest key of the index is refused. One that has it alone
/// stays refused until [`renew`] has come to the end of the table `installation`. It does no harm to repeat it.
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

/// Seals every field of at most `limit` rows behind `after` with the newest key, where it is not. It does no harm to repeat it.
///
/// # Errors
/// [`crate::Error::Field`] for a field that does not open, and when a row cannot be read or written.
pub fn renew(db: &Db<'_>, table: &str, after: i64, limit: u32) -> Result<Looked> {
    let mut looked = Looked::default();
    let Some(table) = find(table) else { return Ok(looked) };
    for row in rows(db, table, after, limit)? {
        looked.rows += 1;
        looked.last = row.id;
        looked.changed += usize::from(renew_row(db, table, row)?);
    }
    Ok(looked)
}

/// The sealed columns of a table.
pub(crate) fn columns(table: &str) -> &'static [&'static str] {
    find(table).map_or(&[], |table| table.columns)
}

fn find(name: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.name == name)
}

/// Whether the index of a row, if it has one, is that of the column.
fn fits(db: &Db<'_>, table: &Table, row: &SealedRow, column: &str, opened: &[u8]) -> bool {
    let (Some(index), Some(stored)) = (table.index.filter(|index| index.of() == column), &row.index) else {
        return true;
    };
    let mut entries = db.vault.indexes().map(|key| index.entry(key, row, opened));
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

/// The table whose index is that of its own uuid.
const INSTALLATION: &str = "installation";

fn renew_row(db: &Db<'_>, table: &Table, row: SealedRow) -> Result<bool> {
    let vault = db.vault.row(table.name, row.uuid);
    let (mut sets, mut values) = (Vec::new(), vec![Value::Integer(row.id)]);
    let mut entry = None;
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
            let new = index.entry(db.vault.index(), &row, &opened);
            let is_old = row.index.as_deref() != Some(&new[..]);
            // Writing a name empties its index.
            entry = (is_old || !is_current).then_some((index, new));
        }
        if !is_current {
            values.push(Value::Blob(vault.seal_bytes(column, &opened)));
            sets.push(format!("{column} = ?{}", values.len()));
        }
    }
    let Table { name, id, .. } = table;
    if !sets.is_empty() {
        let sql = format!("UPDATE {name} SET {} WHERE {id} = ?1", sets.join(", "));
        db.run(&sql, params_from_iter(&values))?;
    }
    if let Some((index, entry)) = entry {
        let sql = format!("UPDATE {name} SET {} = ?2 WHERE {id} = ?1", index.column());
        db.run(&sql, (row.id, entry))?;
    }
    Ok(!sets.is_empty() || entry.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MIGRATIONS;

    #[test]
    fn every_column_that_the_schema_calls_sealed_is_here() {
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
