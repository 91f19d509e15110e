//! Sign-in without a password: `POST /signinlink` ([`send`]) sends a link by mail, and `POST /signinlink/{id}` and `POST
//! /signinlink/{id}/{check}` ([`link`], [`link_with_check`]) sign in with it.

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::entity::confirmation::ConfirmationKind;
use bespoke_core::entity::mail::Template;
use bespoke_database::mail_budgets::{self, Purpose};
use bespoke_database::{Db, confirmations, known_networks, outbox, users};
use bespoke_web::attempts::AttemptOrigin;
use bespoke_web::{Body, ClientIp, Error, Id, JsonObject, Params, Public, Result, Session, ok};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::SignedIn;
use crate::second_factor::{CodeAttempt, SubmittedCode};
use crate::signin::{FAILED, SignInDecision, name_of};

/// The kinds of confirmations whose links sign in.
const KINDS: [ConfirmationKind; 2] = [ConfirmationKind::SigninLink, ConfirmationKind::SignupActive];

/// Body of `POST /signinlink`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct WhoSignsIn {
    /// User name, e-mail address or id, in any letter case.
    #[schema(example = "jane@example.com")]
    username: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = EmailSent)]
pub(crate) struct SignInLinkResponse {
    result: Sent,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = EmailSentResult)]
enum Sent {
    EmailSent,
}

/// Request a sign-in link
///
/// Mails a link that signs in, if the account exists and can be used. The response is the same otherwise. A mailbox gets at most
/// three such mails an hour because of one network, and ten because of all networks. A network from which the account has signed in
/// before has three mails of its own. A used link does not count any more.
#[utoipa::path(post, path = "/signinlink", tag = "Accounts", operation_id = "sendSignInLink", request_body = WhoSignsIn,
    responses(
        (status = 200, description = "If the account exists, a mail was sent.", body = SignInLinkResponse),
        (status = 400, description = "`postBodyMissing`, `usernameMissing`: the field is missing."),
    ))]
pub(crate) async fn send(_: Public, session: Session, client: ClientIp, body: Body) -> Result<Response> {
    let body = body.required()?;
    let name = name_of(&body)?;
    let (writer, origin) = (session.clone(), session.origin(client));
    session
        .write(move |db| make_link(db, &writer, &name, &body, origin))
        .await?;
    session.deliver_mail_in_background();
    Ok(ok(&SignInLinkResponse {
        result: Sent::EmailSent,
    }))
}

fn make_link(db: &Db<'_>, session: &Session, name: &str, body: &JsonObject, origin: AttemptOrigin) -> Result<()> {
    let user = users::by_lookup(db, name)?.filter(|user| crate::may_sign_in(user).is_ok());
    let test = user.as_ref().is_some_and(|user| session.is_test(body, &user.email));
    let recipient = user.as_ref().map_or(name, |user| &user.email);
    let owner = user.as_ref().map(|user| user.account_status.id);
    if !test && !take_mail(db, Purpose::SigninLink, recipient, owner, origin)? {
        return Ok(());
    }
    let Some(user) = user else { return Ok(()) };
    let link = crate::confirm::new(
        session,
        ConfirmationKind::SigninLink,
        user.account_status.id,
        JsonObject::new(),
    );
    confirmations::insert(db, &link)?;
    if !test {
        let to = (user.email.as_str(), user.language);
        let mail = crate::confirm::mail(session, Template::SigninLink, to, "signin", &link);
        outbox::insert(db, &mail)?;
    }
    Ok(())
}

/// Counts a mail with a sign-in link against the budget of the recipient. A network from which the account `owner` has signed in before
/// has a budget of its own. Returns false if the budget is used up.
pub(crate) fn take_mail(
    db: &Db<'_>,
    purpose: Purpose,
    recipient: &str,
    owner: Option<i64>,
    AttemptOrigin { client, now }: AttemptOrigin,
) -> Result<bool> {
    let mut known_to = None;
    if let Some(owner) = owner
        && known_networks::contains(db, owner, client, now)?
    {
        known_to = Some(owner);
    }
    Ok(mail_budgets::take_from(db, purpose, recipient, client, known_to, now)?)
}

/// Body of `POST /signinlink/{id}`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct LinkCheck {
    /// The check from the link in the mail, or the code in the mail.
    check: String,
    /// Code from the authenticator app, or a scratch code, if the account has a second factor.
    token: Option<String>,
}

