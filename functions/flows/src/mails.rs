//! [`send`]: mails a caller's request to the maintainer. The number of mails is limited, because their recipients have not asked for
//! them.

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::entity::mail::OutboxMail;
use bespoke_core::entity::user::User;
use bespoke_database::{mail_budgets, outbox, users};
use bespoke_web::level::READ_SOME;
use bespoke_web::{Caller, Error, Outcome, Result, Session, ok};
use serde::Serialize;
use utoipa::ToSchema;

/// Limit for the mails of one kind that an account triggers in an hour.
const MAX_MAILS: i64 = 20;

/// Response after a mail was queued.
#[derive(Serialize, ToSchema)]
#[schema(as = MailUnderWay)]
pub(crate) struct MailQueued {
    result: Outcome,
}

/// Queues the mail that `write` creates for the caller's account, and responds. `kind` names the limit that the mail counts against.
pub(crate) async fn send(
    caller: &Caller<READ_SOME>,
    session: &Session,
    kind: &'static str,
    write: impl Fn(&User) -> OutboxMail + Send + Sync + 'static,
) -> Result<Response> {
    let now = session.now();
    let queue = caller.create(session, move |db, actor| {
        let user = users::by_id(db, EntityId::Integer(actor.user_id))?.ok_or_else(Error::not_found)?;
        let budget = format!("{kind} of {}", user.account_status.uuid);
        if !mail_budgets::take_of(db, MAX_MAILS, &budget, now)? {
            let wait_s = mail_budgets::WINDOW_MS.unsigned_abs() / 1000;
            return Err(Error::too_many("tooManyRequests", wait_s));
        }
        Ok(outbox::insert(db, &write(&user))?)
    });
    queue.await?;
    session.deliver_mail().await;
    Ok(ok(&MailQueued {
        result: Outcome::Success,
    }))
}
