//! [`Actor`]: the permissions of a caller that depend on the record. The minimum level of a route is part of its registration in
//! `bespoke-web`.

use crate::{Level, Role};

/// The account and the level of a call. With a token, it is the level of the present role of the account; with an API key, the lower of the
/// levels of the key and of its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    /// Integer id of the account.
    pub user_id: i64,
    /// Effective level.
    pub level: Level,
    /// Whether the call uses an API key that is restricted to scopes or networks.
    pub restricted: bool,
}

/// The actor lacks the permission. The response is 403 `insufficientAccessLevel`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the access level does not suffice")]
pub struct Denied;

/// The call uses a restricted API key. The response is 403 `restrictedKey`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an API key that is bound to scopes or addresses cannot do this")]
pub struct KeyRestricted;

/// The level of a new API key is too high.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key cannot have a higher level than its owner, or than the key that makes it")]
pub struct LevelTooHigh;

impl Actor {
    fn owns(self, owner_id: i64) -> bool {
        self.user_id == owner_id
    }

    /// Returns the level of a call with an API key: the lower of the key's level and the level of its owner's present role.
    pub fn key_level(key: Level, owner: &Role) -> Level {
        key.min(owner.level())
    }

    /// Returns the level of an impersonator. It suffices for reading and changing records, but not for creating keys, changing the password
    /// or deleting the account, because those would outlast the impersonation.
    pub fn impersonation_level(target: &Role) -> Level {
        target.level().min(Level::WRITE_SOME)
    }

    /// Checks a change of passwords, second factors, addresses, roles or API keys. A restricted key is rejected, because the new credential
    /// would not have the restriction.
    ///
    /// # Errors
    /// [`KeyRestricted`]
    pub fn may_change_credentials(self) -> Result<(), KeyRestricted> {
        if self.restricted { Err(KeyRestricted) } else { Ok(()) }
    }

    /// Checks reading a set or pattern: own records, or level 6. Public records make no difference here, because their public form has separate
    /// routes.
    ///
    /// # Errors
    /// [`Denied`]
    pub fn may_read(self, owner_id: i64) -> Result<(), Denied> {
        allow(self.owns(owner_id) || self.level >= Level::BUGHUNTER)
    }

    /// Checks changing or deleting a record: own records, or level 9.
    ///
    /// # Errors
    /// [`Denied`]
    pub fn may_write(self, owner_id: i64) -> Result<(), Denied> {
        allow(self.owns(owner_id) || self.level >= Level::ADMIN)
    }

    /// Checks access to records that only their owner may use, independent of the level: bookmarks and suggestions.
    ///
    /// # Errors
    /// [`Denied`]
    pub fn must_own(self, owner_id: i64) -> Result<(), Denied> {
        allow(self.owns(owner_id))
    }

    /// Checks cloning a set or pattern: own records, public records, or level 8.
    ///
    /// # Errors
    /// [`Denied`]
    pub fn may_clone(self, owner_id: i64, public: bool) -> Result<(), Denied> {
        allow(self.owns(owner_id) || public || self.level >= Level::SUPPORT)
    }

    /// Checks reading or revoking an API key: own keys, or level 9.
    ///
    /// # Errors
    /// [`Denied`]
    pub fn may_manage_key(self, owner_id: i64) -> Result<(), Denied> {
        self.may_write(owner_id)
    }

    /// Checks rotating the secret of an API key: own keys only, because the secret gives access to the account.
    ///
    /// # Errors
    /// [`Denied`]
    pub fn may_rotate_key(self, owner_id: i64) -> Result<(), Denied> {
        allow(self.owns(owner_id))
    }

    /// Checks impersonating an account with that role: level 8 or above, but never a higher role or an administrator.
    ///
    /// # Errors
    /// [`Denied`]
    pub fn may_impersonate(self, role: &Role) -> Result<(), Denied> {
        allow(self.level >= Level::SUPPORT && role.level() <= self.level && *role != Role::Admin)
    }

    /// Checks creating an API key with that level: at most the effective level of the actor.
    ///
    /// # Errors
    /// [`LevelTooHigh`]
    pub fn may_issue_key(self, level: Level) -> Result<(), LevelTooHigh> {
        if level <= self.level { Ok(()) } else { Err(LevelTooHigh) }
    }
}

fn allow(condition: bool) -> Result<(), Denied> {
    if condition { Ok(()) } else { Err(Denied) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: i64 = 1;

    /// Returns whether the owner is allowed at level 0, and the lowest level at which another account is allowed.
    fn lowest(rule: impl Fn(Actor) -> bool) -> (bool, Option<u8>) {
        let stranger = (0..=9).find(|&level| {
            rule(Actor {
                user_id: 2,
                level: Level::new(level).unwrap(),
                restricted: false,
            })
        });
        (
            rule(Actor {
                user_id: OWNER,
                level: Level::READ_NONE,
                restricted: false,
            }),
            stranger,
        )
    }

    #[test]
    fn other_accounts_need_a_minimum_level() {
        assert_eq!(lowest(|a| a.may_read(OWNER).is_ok()), (true, Some(6)));
        assert_eq!(lowest(|a| a.may_impersonate(&Role::User).is_ok()), (false, Some(8)));
        assert_eq!(lowest(|a| a.may_impersonate(&Role::Support).is_ok()), (false, Some(8)));
        assert_eq!(lowest(|a| a.may_impersonate(&Role::Admin).is_ok()), (false, None));
        assert_eq!(lowest(|a| a.must_own(OWNER).is_ok()), (true, None));
        assert_eq!(lowest(|a| a.may_write(OWNER).is_ok()), (true, Some(9)));
        assert_eq!(lowest(|a| a.may_clone(OWNER, false).is_ok()), (true, Some(8)));
        assert_eq!(lowest(|a| a.may_clone(OWNER, true).is_ok()), (true, Some(0)));
        assert_eq!(lowest(|a| a.may_manage_key(OWNER).is_ok()), (true, Some(9)));
        assert_eq!(lowest(|a| a.may_rotate_key(OWNER).is_ok()), (true, None));
    }

    #[test]
    fn key_level_is_bounded_by_creator_and_owner() {
        let actor = Actor {
            user_id: OWNER,
            level: Level::USER,
            restricted: false,
        };
        assert!(actor.may_issue_key(Level::USER).is_ok());
        assert_eq!(actor.may_issue_key(Level::CURATOR), Err(LevelTooHigh));
        assert_eq!(actor.may_change_credentials(), Ok(()));
        let restricted = Actor {
            restricted: true,
            ..actor
        };
        assert_eq!(restricted.may_change_credentials(), Err(KeyRestricted));
        assert_eq!(Actor::key_level(Level::ADMIN, &Role::User), Level::USER);
        assert_eq!(Actor::impersonation_level(&Role::User), Level::WRITE_SOME);
        assert_eq!(Actor::impersonation_level(&Role::ReadNone), Level::READ_NONE);
        assert_eq!(Actor::key_level(Level::READ_SOME, &Role::Admin), Level::READ_SOME);
        assert_eq!(
            Actor::key_level(Level::ADMIN, &Role::Other("patron".into())),
            Level::READ_NONE
        );
    }
}
