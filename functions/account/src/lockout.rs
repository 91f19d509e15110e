//! Limits for guesses at passwords and codes. Attempts are counted in the bucket, because a process of a function sees few of
//! them, and before the work that they limit, because attempts run at the same time.

use bespoke_core::EntityId;
use bespoke_core::entity::mail::Template;
use bespoke_core::entity::user::User;
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

/// Whether the password of an attempt may be verified.
///
/// The answer must not tell whether an account exists. A lock of the name that was typed is told, because that name counts whether
/// an account has it or not. A lock of the account, which may be the result of attempts under its other names, looks like any
/// failure.
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
    /// Counts the attempt, unless it is refused.
    pub(crate) async fn reserve(&self, session: &Session) -> Result<Admission> {
        let user = session.read(|db| Ok(users::by_lookup(db, &self.name)?)).await?;
        let user_id = user.map(|user| user.account_status.id);
        let (name, account) = (AttemptTarget::Name(self.name.clone()), self.account(user_id));
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
                // Attempts at a locked name do not count for the account.
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

    fn account(&self, user_id: Option<i64>) -> AttemptTarget {
        user_id.map_or_else(
            || AttemptTarget::UnknownAccount(self.name.clone()),
            AttemptTarget::Account,
        )
    }
}

impl OpenAttempt {
    /// Takes the attempt back, because its password was right or could not be verified.
    pub(crate) async fn release(self, session: &Session) {
        tokio::join!(
            session.release_attempt(self.name),
            session.release_attempt(self.account)
        );
    }

    /// Tells the owner by mail if this failure locks the account for all.
    pub(crate) async fn failed(self, session: &Session) -> Result<()> {
        failed(session, &self.account).await
    }
}

/// Tells the owner by mail if this failed attempt locks the account, or its second factor, for all.
pub(crate) async fn failed(session: &Session, attempt: &ReservedAttempt) -> Result<()> {
    let Some(id) = attempt.locks else { return Ok(()) };
    let writer = session.clone();
    if session.write(move |db| tell(db, &writer, id)).await? {
        session.deliver_mail_in_background();
    }
    Ok(())
}

/// The refusal of a name that is locked for the caller's network.
pub(crate) fn too_many() -> Error {
    Error::too_many("tooManyRequests", WINDOW_MS.unsigned_abs() / 1000)
}

fn tell(db: &Db<'_>, session: &Session, user_id: i64) -> Result<bool> {
    let user = users::by_id(db, EntityId::Integer(user_id))?;
    let usable = |user: &User| crate::may_sign_in(user).is_ok();
    let Some(user) = user.filter(usable) else {
        return Ok(false);
    };
    let goes = mail_budgets::take(db, Purpose::LockNotice, &user.email, session.now())?;
    if goes {
        let mail = session.mail(Template::SigninLocked, &user.email, user.language, None);
        outbox::insert(db, &mail)?;
    }
    Ok(goes)
}
