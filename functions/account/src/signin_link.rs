//! `POST /signinlink`, `POST /signinlink/{id}` and `POST /signinlink/{id}/{check}`

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::entity::confirmation::Kind;
use bespoke_core::entity::mail::Template;
use bespoke_database::mail_budgets::{self, Purpose};
use bespoke_database::{Db, confirmations, known_networks, outbox, users};
use bespoke_web::attempts::AttemptOrigin;
use bespoke_web::{Body, ClientIp, Error, Id, JsonObject, Params, Public, Result, Session, ok};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::SignedIn;
use crate::second_factor::{CountedCode, Typed};
use crate::signin::{Entry, FAILED, name_of};

/// The links that sign in.
const KINDS: [Kind; 2] = [Kind::SigninLink, Kind::SignupActive];

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
/// Mails a link that signs in, to the address of an account that can be used. The answer is the same when there is none. A mailbox
/// gets at most three such mails an hour because of one network, and ten because of all; a network from which the account has
/// signed in before has three of its own. A link that is used makes room again.
#[utoipa::path(post, path = "/signinlink", tag = "Accounts", operation_id = "sendSignInLink", request_body = WhoSignsIn,
    responses(
        (status = 200, description = "If there is such an account, a mail is under way.", body = Answer),
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
    Ok(ok(&Answer {
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
    let link = crate::confirm::new(session, Kind::SigninLink, user.account_status.id, JsonObject::new());
    confirmations::insert(db, &link)?;
    if !test {
        let path = crate::confirm::path("signin", &link);
        let mail = session.mail(Template::SigninLink, &user.email, user.language, Some(&path));
        outbox::insert(db, &mail)?;
    }
    Ok(())
}

/// Takes a mail that lets its reader in out of the budget, for the account `owner` if there is one. False if it is used up.
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
    let typed = Typed::of(&body.0, session.origin(client));
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
    let typed = Typed::of(&body.0, session.origin(client));
    by_link(session, id, params.get("check").to_owned(), typed).await
}

async fn by_link(session: Session, id: Id, check: String, typed: Typed) -> Result<Response> {
    let confirmation = crate::confirm::verify(&session, id, Some(&check), &KINDS, typed.origin).await?;
    let user_id = EntityId::Integer(confirmation.user_id);
    let user = session.read(|db| Ok(users::by_id(db, user_id)?)).await?;
    let code = typed.count(&session, &user.ok_or_else(Error::not_found)?).await?;
    let counted = code.clone();
    let entered = session.write(move |db| enter(db, id, &counted)).await;
    code.settle(&session, entered.as_ref().map(|(_, entry)| *entry)).await?;
    let (user_id, entry) = entered?;
    match entry {
        Entry::Admitted => Ok(crate::signed_in(&session, crate::load(&session, user_id).await?)),
        Entry::CodeMissing => Err(Error::forbidden("mfaTokenRequired")),
        Entry::Refused => Err(FAILED),
    }
}

/// The account that a link belongs to, whose check was right, and whether it is signed in to.
fn enter(db: &Db<'_>, id: Id, code: &CountedCode) -> Result<(i64, Entry)> {
    let AttemptOrigin { client, now } = code.typed.origin;
    let confirmation = crate::confirm::find(db, id, now, &KINDS)?;
    let user = users::by_id(db, EntityId::Integer(confirmation.user_id))?.ok_or_else(Error::not_found)?;
    let (id, entry) = (user.account_status.id, code.enter(db, &user)?);
    if entry == Entry::Admitted {
        crate::may_sign_in(&user)?;
        confirmations::delete_kind(db, id, confirmation.kind)?;
        known_networks::note(db, id, client, now)?;
        let purpose = match confirmation.kind {
            Kind::SigninLink => Purpose::SigninLink,
            _ => Purpose::SignUp,
        };
        mail_budgets::refill(db, purpose, &user.email, id, client)?;
    }
    Ok((id, entry))
}
