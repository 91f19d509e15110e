//! [`Fields`]: reads the columns of one row of the legacy database.

use bespoke_core::{Random, Timestamp};
use rusqlite::types::{Value as Cell, ValueRef};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::import::legacy_cipher::LegacyCipher;

/// The reason why a row cannot be stored: the column and its problem.
pub(crate) type Problem = String;

/// Values that every row needs.
pub(crate) struct RowContext<'a> {
    pub(crate) cipher: &'a LegacyCipher,
    pub(crate) random: &'a dyn Random,
    /// The instance to which imported API keys belong.
    pub(crate) instance: &'a str,
}

/// One row. A missing column is NULL, because some columns exist in only one of the schemas.
pub(crate) struct Fields<'a> {
    pub(crate) columns: &'a [String],
    pub(crate) cells: &'a [Cell],
    pub(crate) context: &'a RowContext<'a>,
}

/// Returns the value of a column. Text that is not valid UTF-8 becomes bytes.
pub(crate) fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Integer(number),
        ValueRef::Real(number) => Cell::Real(number),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Cell::Text(text.to_owned()),
            Err(_) => Cell::Blob(bytes.to_owned()),
        },
        ValueRef::Blob(bytes) => Cell::Blob(bytes.to_owned()),
    }
}

/// Returns an id in readable form.
pub(crate) fn shown(cell: &Cell) -> String {
    match cell {
        Cell::Integer(number) => number.to_string(),
        Cell::Text(text) => text.clone(),
        other => format!("{other:?}"),
    }
}

impl Fields<'_> {
    fn cell(&self, name: &str) -> &Cell {
        let at = self.columns.iter().position(|column| column == name);
        at.and_then(|at| self.cells.get(at)).unwrap_or(&Cell::Null)
    }

    /// Returns an integer. A fraction is truncated, as in the legacy backend.
    pub(crate) fn maybe_integer(&self, name: &str) -> Result<Option<i64>, Problem> {
        let not_a_number = || format!("{name}: is not a number");
        match self.cell(name) {
            Cell::Null => Ok(None),
            Cell::Integer(number) => Ok(Some(*number)),
            Cell::Real(number) => whole(*number).ok_or_else(not_a_number).map(Some),
            Cell::Text(text) => match text.trim().parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => text
                    .trim()
                    .parse()
                    .ok()
                    .and_then(whole)
                    .ok_or_else(not_a_number)
                    .map(Some),
            },
            Cell::Blob(_) => Err(not_a_number()),
        }
    }

    pub(crate) fn integer_or(&self, name: &str, default: i64) -> Result<i64, Problem> {
        Ok(self.maybe_integer(name)?.unwrap_or(default))
    }

    pub(crate) fn id(&self, name: &str) -> Result<i64, Problem> {
        let id = self.maybe_integer(name)?.ok_or_else(|| format!("{name}: is missing"))?;
        (id > 0).then_some(id).ok_or_else(|| format!("{name}: is not positive"))
    }

    pub(crate) fn flag_or(&self, name: &str, default: bool) -> Result<bool, Problem> {
        if let Cell::Text(text) = self.cell(name)
            && let Ok(flag) = text.parse()
        {
            return Ok(flag);
        }
        Ok(self.integer_or(name, default.into())? != 0)
    }

    pub(crate) fn maybe_text(&self, name: &str) -> Result<Option<String>, Problem> {
        match self.cell(name) {
            Cell::Null => Ok(None),
            Cell::Text(text) => Ok(Some(text.clone())),
            Cell::Integer(number) => Ok(Some(number.to_string())),
            Cell::Real(number) => Ok(Some(number.to_string())),
            Cell::Blob(_) => Err(format!("{name}: is not a text")),
        }
    }

    /// Returns a text, which is empty if the column is NULL.
    pub(crate) fn text(&self, name: &str) -> Result<String, Problem> {
        Ok(self.maybe_text(name)?.unwrap_or_default())
    }

    /// Returns a timestamp, which is stored in milliseconds or as a text of SQLite or JavaScript.
    pub(crate) fn maybe_moment(&self, name: &str) -> Result<Option<Timestamp>, Problem> {
        let ms = match self.cell(name) {
            Cell::Text(text) => Some(moment_of(text).ok_or_else(|| format!("{name}: is not a date"))?),
            _ => self.maybe_integer(name)?,
        };
        let Some(ms) = ms else { return Ok(None) };
        jiff::Timestamp::from_millisecond(ms).map_err(|_| format!("{name}: is not a date"))?;
        Ok(Some(Timestamp::from_millis(ms)))
    }

    pub(crate) fn moment(&self, name: &str) -> Result<Timestamp, Problem> {
        self.maybe_moment(name)?.ok_or_else(|| format!("{name}: is missing"))
    }

    pub(crate) fn uuid(&self, name: &str) -> Result<Uuid, Problem> {
        Uuid::try_parse(&self.text(name)?).map_err(|_| format!("{name}: is not a UUID"))
    }

    /// Returns the UUID of the row, or a new one if it has none, as in the schema of 2023.
    pub(crate) fn uuid_or_new(&self) -> Result<Uuid, Problem> {
        match self.cell("uuid") {
            Cell::Null => Ok(self.context.random.uuid()),
            Cell::Text(text) if text.is_empty() => Ok(self.context.random.uuid()),
            _ => self.uuid("uuid"),
        }
    }

    /// Decrypts a column.
    pub(crate) fn sealed(&self, name: &str) -> Result<Value, Problem> {
        let opened = self.context.cipher.open(&self.text(name)?);
        opened.map_err(|error| format!("{name}: {error}"))
    }

    /// Decrypts a text.
    pub(crate) fn sealed_text(&self, name: &str) -> Result<String, Problem> {
        Ok(text_of(self.sealed(name)?))
    }

    /// Decrypts an address, which the legacy backend may have encrypted twice.
    pub(crate) fn sealed_address(&self, name: &str) -> Result<String, Problem> {
        match self.context.cipher.peel(self.sealed(name)?) {
            Value::String(address) => Ok(bespoke_core::validate::clean_email(&address)),
            _ => Err(format!("{name}: is not a text")),
        }
    }

    /// Decrypts a structure with one or two layers of JSON; null if the column is empty.
    pub(crate) fn sealed_json(&self, name: &str) -> Result<Value, Problem> {
        if self.text(name)?.trim() == "{}" {
            // The default of the column is not encrypted.
            return Ok(Value::Object(Map::new()));
        }
        Ok(match self.sealed(name)? {
            Value::String(text) if text.is_empty() => Value::Null,
            Value::String(text) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
            value => value,
        })
    }

    /// Returns a column of unencrypted JSON; null if it is empty or invalid.
    pub(crate) fn json(&self, name: &str) -> Result<Value, Problem> {
        let text = self.text(name)?;
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).map_err(|_| format!("{name}: is not JSON"))
    }
}

