//! Locks a name or an account after too many failed sign-ins: each [`Attempt`] is reserved before its password is verified
//! ([`OpenAttempt`]).
//!
//! Attempts are counted in the bucket, because each process sees only a few of them. An attempt is counted before its check, because
//! attempts run concurrently.

use bespoke_core::EntityId;
use bespoke_core::entity::mail::Template;
use bespoke_database::mail_budgets::{self, Purpose};
use bespoke_database::{Db, outbox, users};
use bespoke_web::attempts::{AttemptOrigin, AttemptTarget, ReservedAttempt, WINDOW_MS};
use bespoke_web::{Error, Result, Session};

/// One attempt to sign in with a password.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    /// The name as typed, cleaned.
    pub(crate) name: String,
    pub(crate) origin: AttemptOrigin,
}

/// Decides whether the password of an attempt may be verified.
///
/// The response must not reveal whether an account exists. A lock of the typed name is reported, because names are counted whether or
/// not an account has them. A lock of the account, which may come from attempts under its other names, looks like a wrong
/// password.
pub(crate) enum Admission {
    NameLocked,
    AccountLocked,
    Open(Box<OpenAttempt>),
}

/// An attempt whose password may be verified.
pub(crate) struct OpenAttempt {
    /// Integer id of the account of that name.
    pub(crate) user_id: Option<i64>,
    name: ReservedAttempt,
    account: ReservedAttempt,
}

impl Attempt {
    /// Reserves the attempt for the name and for the account, each unless it is locked.
    pub(crate) async fn reserve(&self, session: &Session) -> Result<Admission> {
        let user = session.read(|db| Ok(users::by_lookup(db, &self.name)?)).await?;
        let user_id = user.map(|user| user.account_status.id);
        let name = AttemptTarget::Name(self.name.clone());
        let account = self.account_target(user_id);
        let reserved = tokio::join!(
            session.reserve_attempt(&name, None, self.origin),
            session.reserve_attempt(&account, user_id, self.origin),
        );
        match reserved {
            (Err(error), Ok(Some(other))) | (Ok(Some(other)), Err(error)) => {
                session.release_attempt(other).await;
                Err(error)
            }
            (Err(error), _) | (_, Err(error)) => Err(error),
            (Ok(None), Ok(account)) => {
                // Attempts with a locked name do not count against the account.
                if let Some(account) = account {
                    session.release_attempt(account).await;
                }
                Ok(Admission::NameLocked)
            }
            (Ok(Some(_)), Ok(None)) => Ok(Admission::AccountLocked),
            (Ok(Some(name)), Ok(Some(account))) => {
                let open = OpenAttempt { user_id, name, account };
                Ok(Admission::Open(Box::new(open)))
            }
        }
    }

    fn account_target(&self, user_id: Option<i64>) -> AttemptTarget {
        user_id.map_or_else(
            || AttemptTarget::UnknownAccount(self.name.clone()),
            AttemptTarget::Account,
        )
    }
}

impl OpenAttempt {
    /// Releases the attempt, because its password was right or could not be verified.
    pub(crate) async fn release(self, session: &Session) {
        tokio::join!(
            session.release_attempt(self.name),
            session.release_attempt(self.account)
        );
    }

    /// Notifies the owner by mail if this failure locks the account for all networks.
    pub(crate) async fn failed(self, session: &Session) -> Result<()> {
        failed(session, &self.account).await
    }
}

/// Notifies the owner by mail if this failure locks the account or its second factor for all networks.
pub(crate) async fn failed(session: &Session, attempt: &ReservedAttempt) -> Result<()> {
    let Some(id) = attempt.locks else { return Ok(()) };
    let writer = session.clone();
    if session.write(move |db| queue_lock_notice(db, &writer, id)).await? {
        session.deliver_mail_in_background();
    }
    Ok(())
}

/// The error for a name that is locked for the caller's network.
pub(crate) fn too_many() -> Error {
    Error::too_many("tooManyRequests", WINDOW_MS.unsigned_abs() / 1000)
}

/// Queues the mail that the account is locked. Returns false if there is no usable account, or if the mail budget is used up.
fn queue_lock_notice(db: &Db<'_>, session: &Session, user_id: i64) -> Result<bool> {
    let user = users::by_id(db, EntityId::Integer(user_id))?;
    let Some(user) = user.filter(|user| crate::may_sign_in(user).is_ok()) else {
        return Ok(false);
    };
    let is_allowed = mail_budgets::take(db, Purpose::LockNotice, &user.email, session.now())?;
    if is_allowed {
        let mail = session.mail(Template::SigninLocked, &user.email, user.language, None);
        outbox::insert(db, &mail)?;
    }
    Ok(is_allowed)
}
