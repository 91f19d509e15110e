//! All that is sealed, by table: so that it can be checked, and sealed anew under another key.

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
    /// Whether `email` can be looked up by its index.
    indexed: bool,
}

const fn table(name: &'static str, columns: &'static [&'static str]) -> Table {
    Table {
        name,
        id: "id",
        columns,
        indexed: false,
    }
}

/// Every sealed column.
const TABLES: &[Table] = &[
    Table {
        indexed: true,
        ..table("users", &["email", "initial", "bio", "data"])
    },
    Table {
        id: "user_id",
        ..table("second_factors", &["secret"])
    },
    table("api_keys", &["name"]),
    table("sets", &["name", "notes", "measies"]),
    table("confirmations", &["secret", "data"]),
    table("outbox", &["recipient", "action_url", "unsubscribe_url", "details"]),
    table("oauth_states", &["verifier", "returned"]),
    table("patterns", &["name", "notes", "data", "settings"]),
    table("bookmarks", &["title", "url"]),
    table("suggestions", &["data"]),
    Table {
        indexed: true,
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
                Ok(opened) if *column == "email" && !fits(db, row.index.as_deref(), &opened) => {
                    let (name, uuid) = (table.name, row.uuid);
                    let problem = format!("{name}.email of {uuid}: it is not found by its address");
                    looked.problems.push(problem);
                }
                Ok(_) => {}
            }
        }
    }
    Ok(looked)
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

fn find(name: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.name == name)
}

fn fits(db: &Db<'_>, index: Option<&[u8]>, opened: &[u8]) -> bool {
    let address = std::str::from_utf8(opened).unwrap_or_default();
    index.is_none_or(|index| db.vault.email_entries(address).any(|entry| entry == index))
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
    let index = if table.indexed || *name == INSTALLATION {
        "email_index"
    } else {
        "NULL"
    };
    let sql = format!(
        "SELECT {name}.{id}, {uuid}, {index}, {fields} FROM {name}{join} WHERE {name}.{id} > ?1 ORDER BY {name}.{id} LIMIT ?2"
    );
    db.all(&sql, (after, limit), |_, row: &mut Columns<'_>| {
        Ok(SealedRow {
            id: row.take()?,
            uuid: row.take()?,
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
    let mut add = |column: &str, value: Vec<u8>| {
        values.push(Value::Blob(value));
        sets.push(format!("{column} = ?{}", values.len()));
    };
    for (column, field) in table.columns.iter().zip(row.fields) {
        let Some(field) = field else { continue };
        let is_address = *column == "email" || table.name == INSTALLATION;
        if db.vault.is_current(&field) && !is_address {
            continue;
        }
        let opened = vault.open_bytes(column, &field)?;
        if is_address {
            let entry = db.vault.index().email(std::str::from_utf8(&opened).unwrap_or_default());
            if row.index.as_deref() != Some(&entry[..]) {
                add("email_index", entry.to_vec());
            }
        }
        if !db.vault.is_current(&field) {
            add(column, vault.seal_bytes(column, &opened));
        }
    }
    if sets.is_empty() {
        return Ok(false);
    }
    let sql = format!("UPDATE {} SET {} WHERE {} = ?1", table.name, sets.join(", "), table.id);
    db.run(&sql, params_from_iter(values))?;
    Ok(true)
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