/// Returns a JSON value as text.
pub(crate) fn text_of(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Truncates a number to an integer. `None` above 2^53.
fn whole(number: f64) -> Option<i64> {
    // Above 2^53, floating-point numbers are inexact, so they cannot be counts.
    const MAX: f64 = 9_007_199_254_740_992.0;
    (number.abs() <= MAX).then_some(number.trunc() as i64)
}

fn moment_of(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(ms) = text.parse() {
        return Some(ms);
    }
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Some(moment.as_millisecond());
    }
    let local: jiff::civil::DateTime = text.parse().ok()?;
    Some(
        local
            .to_zoned(jiff::tz::TimeZone::UTC)
            .ok()?
            .timestamp()
            .as_millisecond(),
    )
}

#[cfg(test)]
mod tests {
    use bespoke_web::SystemRandom;

    use super::*;

    fn with<T>(cell: Cell, look: impl FnOnce(&Fields<'_>) -> T) -> T {
        let (cipher, columns, cells) = (LegacyCipher::new("x"), ["x".to_owned()], [cell]);
        let context = RowContext {
            cipher: &cipher,
            random: &SystemRandom,
            instance: "",
        };
        look(&Fields {
            columns: &columns,
            cells: &cells,
            context: &context,
        })
    }

    #[test]
    fn dates_are_numbers_or_texts() {
        const MS: i64 = 1_795_220_839_810;
        for (cell, expected) in [
            (Cell::Integer(MS), Some(MS)),
            (Cell::Real(MS as f64), Some(MS)),
            (Cell::Text(MS.to_string()), Some(MS)),
            (Cell::Text("2026-11-21 00:27:19".into()), Some(1_795_220_839_000)),
            (Cell::Text("2026-11-21T00:27:19.810Z".into()), Some(MS)),
            (Cell::Text("2026-11-21T01:27:19.810+01:00".into()), Some(MS)),
            (Cell::Text("soon".into()), None),
            (Cell::Integer(i64::MAX), None),
            (Cell::Blob(vec![1]), None),
        ] {
            let read = with(cell.clone(), |fields| fields.moment("x"));
            assert_eq!(read.ok().map(Timestamp::as_millis), expected, "{cell:?}");
        }
        assert_eq!(with(Cell::Null, |fields| fields.maybe_moment("x")), Ok(None));
    }

    #[test]
    fn numbers_are_truncated() {
        for (cell, expected) in [
            (Cell::Real(1.5), Ok(Some(1))),
            (Cell::Text("166".into()), Ok(Some(166))),
            (Cell::Text("166.5".into()), Ok(Some(166))),
            (Cell::Null, Ok(None)),
            (Cell::Text("tall".into()), Err("x: is not a number".to_owned())),
            (Cell::Real(1e300), Err("x: is not a number".to_owned())),
        ] {
            assert_eq!(with(cell, |fields| fields.maybe_integer("x")), expected);
        }
    }

    #[test]
    fn column_of_another_schema_is_null() {
        with(Cell::Integer(1), |fields| {
            assert_eq!(fields.maybe_text("y"), Ok(None));
            assert_eq!(fields.flag_or("y", true), Ok(true));
            assert!(fields.uuid_or_new().is_ok());
        });
    }
}