/// Body of `POST /signinlink/{id}/{check}`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct LinkToken {
    /// Code from the authenticator app, or a scratch code, if the account has a second factor.
    token: Option<String>,
}

/// Sign in with a link
///
/// Works once, within an hour.
#[utoipa::path(post, path = "/signinlink/{id}", tag = "Accounts", operation_id = "signInByLink", request_body = LinkCheck,
    params(("id" = Uuid, Path, description = "The id from the link in the mail.")),
    responses(
        (status = 200, description = "The account, and a token.", body = SignedIn),
        (status = 401, description = "`signInFailed`: the code is wrong. The link stays valid."),
        (status = 403, description = "`mfaTokenRequired`: the account requires a code. `statusLacking`: the account is not \
            active. `accountBlocked`: an administrator has blocked it."),
        (status = 404, description = "The link was used or has expired, or its check is wrong."),
    ))]
pub(crate) async fn link(_: Public, session: Session, client: ClientIp, id: Id, body: Body) -> Result<Response> {
    let check = body.0.get("check").and_then(Value::as_str).unwrap_or_default();
    let submitted = SubmittedCode::of(&body.0, session.origin(client));
    by_link(session, id, check.to_owned(), submitted).await
}

/// Sign in with a link whose check is in the path
///
/// For clients of the first API generation. Works once, within an hour.
#[utoipa::path(post, path = "/signinlink/{id}/{check}", tag = "Accounts", operation_id = "signInByWholeLink",
    request_body = Option<LinkToken>,
    params(
        ("id" = Uuid, Path, description = "The id from the link in the mail."),
        ("check" = String, Path, description = "The check from the link in the mail."),
    ),
    responses(
        (status = 200, description = "The account, and a token.", body = SignedIn),
        (status = 401, description = "`signInFailed`: the code is wrong. The link stays valid."),
        (status = 403, description = "`mfaTokenRequired`: the account requires a code. `statusLacking`: the account is not \
            active. `accountBlocked`: an administrator has blocked it."),
        (status = 404, description = "The link was used or has expired, or its check is wrong."),
    ))]
pub(crate) async fn link_with_check(
    _: Public,
    session: Session,
    client: ClientIp,
    id: Id,
    params: Params,
    body: Body,
) -> Result<Response> {
    let submitted = SubmittedCode::of(&body.0, session.origin(client));
    by_link(session, id, params.get("check").to_owned(), submitted).await
}

async fn by_link(session: Session, id: Id, check: String, submitted: SubmittedCode) -> Result<Response> {
    let confirmation = crate::confirm::verify(&session, id, Some(&check), &KINDS, submitted.origin).await?;
    let user_id = EntityId::Integer(confirmation.user_id);
    let user = session.read(|db| Ok(users::by_id(db, user_id)?)).await?;
    let code = submitted.reserve(&session, &user.ok_or_else(Error::not_found)?).await?;
    let attempt = code.clone();
    let entered = session.write(move |db| sign_in(db, id, &attempt)).await;
    code.release_or_keep(&session, entered.as_ref().map(|(_, decision)| *decision))
        .await?;
    let (user_id, decision) = entered?;
    match decision {
        SignInDecision::Admitted => Ok(crate::signed_in(&session, crate::load(&session, user_id).await?)),
        SignInDecision::CodeMissing => Err(Error::forbidden("mfaTokenRequired")),
        SignInDecision::Refused => Err(FAILED),
    }
}

/// Signs in to the account of a link whose check was right. Returns the account's id and the result.
fn sign_in(db: &Db<'_>, id: Id, code: &CodeAttempt) -> Result<(i64, SignInDecision)> {
    let AttemptOrigin { client, now } = code.submitted.origin;
    let confirmation = crate::confirm::find(db, id, now, &KINDS)?;
    let user = users::by_id(db, EntityId::Integer(confirmation.user_id))?.ok_or_else(Error::not_found)?;
    let (id, decision) = (user.account_status.id, code.check_for_sign_in(db, &user)?);
    if decision == SignInDecision::Admitted {
        crate::may_sign_in(&user)?;
        confirmations::delete_kind(db, id, confirmation.kind)?;
        known_networks::note(db, id, client, now)?;
        let purpose = match confirmation.kind {
            ConfirmationKind::SigninLink => Purpose::SigninLink,
            _ => Purpose::SignUp,
        };
        mail_budgets::refill(db, purpose, &user.email, id, client)?;
    }
    Ok((id, decision))
}
