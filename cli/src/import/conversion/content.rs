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
use bespoke_database::import::{Record, Verdict};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::converted::Converted;
use super::fields::{Fields, Problem, text_of};

pub(crate) fn set(fields: &Fields<'_>) -> Result<Converted, Problem> {
    let created_at = fields.moment("createdAt")?;
    let (measies, note) = measurements(fields.sealed_json("measies")?);
    let set = MeasurementSet {
        id: fields.id("id")?,
        uuid: fields.uuid_or_new()?,
        user_id: fields.id("userId")?,
        user_uuid: Uuid::nil(),
        created_at,
        updated_at: fields.maybe_moment("updatedAt")?.unwrap_or(created_at),
        content: SetContent {
            name: fields.sealed_text("name")?,
            notes: fields.sealed_text("notes")?,
            imperial: fields.flag_or("imperial", false)?,
            public: fields.flag_or("public", false)?,
            measies,
            img: fields.maybe_text("img")?,
        },
    };
    Ok(Converted::noted(Record::Set(Box::new(set)), note))
}

pub(crate) fn pattern(fields: &Fields<'_>) -> Result<Converted, Problem> {
    let created_at = fields.moment("createdAt")?;
    let pattern = Pattern {
        id: fields.id("id")?,
        uuid: fields.uuid_or_new()?,
        user_id: fields.id("userId")?,
        user_uuid: Uuid::nil(),
        created_at,
        updated_at: fields.maybe_moment("updatedAt")?.unwrap_or(created_at),
        content: PatternContent {
            design: fields.text("design")?,
            name: fields.sealed_text("name")?,
            notes: fields.sealed_text("notes")?,
            data: StoredJson::from(&or_empty(fields.sealed_json("data")?)),
            settings: StoredJson::from(&or_empty(fields.sealed_json("settings")?)),
            public: fields.flag_or("public", false)?,
            img: fields.maybe_text("img")?,
        },
    };
    Ok(Converted::of(Record::Pattern(Box::new(pattern))))
}

pub(crate) fn bookmark(fields: &Fields<'_>) -> Result<Converted, Problem> {
    let url = fields.text("url")?;
    if !is_link(&url) {
        return Err("url: is not a link to a page".to_owned());
    }
    let bookmark = Bookmark {
        id: fields.id("id")?,
        uuid: fields.uuid_or_new()?,
        user_id: fields.id("userId")?,
        user_uuid: Uuid::nil(),
        content: BookmarkContent {
            kind: fields.text("type")?,
            title: fields.text("title")?,
            url,
        },
    };
    Ok(Converted::of(Record::Bookmark(Box::new(bookmark))))
}

pub(crate) fn curated_set(fields: &Fields<'_>) -> Result<Converted, Problem> {
    let created_at = fields.moment("createdAt")?;
    let (measies, note) = measurements(fields.json("measies")?);
    let set = CuratedSet {
        id: fields.id("id")?,
        uuid: fields.uuid_or_new()?,
        created_at,
        updated_at: fields.maybe_moment("updatedAt")?.unwrap_or(created_at),
        content: CuratedSetContent {
            height: fields.integer_or("height", 1)?,
            texts: texts(fields)?,
            measies,
            published: fields.flag_or("published", false)?,
        },
    };
    Ok(Converted::noted(Record::CuratedSet(Box::new(set)), note))
}

pub(crate) fn option_pack(fields: &Fields<'_>) -> Result<Converted, Problem> {
    let created_at = fields.moment("createdAt")?;
    let Value::Object(options) = or_empty(fields.json("options")?) else {
        return Err("options: is not an object".to_owned());
    };
    let pack = OptionPack {
        id: fields.id("id")?,
        uuid: fields.uuid_or_new()?,
        created_at,
        updated_at: fields.maybe_moment("updatedAt")?.unwrap_or(created_at),
        content: OptionPackContent {
            design: fields.text("design")?,
            texts: texts(fields)?,
            options,
            img: fields.maybe_text("img")?,
        },
    };
    Ok(Converted::of(Record::OptionPack(Box::new(pack))))
}

fn or_empty(value: Value) -> Value {
    match value {
        Value::Null => Value::Object(Map::new()),
        value => value,
    }
}

/// Returns the valid measurements, and an issue about the others. The default of curated sets is an empty list.
fn measurements(value: Value) -> (Measurements, Option<(Verdict, String)>) {
    let changed = |text: String| Some((Verdict::Changed, text));
    match value {
        Value::Object(given) => {
            let names: Vec<_> = given.keys().cloned().collect();
            let valid = measurement::sanitise(given);
            let lost: Vec<_> = names.into_iter().filter(|name| !valid.contains_key(name)).collect();
            let note = (!lost.is_empty()).then(|| format!("measies: {} is not a measurement", lost.join(", ")));
            (valid, note.and_then(changed))
        }
        Value::Array(list) if list.is_empty() => (Measurements::new(), None),
        Value::Null => (Measurements::new(), None),
        odd => (
            Measurements::new(),
            changed(format!("measies: {odd} contains no measurements")),
        ),
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
