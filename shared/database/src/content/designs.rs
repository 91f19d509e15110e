//! Repository of designs and the measurements that they need: [`all`], [`by_name`] and [`replace`]. The rows come from the operator; if
//! there are none, the built-in designs apply.

use std::sync::Arc;

use bespoke_core::measurement::{Design, EMBEDDED_DESIGNS};

use crate::connection::{Columns, Db, json};
use crate::error::Result;

const TABLE: &str = "designs";

/// Returns all designs, ordered by name.
///
/// # Errors
/// [`crate::Error`] when a row cannot be read.
pub fn all(db: &Db<'_>) -> Result<Vec<Design>> {
    let rows = db.all(
        "SELECT name, needs FROM designs WHERE name > '' ORDER BY name",
        [],
        from_row,
    )?;
    Ok(if rows.is_empty() {
        EMBEDDED_DESIGNS.clone()
    } else {
        rows
    })
}

/// Returns the design of that name.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn by_name(db: &Db<'_>, name: &str) -> Result<Option<Arc<Design>>> {
    let read = || {
        let row = db.first("SELECT name, needs FROM designs WHERE name = ?1", [name], from_row)?;
        if row.is_some() || has_any(db)? {
            return Ok(row);
        }
        let index = EMBEDDED_DESIGNS.binary_search_by(|design| design.name.as_str().cmp(name));
        Ok(index.ok().map(|index| EMBEDDED_DESIGNS[index].clone()))
    };
    db.cached(|cache| &cache.designs, name.to_owned(), read)
}

/// Replaces all stored designs.
///
/// # Errors
/// [`crate::Error`] when a row cannot be written.
pub fn replace(db: &Db<'_>, designs: &[Design]) -> Result<()> {
    db.run("DELETE FROM designs WHERE name > ''", [])?;
    for Design { name, needs } in designs {
        db.run("INSERT INTO designs (name, needs) VALUES (?1, ?2)", (name, json(needs)))?;
    }
    Ok(())
}

fn has_any(db: &Db<'_>) -> Result<bool> {
    let row = db.first("SELECT name FROM designs WHERE name > '' LIMIT 1", [], |_, _| Ok(()))?;
    Ok(row.is_some())
}

fn from_row(db: &Db<'_>, row: &mut Columns<'_>) -> Result<Design> {
    let name: String = row.take()?;
    let vault = db.vault.row(TABLE, uuid::Uuid::nil());
    Ok(Design {
        needs: vault.json("needs", row)?,
        name,
    })
}
