//! `PATCH /account/{auth}`: [`update`] changes the caller's account.

use axum::response::Response;
use bespoke_database::Db;
use bespoke_web::attempts::{AttemptOrigin, AttemptTarget};
use bespoke_web::level::WRITE_SOME;
use bespoke_web::{Body, Caller, ClientIp, JsonObject, Outcome, Result, Session, ok, view};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::changes::{Changes, StoredChanges, WRONG_PASSWORD};
use crate::lockout;

#[derive(Serialize, ToSchema)]
#[schema(as = ChangedAccount)]
pub(crate) struct UpdateAccountResponse {
    result: Outcome,
    account: view::Account,
    /// Names of the fields that the request contained and the server ignored.
    ignored: Vec<String>,
    /// Only in test mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    confirmation: Option<Uuid>,
}

/// Changes of an account. Missing fields do not change.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct AccountChanges {
    /// Description of the user, in Markdown, at most 64 KiB.
    bio: Option<String>,
    /// Needs level 4. See `PATCH /consent/jwt`.
    #[schema(maximum = 3)]
    consent: Option<u8>,
    /// Amount of detail in the interface.
    #[schema(minimum = 1, maximum = 5)]
    control: Option<u8>,
    /// Language of mails: en, de, es, fr, nl or uk.
    #[schema(example = "nl")]
    language: Option<String>,
    /// Whether to compare the user's measurements with those of others.
    compare: Option<bool>,
    /// Whether the user prefers inches.
    imperial: Option<bool>,
    /// Whether the user wants the newsletter.
    newsletter: Option<bool>,
    /// Data of a client. It is merged into the stored data, at most 256 KiB in total.
    #[schema(value_type = Option<HashMap<String, Value>>)]
    data: Option<JsonObject>,
    /// 2 to 64 characters, without `@`, not only digits. Ignored if the name is taken.
    #[schema(example = "Jane")]
    username: Option<String>,
    /// Needs level 4. At most 1024 bytes.
    password: Option<String>,
    /// The current password. It is verified if the request also sets a new password.
    current_password: Option<String>,
    /// Needs level 4. The account gets the new address when the link in the mail to it is opened. The old address is notified.
    #[schema(example = "jane@example.org")]
    email: Option<String>,
    /// Needs level 4. `emailchange`, together with `confirmation` and `check`, confirms a new address.
    confirm: Option<String>,
    /// The id from the link in the mail.
    confirmation: Option<Uuid>,
    /// The check from the link in the mail.
    check: Option<String>,
    /// A new image: a data URI or a URL.
    img: Option<String>,
    /// Needs level 4. Revokes all tokens of the account that were issued before, including that of this call. API keys stay valid.
    sign_out_everywhere: Option<bool>,
}

/// Change the caller's account
///
/// Invalid fields do not fail the request; `ignored` lists them. Password, address, consent and signing out everywhere need level 4.
#[utoipa::path(patch, path = "/account/{auth}", tag = "Accounts", operation_id = "updateAccount", request_body = AccountChanges,
    responses(
        (status = 200, description = "The updated account. `confirmation` is present only in test mode.", body = UpdateAccountResponse),
        (status = 401, description = "`authenticationFailed`: the current password is wrong, or there were too many attempts."),
        (status = 403, description = "`restrictedKey`: a key that is bound to addresses cannot change password or e-mail address, \
            or sign out everywhere."),
        (status = 404, description = "The confirmation link was used or has expired, its check is wrong, or the account \
            was removed during the call."),
        (status = 409, description = "`emailTaken`: another account has the address now."),
    ))]
pub(crate) async fn update(
    caller: Caller<WRITE_SOME>,
    session: Session,
    client: ClientIp,
    mut body: Body,
) -> Result<Response> {
    let image = session.take_image(&mut body.0).await;
    let current_password = body.0.get("currentPassword").cloned();
    let id = caller.actor.user_id;
    let (mut changes, mut ignored) = Changes::read(body.0, id);
    changes.check_permission(caller.actor)?;
    if let Some(password) = changes.password.take() {
        let origin = session.origin(client);
        changes.verified_hash = verify_current(&session, id, current_password, origin).await?;
        changes.password = Some(session.hash_password(password).await?);
    }
    let sends_mail = changes.sends_mail();
    let is_only_protection = changes.is_only_protection() && image.is_none();
    let writer = session.clone();
    let store = move |db: &Db<'_>, actor| changes.store(db, &writer, actor);
    let StoredChanges { refused, confirmation } = match is_only_protection {
        true => caller.protect(&session, store).await?,
        false => caller.write(&session, store).await?,
    };
    ignored.extend(refused);
    if sends_mail {
        session.deliver_mail().await;
    }
    let user = crate::load(&session, id).await?;
    session.save_account_image(image, &user, &mut ignored).await;
    let account = user.into();
    Ok(ok(&UpdateAccountResponse {
        result: Outcome::Success,
        account,
        ignored,
        confirmation,
    }))
}

/// Verifies the current password if the request contains it. It is optional, because the first password is random and unknown
/// to the owner. A check counts as an attempt to sign in. Returns the stored hash that it matched.
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
