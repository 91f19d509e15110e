//! Answers that a commit keeps for a repeat of its request, sealed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

use crate::{Database, Result};

/// Where they lie: what the engine keeps of a commit.
const TABLE: &str = "_commits";
const COLUMN: &str = "result";

impl Database {
    /// Seals the answer to the request of that id.
    pub fn seal_answer(&self, request: Uuid, text: &str) -> String {
        STANDARD.encode(self.vault.row(TABLE, request).seal(COLUMN, text))
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`crate::Error::Field`] or [`crate::Error::Unknown`] when it is not the answer to that request.
    pub fn open_answer(&self, request: Uuid, sealed: &str) -> Result<String> {
        let vault = self.vault.row(TABLE, request);
        let bytes = STANDARD.decode(sealed).map_err(|_| vault.unknown(COLUMN))?;
        vault.open_text(COLUMN, &bytes)
    }
}
