//! Rows of the original, and what is to be said of them.

use bespoke_core::Timestamp;
use bespoke_core::TotpSecret;
use bespoke_core::entity::api_key::ApiKey;
use bespoke_core::entity::bookmark::Bookmark;
use bespoke_core::entity::confirmation::Confirmation;
use bespoke_core::entity::curated_set::CuratedSet;
use bespoke_core::entity::option_pack::OptionPack;
use bespoke_core::entity::pattern::Pattern;
use bespoke_core::entity::set::MeasurementSet;
use bespoke_core::entity::subscriber::Subscriber;
use bespoke_core::entity::suggestion::Suggestion;
use bespoke_core::entity::user::User;

use super::content::Sealed;
use crate::Database;

/// A row of the original, decrypted.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each is what its type says")]
pub enum Record {
    User {
        user: Box<User>,
        totp: Option<TotpSecret>,
    },
    ApiKey(Box<ApiKey>),
    Confirmation(Box<Confirmation>),
    Suggestion(Box<Suggestion>),
    Subscriber {
        subscriber: Box<Subscriber>,
        updated_at: Timestamp,
    },
    Set(Box<MeasurementSet>),
    Pattern(Box<Pattern>),
    Sealed(Box<Sealed>),
    Bookmark(Box<Bookmark>),
    CuratedSet(Box<CuratedSet>),
    OptionPack(Box<OptionPack>),
}

impl Record {
    /// The same, as small as it can be.
    #[must_use]
    pub fn seal(self, database: &Database) -> Self {
        match self {
            Self::Set(set) => Self::Sealed(Box::new(Sealed::set(&database.vault, *set))),
            Self::Pattern(pattern) => Self::Sealed(Box::new(Sealed::pattern(&database.vault, *pattern))),
            other => other,
        }
    }
}

/// What became of a row, where that is to be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It could not be stored.
    SetAside,
    /// It was stored, not quite as it was.
    Changed,
    /// There is nothing here that it could be stored as.
    LeftOut,
}

impl Verdict {
    pub(super) const ALL: [Self; 3] = [Self::SetAside, Self::Changed, Self::LeftOut];

    /// The name as stored, and as people read it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SetAside => "set aside",
            Self::Changed => "changed",
            Self::LeftOut => "left out",
        }
    }
}

/// One row that was read.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its id in the original.
    pub id: String,
    /// What is stored of it, if anything.
    pub record: Option<Record>,
    /// What is to be said of it.
    pub notes: Vec<(Verdict, String)>,
}

/// Rows that follow each other in one table of the original.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Name of the table.
    pub table: &'static str,
    /// Rowid of the last row before them; 0 where there is none.
    pub after: i64,
    /// Rowid of the last of them.
    pub last: i64,
    /// The rows.
    pub rows: Vec<Row>,
}

/// How far a table has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Name of the table in the original.
    pub table: String,
    /// Rowid of the last row that was read.
    pub last_row: i64,
    /// How many were read.
    pub rows: i64,
    /// How many of those were stored.
    pub stored: i64,
}

/// What is to be said of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Name of the table in the original.
    pub table: String,
    /// Its id there.
    pub id: String,
    /// What became of it.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
}
