//! `PATCH /account/{auth}`

use axum::response::Response;
use bespoke_database::Db;
use bespoke_web::attempts::{AttemptOrigin, AttemptTarget};
use bespoke_web::level::WRITE_SOME;
use bespoke_web::{Body, Caller, ClientIp, JsonObject, Outcome, Result, Session, ok, view};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::changes::{Changes, Stored, WRONG_PASSWORD};
use crate::lockout;

#[derive(Serialize, ToSchema)]
#[schema(as = ChangedAccount)]
pub(crate) struct Answer {
    result: Outcome,
    account: view::Account,
    /// Names of the fields that were sent and not taken.
    ignored: Vec<String>,
    /// Only in test mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    confirmation: Option<Uuid>,
}

/// Changes of an account; what is left out stays.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct AccountChanges {
    /// About oneself, as Markdown, at most 64 KiB.
    bio: Option<String>,
    /// Level 4: see `PATCH /consent/jwt`.
    #[schema(maximum = 3)]
    consent: Option<u8>,
    /// How much of the interface to show.
    #[schema(minimum = 1, maximum = 5)]
    control: Option<u8>,
    /// Language of mails: en, de, es, fr, nl or uk.
    #[schema(example = "nl")]
    language: Option<String>,
    /// Whether to be compared with others' measurements.
    compare: Option<bool>,
    /// Whether one measures in inches.
    imperial: Option<bool>,
    /// Whether one wants the newsletter.
    newsletter: Option<bool>,
    /// Whatever a client keeps; merged over what is there, at most 256 KiB in all.
    #[schema(value_type = Option<HashMap<String, Value>>)]
    data: Option<JsonObject>,
    /// 2 to 64 characters, no `@`, not digits alone. Left out when somebody has it.
    #[schema(example = "Jane")]
    username: Option<String>,
    /// Level 4: at most 1024 bytes.
    password: Option<String>,
    /// Verified when it is sent with a new password.
    current_password: Option<String>,
    /// Level 4: another e-mail address. It is that of the account once the link in a mail to it was opened; the address that the
    /// account has is told.
    #[schema(example = "jane@example.org")]
    email: Option<String>,
    /// Level 4: `emailchange`, with `confirmation` and `check`: confirms another address.
    confirm: Option<String>,
    /// The id in the link of the mail.
    confirmation: Option<Uuid>,
    /// The check of the link in the mail.
    check: Option<String>,
    /// Another image: a data URI, or where it is.
    img: Option<String>,
    /// Level 4: refuses all tokens of the account that were signed until now, that of this call too. API keys stay.
    sign_out_everywhere: Option<bool>,
}

/// Change one's account
///
/// What cannot be taken never fails the request: `ignored` names it. Password, address, consent and signing out need level 4.
#[utoipa::path(patch, path = "/account/{auth}", tag = "Accounts", operation_id = "updateAccount", request_body = AccountChanges,
    responses(
        (status = 200, description = "The account as it is now. `confirmation` is there in test mode only.", body = Answer),
        (status = 401, description = "`authenticationFailed`: the current password is another, or too many were tried."),
        (status = 403, description = "`restrictedKey`: a key that is bound to addresses changes neither password nor e-mail address, \
            and signs nobody out."),
        (status = 404, description = "The link to confirm another address is no longer open, or its check is wrong; or the account \
            was removed while the call was under way."),
        (status = 409, description = "`emailTaken`: somebody else has the address by now."),
    ))]
pub(crate) async fn update(
    caller: Caller<WRITE_SOME>,
    session: Session,
    client: ClientIp,
    mut body: Body,
) -> Result<Response> {
    let image = session.take_image(&mut body.0).await;
    let current_password = body.0.get("currentPassword").cloned();
    let (mut changes, mut ignored) = Changes::read(body.0);
    let id = caller.actor.user_id;
    changes.check_permission(caller.actor)?;
    if let Some(password) = changes.password.take() {
        let origin = session.origin(client);
        changes.verified = verify_current(&session, id, current_password, origin).await?;
        changes.password = Some(session.hash_password(password).await?);
    }
    let (mails, protect) = (changes.mails(), changes.protect() && image.is_none());
    let writer = session.clone();
    let store = move |db: &Db<'_>, actor| changes.store(db, &writer, actor);
    let Stored { refused, confirmation } = match protect {
        true => caller.protect(&session, store).await?,
        false => caller.write(&session, store).await?,
    };
    ignored.extend(refused);
    if mails {
        session.deliver_mail().await;
    }
    let user = crate::load(&session, id).await?;
    session.save_account_image(image, &user, &mut ignored).await;
    let account = user.into();
    Ok(ok(&Answer {
        result: Outcome::Success,
        account,
        ignored,
        confirmation,
    }))
}

/// Nobody knows the random first password, so the current one need not be sent; when it is, it is checked, and counts like an
/// attempt to sign in. Gives the stored text that it belongs to.
async fn verify_current(
    session: &Session,
    id: i64,
    current: Option<Value>,
    origin: AttemptOrigin,
) -> Result<Option<String>> {
    let Some(current) = current else { return Ok(None) };
    let reserved = session
        .reserve_attempt(&AttemptTarget::Account(id), Some(id), origin)
        .await?;
    let reserved = reserved.ok_or(WRONG_PASSWORD)?;
    let current = current.as_str().unwrap_or_default().to_owned();
    let verify = async || {
        let stored = crate::load(session, id).await?.password;
        let verified = session.verify_password(current, Some(stored.clone())).await?;
        Ok(verified.map(|_| stored))
    };
    let verified = verify().await;
    if let Ok(None) = verified {
        lockout::failed(session, &reserved).await?;
        return Err(WRONG_PASSWORD);
    }
    session.release_attempt(reserved).await;
    verified
}
