//! [`Role`] of an account, and [`Level`] of access.

use std::fmt;

use serde::Serialize;

/// An access level: 0 (public records only) to 9 (everything). A check always has the form `level >= required`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Level(u8);

impl Level {
    /// No access to private records.
    pub const READ_NONE: Self = Self(0);
    /// Read own sets, own patterns and the own account.
    pub const READ_SOME: Self = Self(1);
    /// Read all own data, including the export.
    pub const READ_ONLY: Self = Self(2);
    /// Write own sets, patterns and bookmarks.
    pub const WRITE_SOME: Self = Self(3);
    /// Everything that a user may do.
    pub const USER: Self = Self(4);
    /// Maintain curated sets and option packs.
    pub const CURATOR: Self = Self(5);
    /// Read sets and patterns of other accounts.
    pub const BUGHUNTER: Self = Self(6);
    /// Clone private sets and patterns of other accounts.
    pub const SUPPORT: Self = Self(8);
    /// Change data of other accounts.
    pub const ADMIN: Self = Self(9);

    /// Returns the level with that number; `None` above 9.
    pub const fn new(number: u8) -> Option<Self> {
        if number <= Self::ADMIN.0 {
            Some(Self(number))
        } else {
            None
        }
    }

    /// The number, 0 to 9.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The role of an account. It decides the level of its owner, and the highest level of its API keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Role {
    /// `readNone`, level 0.
    ReadNone,
    /// `readSome`, level 1.
    ReadSome,
    /// `readOnly`, level 2.
    ReadOnly,
    /// `writeSome`, level 3.
    WriteSome,
    /// `user`, level 4: the default.
    User,
    /// `tester`, level 4.
    Tester,
    /// `curator`, level 5.
    Curator,
    /// `bughunter`, level 6.
    Bughunter,
    /// `support`, level 8.
    Support,
    /// `admin`, level 9.
    Admin,
    /// `blocked`, level 0, without sign-in.
    Blocked,
    /// An unknown name: level 0. The name is preserved, because the original backend accepted any text, for example `patron`.
    Other(String),
}

impl Role {
    /// All roles that an administrator can assign, lowest first.
    pub const NAMED: [Self; 10] = [
        Self::ReadNone,
        Self::ReadSome,
        Self::ReadOnly,
        Self::WriteSome,
        Self::User,
        Self::Tester,
        Self::Curator,
        Self::Bughunter,
        Self::Support,
        Self::Admin,
    ];

    /// Returns the role of that name, which is case-sensitive. An unknown name becomes [`Role::Other`].
    pub fn from_name(name: &str) -> Self {
        match name {
            "blocked" => Self::Blocked,
            _ => Self::NAMED
                .into_iter()
                .find(|role| role.name() == name)
                .unwrap_or_else(|| Self::Other(name.to_owned())),
        }
    }

    /// The name in the database and in the API.
    pub fn name(&self) -> &str {
        match self {
            Self::ReadNone => "readNone",
            Self::ReadSome => "readSome",
            Self::ReadOnly => "readOnly",
            Self::WriteSome => "writeSome",
            Self::User => "user",
            Self::Tester => "tester",
            Self::Curator => "curator",
            Self::Bughunter => "bughunter",
            Self::Support => "support",
            Self::Admin => "admin",
            Self::Blocked => "blocked",
            Self::Other(name) => name,
        }
    }

    /// The level of the role.
    pub const fn level(&self) -> Level {
        match self {
            Self::ReadNone | Self::Blocked | Self::Other(_) => Level::READ_NONE,
            Self::ReadSome => Level::READ_SOME,
            Self::ReadOnly => Level::READ_ONLY,
            Self::WriteSome => Level::WRITE_SOME,
            Self::User | Self::Tester => Level::USER,
            Self::Curator => Level::CURATOR,
            Self::Bughunter => Level::BUGHUNTER,
            Self::Support => Level::SUPPORT,
            Self::Admin => Level::ADMIN,
        }
    }
}

impl Serialize for Role {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_has_its_level() {
        let expected = [
            ("readNone", 0),
            ("readSome", 1),
            ("readOnly", 2),
            ("writeSome", 3),
            ("user", 4),
            ("tester", 4),
            ("curator", 5),
            ("bughunter", 6),
            ("support", 8),
            ("admin", 9),
            ("blocked", 0),
            ("patron", 0),
            ("Admin", 0),
        ];
        for (name, level) in expected {
            let role = Role::from_name(name);
            assert_eq!(role.level().number(), level, "{name}");
            assert_eq!(role.name(), name);
        }
        assert_eq!(Level::new(9), Some(Level::ADMIN));
        assert_eq!(Level::new(10), None);
    }
}
