//! CPU-bound work of a request: password hashes, image conversions and parsers of large bodies.

use bespoke_core::PasswordForm;

use super::context::Context;
use super::session::Session;
use crate::response::Result;

/// The result of a successful password check.
#[derive(Debug)]
pub struct VerifiedPassword {
    /// A hash of the normal form with the present settings, if the stored hash has another form or other settings.
    pub rehashed: Option<String>,
}

impl Session {
    /// Runs CPU-bound work on a blocking thread. Tasks of one account, or of one network without authentication, run one after the other.
    ///
    /// # Errors
    /// 429 if too many tasks of the caller wait; 503 if too many tasks of all callers with, or without, authentication wait.
    pub async fn compute<T: Send + 'static>(&self, work: impl FnOnce(&Context) -> T + Send + 'static) -> Result<T> {
        self.compute_for(self.sender(), work).await
    }

    /// Hashes a password on a blocking thread.
    ///
    /// # Errors
    /// The errors of [`Session::compute`].
    pub async fn hash_password(&self, password: String) -> Result<String> {
        self.compute(move |context| context.passwords().hash(context.random(), &password))
            .await
    }

    /// Compares a password with a stored hash. It always computes one hash, even without a stored hash, so that the time of the
    /// response does not reveal whether the account exists. Returns `None` if the password is wrong.
    ///
    /// # Errors
    /// The errors of [`Session::compute`].
    pub async fn verify_password(&self, password: String, stored: Option<String>) -> Result<Option<VerifiedPassword>> {
        self.compute(move |context| {
            let passwords = context.passwords();
            let form = passwords.matched_form(&password, stored.as_deref())?;
            let outdated = form == PasswordForm::AsTyped || stored.is_some_and(|stored| passwords.is_outdated(&stored));
            Some(VerifiedPassword {
                rehashed: outdated.then(|| passwords.hash(context.random(), &password)),
            })
        })
        .await
    }
}
