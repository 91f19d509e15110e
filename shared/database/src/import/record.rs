//! Records read from the legacy database, and issues to report.

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

use super::content::EncryptedContent;
use crate::database::Database;

/// A decrypted record of the legacy database.
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
    Encrypted(Box<EncryptedContent>),
    Bookmark(Box<Bookmark>),
    CuratedSet(Box<CuratedSet>),
    OptionPack(Box<OptionPack>),
}

impl Record {
    /// Encrypts and compacts the content.
    #[must_use]
    pub fn seal(self, database: &Database) -> Self {
        match self {
            Self::Set(set) => Self::Encrypted(Box::new(EncryptedContent::set(database.vault(), *set))),
            Self::Pattern(pattern) => Self::Encrypted(Box::new(EncryptedContent::pattern(database.vault(), *pattern))),
            other => other,
        }
    }
}

/// The result of a record that is worth reporting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The record could not be stored.
    Rejected,
    /// The record was stored with a change.
    Changed,
    /// This server has no place for the record.
    Skipped,
}

impl Verdict {
    pub(super) const ALL: [Self; 3] = [Self::Rejected, Self::Changed, Self::Skipped];

    /// Returns the stored name, which is also shown to operators.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rejected => "set aside",
            Self::Changed => "changed",
            Self::Skipped => "left out",
        }
    }
}

/// A row that was read.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its id in the legacy database.
    pub id: String,
    /// The record to store, if any.
    pub record: Option<Record>,
    /// Issues of the row, to be reported.
    pub notes: Vec<(Verdict, String)>,
}

/// Consecutive rows of one table of the legacy database.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Name of the table.
    pub table: &'static str,
    /// Rowid of the row before the first; 0 if there is none.
    pub after: i64,
    /// Rowid of the last row.
    pub last: i64,
    /// The rows.
    pub rows: Vec<Row>,
}

/// The progress of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Name of the table in the legacy database.
    pub table: String,
    /// Rowid of the last row that was read.
    pub last_row: i64,
    /// Number of rows that were read.
    pub rows: i64,
    /// Number of rows that were stored.
    pub stored: i64,
}

/// An issue of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Name of the table in the legacy database.
    pub table: String,
    /// Id of the record in the legacy database.
    pub id: String,
    /// Result of the record.
    pub verdict: Verdict,
    /// Reason.
    pub reason: String,
}
