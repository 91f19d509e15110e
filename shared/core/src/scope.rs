//! [`Scopes`]: restrict an API key to some of the actions that its level allows. A key without scopes is not restricted.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// The maximum number of scopes of one key.
pub const MAX_SCOPES: usize = 32;

/// A scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// `sets:read`
    SetsRead,
    /// `sets:write`
    SetsWrite,
    /// `patterns:read`
    PatternsRead,
    /// `patterns:write`
    PatternsWrite,
    /// `account:read`
    AccountRead,
    /// `set:<uuid>:read`: reading one set.
    OneSetRead(Uuid),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetsRead => f.write_str("sets:read"),
            Self::SetsWrite => f.write_str("sets:write"),
            Self::PatternsRead => f.write_str("patterns:read"),
            Self::PatternsWrite => f.write_str("patterns:write"),
            Self::AccountRead => f.write_str("account:read"),
            Self::OneSetRead(uuid) => write!(f, "set:{uuid}:read"),
        }
    }
}

/// An unknown scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a scope")]
pub struct ScopeError;

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        match text {
            "sets:read" => Ok(Self::SetsRead),
            "sets:write" => Ok(Self::SetsWrite),
            "patterns:read" => Ok(Self::PatternsRead),
            "patterns:write" => Ok(Self::PatternsWrite),
            "account:read" => Ok(Self::AccountRead),
            _ => text
                .strip_prefix("set:")
                .and_then(|rest| rest.strip_suffix(":read"))
                .and_then(|uuid| Uuid::try_parse(uuid).ok())
                .map(Self::OneSetRead)
                .ok_or(ScopeError),
        }
    }
}

/// The scopes of an API key. The stored form is their names, separated by blanks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// Parses names of scopes, and removes duplicates.
    ///
    /// # Errors
    /// [`ScopeError`] for an unknown name, for an empty list, and for more than [`MAX_SCOPES`].
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, ScopeError> {
        let mut scopes = Vec::new();
        for name in names {
            let scope = name.parse()?;
            if !scopes.contains(&scope) {
                scopes.push(scope);
            }
        }
        if (1..=MAX_SCOPES).contains(&scopes.len()) {
            Ok(Self(scopes))
        } else {
            Err(ScopeError)
        }
    }

    /// The names of the scopes.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(Scope::to_string).collect()
    }

    /// Whether a scope is for a single set.
    pub fn has_single_sets(&self) -> bool {
        self.0.iter().any(|scope| matches!(scope, Scope::OneSetRead(_)))
    }

    /// Returns the first needed scope that is missing. `set` is the set that the call reads, if it reads one.
    pub fn missing(&self, needed: &[Scope], set: Option<Uuid>) -> Option<Scope> {
        let is_granted = |needed: &Scope| {
            let by_set =
                || *needed == Scope::SetsRead && set.is_some_and(|set| self.0.contains(&Scope::OneSetRead(set)));
            self.0.contains(needed) || by_set()
        };
        needed.iter().find(|needed| !is_granted(needed)).copied()
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Uuid = Uuid::from_u128(1);

    fn scopes(text: &str) -> Scopes {
        Scopes::parse(text.split(' ')).unwrap()
    }

    #[test]
    fn names_round_trip_without_duplicates() {
        let text = format!("sets:read sets:write patterns:read patterns:write account:read set:{ONE}:read");
        assert_eq!(scopes(&text).to_string(), text);
        assert_eq!(scopes("sets:read sets:read").names(), ["sets:read"]);
        for wrong in [
            "",
            "sets",
            "sets:*",
            "SETS:READ",
            "set:1:read",
            "set::read",
            "admin",
            "set:x:read",
        ] {
            assert_eq!(Scopes::parse([wrong]), Err(ScopeError), "{wrong}");
        }
        assert_eq!(Scopes::parse([]), Err(ScopeError));
        let many: Vec<_> = (0..=MAX_SCOPES as u128)
            .map(|n| Scope::OneSetRead(Uuid::from_u128(n)).to_string())
            .collect();
        assert_eq!(Scopes::parse(many.iter().map(String::as_str)), Err(ScopeError));
    }

    #[test]
    fn each_needed_scope_is_required() {
        let half = scopes("sets:write");
        assert_eq!(
            half.missing(&[Scope::SetsRead, Scope::SetsWrite], None),
            Some(Scope::SetsRead)
        );
        assert_eq!(half.missing(&[Scope::SetsWrite], None), None);
        assert_eq!(half.missing(&[], None), None);
    }

    #[test]
    fn single_set_scope_allows_reading_that_set_only() {
        let one = scopes(&format!("set:{ONE}:read"));
        assert!(one.has_single_sets());
        assert_eq!(one.missing(&[Scope::SetsRead], Some(ONE)), None);
        for (needed, set) in [
            (Scope::SetsRead, Some(Uuid::from_u128(2))),
            (Scope::SetsRead, None),
            (Scope::SetsWrite, Some(ONE)),
        ] {
            assert_eq!(one.missing(&[needed], set), Some(needed));
        }
    }
}
