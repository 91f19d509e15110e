//! What stops guessing: sign-ins that failed are counted in the database, because a process sees few of them.

use std::net::IpAddr;

use bespoke_core::EntityId;
use bespoke_core::Timestamp;
use bespoke_core::entity::mail::Template;
use bespoke_core::entity::user::User;
use bespoke_database::failed_signins::{self, Subject, WINDOW_MS};
use bespoke_database::{Db, outbox, strangers_mails, users};
use bespoke_web::{Error, Result, Session};

/// With so many failures from one client within [`WINDOW_MS`], an account is locked for that client.
const FROM_ONE_CLIENT: i64 = 10;
/// With so many from everywhere, it is locked for all.
const FROM_EVERYWHERE: i64 = 100;

/// One attempt to sign in with a password.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    /// The name as typed, cleaned.
    pub(crate) name: String,
    pub(crate) client: IpAddr,
    pub(crate) now: Timestamp,
}

/// What an attempt meets.
///
/// Whether an account exists must not be told. So that it is locked under the name that was typed is said, for that name counts
/// whether anybody has it or not; that the account behind it is locked, which may have been tried under other names, looks like
/// any failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lock {
    Open,
    Name,
    Account,
}

impl Attempt {
    pub(crate) fn lock(&self, db: &Db<'_>, user: Option<&User>) -> Result<Lock> {
        let (for_name, _) = failed_signins::count(db, Subject::Name(&self.name), self.client, self.now)?;
        let account = self.account(user.map(|user| user.standing.id));
        Ok(if for_name >= FROM_ONE_CLIENT {
            Lock::Name
        } else if is_locked(db, account, self.client, self.now)? {
            Lock::Account
        } else {
            Lock::Open
        })
    }

    fn account(&self, user_id: Option<i64>) -> Subject<'_> {
        user_id.map_or(Subject::Nobody(&self.name), Subject::Account)
    }

    /// Counts a failure. The one that locks the account for all is told to its owner.
    pub(crate) async fn failed(self, session: &Session, user_id: Option<i64>) -> Result<()> {
        let writer = session.clone();
        let store = move |db: &Db<'_>| {
            let account = self.account(user_id);
            failed_signins::insert(db, Subject::Name(&self.name), self.client, self.now)?;
            failed_signins::insert(db, account, self.client, self.now)?;
            let (_, everywhere) = failed_signins::count(db, account, self.client, self.now)?;
            match user_id {
                Some(id) if everywhere == FROM_EVERYWHERE => tell(db, &writer, id),
                _ => Ok(false),
            }
        };
        if session.write(store).await? {
            session.deliver_mail_aside();
        }
        Ok(())
    }
}

/// Whether so many attempts at it have failed that even the right one is not looked at.
pub(crate) fn is_locked(db: &Db<'_>, subject: Subject<'_>, client: IpAddr, now: Timestamp) -> Result<bool> {
    let (from_client, everywhere) = failed_signins::count(db, subject, client, now)?;
    Ok(from_client >= FROM_ONE_CLIENT || everywhere >= FROM_EVERYWHERE)
}

/// Why a name is refused for a while.
pub(crate) fn too_many() -> Error {
    Error::too_many("tooManyRequests", WINDOW_MS.unsigned_abs() / 1000)
}

fn tell(db: &Db<'_>, session: &Session, user_id: i64) -> Result<bool> {
    let user = users::by_id(db, EntityId::Integer(user_id))?;
    let Some(user) = user.filter(|user| crate::may_sign_in(user).is_ok()) else {
        return Ok(false);
    };
    let goes = strangers_mails::one_more(db, &user.email, session.now())?;
    if goes {
        let mail = session.mail(Template::SigninLocked, &user.email, user.language, None);
        outbox::insert(db, &mail)?;
    }
    Ok(goes)
}
