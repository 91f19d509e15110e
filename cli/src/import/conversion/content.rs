//! Converts sets, patterns, bookmarks and curated content of the legacy database.

use bespoke_core::StoredJson;
use bespoke_core::entity::bookmark::{Bookmark, BookmarkContent, is_link};
use bespoke_core::entity::curated_set::{CuratedSet, CuratedSetContent};
use bespoke_core::entity::option_pack::{OptionPack, OptionPackContent};
use bespoke_core::entity::pattern::{Pattern, PatternContent};
use bespoke_core::entity::set::{MeasurementSet, SetContent};
use bespoke_core::entity::texts::{Texts, Translated};
use bespoke_core::measurement::{self, Measurements};
use bespoke_core::validate::Language;
use bespoke_database::import::Record;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::converted::{Converted, Repairs};
use super::fields::{Fields, Problem, text_of};

/// The name of a record whose name cannot be read.
const UNNAMED: &str = "--";

pub(crate) fn set(fields: &Fields<'_>) -> Result<Converted, Problem> {
    let mut repairs = Repairs::default();
    let (created_at, updated_at) = repairs.moments(fields);
    let measies = measurements(fields.sealed_json("measies")?, &mut repairs);
    let set = MeasurementSet {
        id: fields.id("id")?,
        uuid: repairs.uuid(fields),
        user_id: fields.id("userId")?,
        user_uuid: Uuid::nil(),
        created_at,
        updated_at,
        content: SetContent {
            name: repairs.value(fields.sealed_text("name"), UNNAMED.to_owned(), UNNAMED),
            notes: repairs.value(fields.sealed_text("notes"), String::new(), "an empty text"),
            imperial: repairs.value(fields.flag_or("imperial", false), false, "no"),
            public: repairs.value(fields.flag_or("public", false), false, "no"),
            measies,
            img: repairs.value(fields.maybe_text("img"), None, "none"),
        },
    };
    Ok(repairs.with(Record::Set(Box::new(set))))
}

pub(crate) fn pattern(fields: &Fields<'_>) -> Result<Converted, Problem> {
    let mut repairs = Repairs::default();
    let (created_at, updated_at) = repairs.moments(fields);
    let pattern = Pattern {
        id: fields.id("id")?,
        uuid: repairs.uuid(fields),
        user_id: fields.id("userId")?,
        user_uuid: Uuid::nil(),
        created_at,
        updated_at,
        content: PatternContent {
            design: fields.text("design")?,
            name: repairs.value(fields.sealed_text("name"), UNNAMED.to_owned(), UNNAMED),
            notes: repairs.value(fields.sealed_text("notes"), String::new(), "an empty text"),
            data: StoredJson::from(&or_empty(repairs.value(
                fields.sealed_json("data"),
                Value::Null,
                "an empty object",
            ))),
            settings: StoredJson::from(&or_empty(fields.sealed_json("settings")?)),
            public: repairs.value(fields.flag_or("public", false), false, "no"),
            img: repairs.value(fields.maybe_text("img"), None, "none"),
        },
    };
    Ok(repairs.with(Record::Pattern(Box::new(pattern))))
}

pub(crate) fn bookmark(fields: &Fields<'_>) -> Result<Converted, Problem> {
    let mut repairs = Repairs::default();
    let url = fields.text("url")?;
    if !is_link(&url) {
        return Err("url: is not a link to a page".to_owned());
    }
    let bookmark = Bookmark {
        id: fields.id("id")?,
        uuid: repairs.uuid(fields),
        user_id: fields.id("userId")?,
        user_uuid: Uuid::nil(),
        content: BookmarkContent {
            kind: repairs.value(fields.text("type"), String::new(), "an empty text"),
            title: repairs.value(fields.text("title"), url.clone(), "the URL"),
            url,
        },
    };
    Ok(repairs.with(Record::Bookmark(Box::new(bookmark))))
}

pub(crate) fn curated_set(fields: &Fields<'_>) -> Result<Converted, Problem> {
    let mut repairs = Repairs::default();
    let (created_at, updated_at) = repairs.moments(fields);
    let measies = measurements(fields.json("measies")?, &mut repairs);
    let set = CuratedSet {
        id: fields.id("id")?,
        uuid: repairs.uuid(fields),
        created_at,
        updated_at,
        content: CuratedSetContent {
            height: repairs.value(fields.integer_or("height", 1), 1, "1"),
            texts: texts(fields)?,
            measies,
            published: repairs.value(fields.flag_or("published", false), false, "no"),
        },
    };
    Ok(repairs.with(Record::CuratedSet(Box::new(set))))
}

pub(crate) fn option_pack(fields: &Fields<'_>) -> Result<Converted, Problem> {
    let mut repairs = Repairs::default();
    let (created_at, updated_at) = repairs.moments(fields);
    let Value::Object(options) = or_empty(fields.json("options")?) else {
        return Err("options: is not an object".to_owned());
    };
    let pack = OptionPack {
        id: fields.id("id")?,
        uuid: repairs.uuid(fields),
        created_at,
        updated_at,
        content: OptionPackContent {
            design: fields.text("design")?,
            texts: texts(fields)?,
            options,
            img: repairs.value(fields.maybe_text("img"), None, "none"),
        },
    };
    Ok(repairs.with(Record::OptionPack(Box::new(pack))))
}

fn or_empty(value: Value) -> Value {
    match value {
        Value::Null => Value::Object(Map::new()),
        value => value,
    }
}

/// Returns the valid measurements, and reports the others. The default of curated sets is an empty list.
fn measurements(value: Value, repairs: &mut Repairs) -> Measurements {
    match value {
        Value::Object(measies) => {
            let names: Vec<_> = measies.keys().cloned().collect();
            let valid = measurement::sanitise(measies);
            let invalid: Vec<_> = names.into_iter().filter(|name| !valid.contains_key(name)).collect();
            if !invalid.is_empty() {
                repairs.add(format!("measies: {} is not a measurement", invalid.join(", ")));
            }
            valid
        }
        Value::Array(list) if list.is_empty() => Measurements::new(),
        Value::Null => Measurements::new(),
        odd => {
            repairs.add(format!("measies: {odd} contains no measurements"));
            Measurements::new()
        }
    }
}

fn texts(fields: &Fields<'_>) -> Result<Texts, Problem> {
    // The default of curated sets is an empty object.
    let tags = match fields.json("tags")? {
        Value::Array(tags) => tags.into_iter().map(text_of).collect(),
        _ => Vec::new(),
    };
    Ok(Texts {
        names: translated(fields, "name")?,
        notes: translated(fields, "notes")?,
        tags,
        info: fields.text("info")?,
    })
}

fn translated(fields: &Fields<'_>, stem: &str) -> Result<Translated, Problem> {
    let mut texts = Translated::default();
    for language in Language::ALL {
        let (first, rest) = language.code().split_at(1);
        *texts.get_mut(language) = fields.text(&format!("{stem}{}{rest}", first.to_ascii_uppercase()))?;
    }
    Ok(texts)
}
