//! Who may do what to whose records. A gate by level alone is part of the route; what depends on the record is here.

use crate::{Level, Role};

/// Who acts: an account, at the level that the call has. For a token that is the level of the account's role now, for
/// an API key the lower of the key's level and its owner's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    /// Integer id of the account.
    pub user_id: i64,
    /// Effective level.
    pub level: Level,
    /// Whether the call uses an API key that is bound to scopes or addresses.
    pub restricted: bool,
}

/// The actor may not: answered as 403 `insufficientAccessLevel`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the access level does not suffice")]
pub struct Denied;

/// The call uses a restricted API key: answered as 403 `restrictedKey`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an API key that is bound to scopes or addresses cannot do this")]
pub struct KeyRestricted;

/// Why an API key of some level cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key cannot have a higher level than its owner, or than the key that makes it")]
pub struct LevelTooHigh;

impl Actor {
    fn owns(self, owner_id: i64) -> bool {
        self.user_id == owner_id
    }

    /// The lower of a key's level and the level of its owner's role now (defect D36).
    pub fn key_level(key: Level, owner: &Role) -> Level {
        key.min(owner.level())
    }

    /// The level of who acts as somebody else: enough to see and to mend, not to make keys, change the password or remove the
    /// account, which would outlast the help.
    pub fn acting_level(whom: &Role) -> Level {
        whom.level().min(Level::WRITE_SOME)
    }

    /// Changing passwords, second factors, addresses, roles or API keys. A restricted key cannot, because the new credential
    /// would work without the restriction.
    ///
    /// # Errors
    /// [`KeyRestricted`]
    pub fn may_change_credentials(self) -> Result<(), KeyRestricted> {
        if self.restricted { Err(KeyRestricted) } else { Ok(()) }
    }

    /// Reading a set or pattern: one's own, or level 6. That it is public makes no difference here: who wants the
    /// public form asks for that.
    ///
    /// # Errors
    /// [`Denied`]
    pub fn may_read(self, owner_id: i64) -> Result<(), Denied> {
        allow(self.owns(owner_id) || self.level >= Level::BUGHUNTER)
    }

    /// Changing or deleting a record: one's own, or level 9.
    ///
    /// # Errors
    /// [`Denied`]
    pub fn may_write(self, owner_id: i64) -> Result<(), Denied> {
        allow(self.owns(owner_id) || self.level >= Level::ADMIN)
    }

    /// Reading or changing what nobody but its owner has to do with, at any level: bookmarks, and what one suggests.
    ///
    /// # Errors
    /// [`Denied`]
    pub fn must_own(self, owner_id: i64) -> Result<(), Denied> {
        allow(self.owns(owner_id))
    }

    /// Copying a set or pattern into one's own: one's own, a public one, or level 8.
    ///
    /// # Errors
    /// [`Denied`]
    pub fn may_clone(self, owner_id: i64, public: bool) -> Result<(), Denied> {
        allow(self.owns(owner_id) || public || self.level >= Level::SUPPORT)
    }

    /// Reading or ending an API key: one's own, or level 9.
    ///
    /// # Errors
    /// [`Denied`]
    pub fn may_manage_key(self, owner_id: i64) -> Result<(), Denied> {
        self.may_write(owner_id)
    }

    /// Giving an API key a new secret: one's own only, for who gets the secret can act as its owner.
    ///
    /// # Errors
    /// [`Denied`]
    pub fn may_rotate_key(self, owner_id: i64) -> Result<(), Denied> {
        allow(self.owns(owner_id))
    }

    /// Acting as somebody else: from level 8 on, never as a higher role, and never as an administrator (defect D55).
    ///
    /// # Errors
    /// [`Denied`]
    pub fn may_impersonate(self, role: &Role) -> Result<(), Denied> {
        allow(self.level >= Level::SUPPORT && role.level() <= self.level && *role != Role::Admin)
    }

    /// Making an API key of that level: never above one's own effective level (defects D33, D34).
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

    /// The lowest level at which somebody else may, and whether the owner may at level 0.
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
    fn rules_about_other_peoples_records_are_those_of_the_contract() {
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
    fn a_key_is_never_above_who_makes_it_nor_above_its_owner() {
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
        assert_eq!(Actor::acting_level(&Role::User), Level::WRITE_SOME);
        assert_eq!(Actor::acting_level(&Role::ReadNone), Level::READ_NONE);
        assert_eq!(Actor::key_level(Level::READ_SOME, &Role::Admin), Level::READ_SOME);
        assert_eq!(
            Actor::key_level(Level::ADMIN, &Role::Other("patron".into())),
            Level::READ_NONE
        );
    }
}
