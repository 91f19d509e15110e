//! `POST /signinlink`, `POST /signinlink/{id}` and `POST /signinlink/{id}/{check}`

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::entity::confirmation::Kind;
use bespoke_core::entity::mail::Template;
use bespoke_database::{Db, confirmations, outbox, strangers_mails, users};
use bespoke_web::{Body, ClientIp, Error, Id, JsonObject, Params, Public, Result, Session, ok};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::SignedIn;
use crate::second_factor::Typed;
use crate::signin::{FAILED, name_of};

/// Who wants to sign in.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct WhoSignsIn {
    /// User name, e-mail address or id, in any letter case.
    #[schema(example = "jane@example.com")]
    username: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = EmailSent)]
pub(crate) struct Answer {
    result: Sent,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = EmailSentResult)]
enum Sent {
    EmailSent,
}

/// Ask for a sign-in link
///
/// Mails a link that signs in, to the address of an account that can be used. The answer is the same when there is none; an
/// address gets at most three such mails an hour.
#[utoipa::path(post, path = "/signinlink", tag = "Accounts", operation_id = "sendSignInLink", request_body = WhoSignsIn,
    responses(
        (status = 200, description = "If there is such an account, a mail is under way.", body = Answer),
        (status = 400, description = "`postBodyMissing`, `usernameMissing`: the field is missing."),
    ))]
pub(crate) async fn send(_: Public, session: Session, body: Body) -> Result<Response> {
    let body = body.required()?;
    let name = name_of(&body)?;
    let writer = session.clone();
    session.write(move |db| make_link(db, &writer, &name, &body)).await?;
    session.deliver_mail_aside();
    Ok(ok(&Answer {
        result: Sent::EmailSent,
    }))
}

fn make_link(db: &Db<'_>, session: &Session, name: &str, body: &JsonObject) -> Result<()> {
    let user = users::by_lookup(db, name)?.filter(|user| crate::may_sign_in(user).is_ok());
    let test = user.as_ref().is_some_and(|user| session.is_test(body, &user.email));
    let recipient = user.as_ref().map_or(name, |user| &user.email);
    // A mail that does not go must not make void the link of one that went.
    if !test && !strangers_mails::one_more(db, recipient, session.now())? {
        return Ok(());
    }
    let Some(user) = user else { return Ok(()) };
    let link = crate::confirm::new(session, Kind::SigninLink, user.standing.id, JsonObject::new());
    confirmations::insert(db, &link)?;
    if !test {
        let path = crate::confirm::path("signin", &link);
        let mail = session.mail(Template::SigninLink, &user.email, user.language, Some(&path));
        outbox::insert(db, &mail)?;
    }
    Ok(())
}

/// The check of a link.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct LinkCheck {
    /// The check of the link in the mail.
    check: String,
    /// Code of the authenticator app, or a scratch code, where the account asks for one.
    token: Option<String>,
}

/// A code, where one is asked for.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct LinkToken {
    /// Code of the authenticator app, or a scratch code, where the account asks for one.
    token: Option<String>,
}

/// Sign in by the link of a mail
///
/// Works once, within an hour.
#[utoipa::path(post, path = "/signinlink/{id}", tag = "Accounts", operation_id = "signInByLink", request_body = LinkCheck,
    params(("id" = Uuid, Path, description = "The id in the link of the mail.")),
    responses(
        (status = 200, description = "The account, and a token.", body = SignedIn),
        (status = 401, description = "`signInFailed`: another code. The link stays open."),
        (status = 403, description = "`mfaTokenRequired`: the account asks for a code too. `statusLacking`: the account is not \
            active. `accountBlocked`: an administrator has blocked it."),
        (status = 404, description = "The link is no longer open, or its check is wrong."),
    ))]
pub(crate) async fn link(_: Public, session: Session, client: ClientIp, id: Id, body: Body) -> Result<Response> {
    let check = body.0.get("check").and_then(Value::as_str).unwrap_or_default();
    let typed = Typed::of(&body.0, client.customer(), session.now());
    by_link(session, id, check.to_owned(), typed).await
}

/// Sign in by the link of a mail, its check in the path
///
/// As clients of the first generation do. Works once, within an hour.
#[utoipa::path(post, path = "/signinlink/{id}/{check}", tag = "Accounts", operation_id = "signInByWholeLink",
    request_body = Option<LinkToken>,
    params(
        ("id" = Uuid, Path, description = "The id in the link of the mail."),
        ("check" = String, Path, description = "The check of the link in the mail."),
    ),
    responses(
        (status = 200, description = "The account, and a token.", body = SignedIn),
        (status = 401, description = "`signInFailed`: another code. The link stays open."),
        (status = 403, description = "`mfaTokenRequired`: the account asks for a code too. `statusLacking`: the account is not \
            active. `accountBlocked`: an administrator has blocked it."),
        (status = 404, description = "The link is no longer open, or its check is wrong."),
    ))]
pub(crate) async fn link_with_check(
    _: Public,
    session: Session,
    client: ClientIp,
    id: Id,
    params: Params,
    body: Body,
) -> Result<Response> {
    let typed = Typed::of(&body.0, client.customer(), session.now());
    by_link(session, id, params.get("check").to_owned(), typed).await
}

async fn by_link(session: Session, id: Id, check: String, typed: Typed) -> Result<Response> {
    let now = session.now();
    let signed_in: Option<i64> = session
        .write(move |db| {
            let confirmation = crate::confirm::find(db, id, now, &[Kind::SigninLink, Kind::SignupActive])?;
            if !confirmation.check_matches(&check) {
                return Err(Error::not_found());
            }
            let user = users::by_id(db, EntityId::Integer(confirmation.user_id))?.ok_or_else(Error::not_found)?;
            if !typed.signs_in(db, &user)? {
                return Ok(None);
            }
            crate::may_sign_in(&user)?;
            confirmations::delete(db, confirmation.uuid)?;
            Ok(Some(user.standing.id))
        })
        .await?;
    let user_id = signed_in.ok_or(FAILED)?;
    Ok(crate::signed_in(&session, crate::load(&session, user_id).await?))
}
