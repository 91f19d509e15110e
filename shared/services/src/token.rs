//! What opens a service to us.

use std::fmt;

use serde::Deserialize;

/// A token or password: shown to the service alone.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Token(String);

impl Token {
    /// That text.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for a request.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
