//! The access rules of a route: the authentication scheme, the access level, and the scopes that a restricted API key needs.
//!
//! This module has no dependencies, because authentication, metrics and the table of routes all need these types.

use bespoke_core::Scope;

/// The access levels as numbers, for the type parameters of [`crate::Caller`] and [`crate::Guest`].
pub mod level {
    use bespoke_core::Level;

    /// Any account, without a level.
    pub const READ_NONE: u8 = Level::READ_NONE.number();
    /// Read some records of the caller.
    pub const READ_SOME: u8 = Level::READ_SOME.number();
    /// Read all records of the caller.
    pub const READ_ONLY: u8 = Level::READ_ONLY.number();
    /// Write records of the caller.
    pub const WRITE_SOME: u8 = Level::WRITE_SOME.number();
    /// Everything that a user may do.
    pub const USER: u8 = Level::USER.number();
    /// Maintain curated sets and option packs.
    pub const CURATOR: u8 = Level::CURATOR.number();
    /// Help users.
    pub const SUPPORT: u8 = Level::SUPPORT.number();
    /// Change the data of other accounts.
    pub const ADMIN: u8 = Level::ADMIN.number();
}

/// The authentication that a route requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// None.
    Public,
    /// A valid token of that level or above. The account may be unusable.
    Guest(u8),
    /// A valid token or API key of that level or above, for a usable account.
    Level(u8),
}

/// The authentication scheme, which the last segment of a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `/jwt`: a Bearer token.
    Jwt,
    /// `/key`: an API key as Basic credentials.
    Key,
}

impl Scheme {
    /// Both schemes, which a path that ends in `/{auth}` supports.
    pub const BOTH: [Self; 2] = [Self::Jwt, Self::Key];

    /// The last segment of the path.
    pub const fn segment(self) -> &'static str {
        match self {
            Self::Jwt => "jwt",
            Self::Key => "key",
        }
    }

    /// The scheme that a path names; `None` if its last segment is another one.
    pub(crate) fn of(path: &str) -> Option<Self> {
        Self::BOTH
            .into_iter()
            .find(|scheme| path.ends_with(&format!("/{}", scheme.segment())))
    }
}

/// The scopes that a restricted API key needs for a route, all of them. `None` if a restricted key may not call the route.
pub type NeededScopes = Option<&'static [Scope]>;

/// The access rules of the route that serves a request. The gateway inserts them into the extensions of the request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AccessRules {
    pub(crate) scheme: Option<Scheme>,
    pub(crate) access: Access,
    pub(crate) scopes: NeededScopes,
    pub(crate) writes_first: bool,
}
