//! [`TABLES`]: the tables of the legacy database with their columns. A table follows those that it refers to.

use super::converted::Converted;
use super::fields::{Fields, Problem};
use super::{accounts, content};

/// A table of the legacy database.
pub(crate) struct Table {
    /// Its name.
    pub(crate) name: &'static str,
    /// The table of this project that keeps its integer ids.
    pub(crate) ours: Option<&'static str>,
    /// Whether every schema has it.
    pub(crate) required: bool,
    /// Columns that every schema has.
    columns: &'static [&'static str],
    /// Known columns that may be missing.
    optional: &'static [&'static str],
    pub(crate) convert: fn(&Fields<'_>) -> Result<Converted, Problem>,
}

impl Table {
    /// Returns the missing columns and the unknown columns.
    pub(crate) fn compare<'a>(&self, found: &'a [String]) -> (Vec<&'static str>, Vec<&'a str>) {
        let missing = self.columns.iter().copied();
        let missing = missing.filter(|column| !found.iter().any(|found| found == column));
        let known = |column: &str| {
            column == UUID || column == USER_UUID || self.columns.contains(&column) || self.optional.contains(&column)
        };
        let unknown = found.iter().map(String::as_str).filter(|column| !known(column));
        (missing.collect(), unknown.collect())
    }
}

/// Columns of the schema of 2026.
const UUID: &str = "uuid";
const USER_UUID: &str = "userUuid";

const TEXTS: [&str; 12] = [
    "nameDe", "nameEn", "nameEs", "nameFr", "nameNl", "nameUk", "notesDe", "notesEn", "notesEs", "notesFr", "notesNl",
    "notesUk",
];

pub(crate) const TABLES: [Table; 9] = [
    Table {
        name: "User",
        ours: Some("users"),
        required: true,
        columns: &[
            "id",
            "consent",
            "createdAt",
            "data",
            "ehash",
            "email",
            "ihash",
            "initial",
            "lusername",
            "mfaEnabled",
            "mfaSecret",
            "password",
            "role",
            "status",
            "username",
        ],
        optional: &[
            "bio",
            "compare",
            "control",
            "imperial",
            "jwtCalls",
            "keyCalls",
            "language",
            "lastSeen",
            "newsletter",
            "patron",
            "updatedAt",
        ],
        convert: accounts::user,
    },
    Table {
        name: "Apikey",
        ours: None,
        required: true,
        columns: &["id", "createdAt", "expiresAt", "level", "name", "secret", "userId"],
        optional: &["aud", "calls", "lastSeen", "updatedAt"],
        convert: accounts::api_key,
    },
    Table {
        name: "Confirmation",
        ours: None,
        required: true,
        columns: &["id", "createdAt", "data", "type", "userId"],
        optional: &["updatedAt"],
        convert: accounts::confirmation,
    },
    Table {
        name: "Subscriber",
        ours: None,
        required: true,
        columns: &["id", "active", "createdAt", "email"],
        optional: &["ehash", "language", "updatedAt"],
        convert: accounts::subscriber,
    },
    Table {
        name: "Set",
        ours: Some("sets"),
        required: true,
        columns: &["id", "createdAt", "measies", "name", "notes", "public", "userId"],
        optional: &["img", "imperial", "updatedAt"],
        convert: content::set,
    },
    Table {
        name: "Pattern",
        ours: Some("patterns"),
        required: true,
        columns: &[
            "id",
            "createdAt",
            "data",
            "design",
            "name",
            "notes",
            "public",
            "settings",
            "userId",
        ],
        optional: &["img", "updatedAt"],
        convert: content::pattern,
    },
    Table {
        name: "Bookmark",
        ours: Some("bookmarks"),
        required: true,
        columns: &["id", "title", "type", "url", "userId"],
        optional: &["createdAt", "updatedAt"],
        convert: content::bookmark,
    },
    Table {
        name: "CuratedSet",
        ours: Some("curated_sets"),
        required: true,
        columns: &["id", "createdAt", "measies"],
        optional: &with_texts(&["height", "info", "published", "tags", "updatedAt"]),
        convert: content::curated_set,
    },
    Table {
        name: "OptionPack",
        ours: Some("option_packs"),
        required: false,
        columns: &["id", "createdAt", "design", "options"],
        optional: &with_texts(&["img", "info", "tags", "updatedAt"]),
        convert: content::option_pack,
    },
];

/// Columns of texts in every language, and others.
const fn with_texts<const N: usize>(others: &[&'static str; N]) -> [&'static str; 17] {
    let mut all = [""; 17];
    let mut at = 0;
    while at < TEXTS.len() {
        all[at] = TEXTS[at];
        at += 1;
    }
    let mut other = 0;
    while other < N {
        all[at + other] = others[other];
        other += 1;
    }
    all
}
