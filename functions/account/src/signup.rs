//! `POST /signup`: [`signup`] creates an inactive account, and sends a mail with a link that activates it.

use axum::response::Response;
use bespoke_core::Role;
use bespoke_core::entity::confirmation::ConfirmationKind;
use bespoke_core::entity::mail::Template;
use bespoke_core::entity::user::{Consent, Status, User};
use bespoke_core::validate::{Language, clean_email, is_email};
use bespoke_database::mail_budgets::Purpose;
use bespoke_database::users::NewUser;
use bespoke_database::{Db, confirmations, outbox, users};
use bespoke_web::attempts::AttemptOrigin;
use bespoke_web::{Body, ClientIp, Error, JsonObject, Outcome, Public, Result, Session, created, truthy};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::signin_link::take_mail;

/// Stored instead of a password hash until the owner sets a password. It is not a hash, so no password matches it.
pub(crate) const NO_PASSWORD: &str = "";

#[derive(Serialize, ToSchema)]
#[schema(as = SignedUp)]
pub(crate) struct SignUpResponse {
    result: Outcome,
    email: String,
    /// Only in test mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    confirmation: Option<Uuid>,
}

/// Body of `POST /signup`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct SignUp {
    /// E-mail address.
    #[schema(example = "jane@example.com")]
    email: String,
    /// Language of the mails: en, de, es, fr, nl or uk.
    #[schema(example = "en")]
    language: String,
}

/// Sign up
///
/// Creates an inactive account and mails a link that confirms it. If the address already has an account, the response is the same,
/// but the mail is another. A mailbox (with all its `+tag` addresses) gets at most three such mails an hour because of one network,
/// and ten because of all networks. The response is the same if no mail is sent.
#[utoipa::path(post, path = "/signup", tag = "Accounts", operation_id = "signUp", request_body = SignUp,
    responses(
        (status = 201, description = "A mail was sent. `confirmation` is present only in test mode.", body = SignUpResponse),
        (status = 400, description = "`postBodyMissing`, `emailMissing`, `emailInvalid`, `languageMissing`, \
            `unsupportedLanguage`: the field is missing or invalid."),
    ))]
pub(crate) async fn signup(_: Public, session: Session, client: ClientIp, body: Body) -> Result<Response> {
    let body = body.required()?;
    let (email, language) = check(&body)?;
    let test = session.is_test(&body, &email);
    let user = new_user(&session, &email, language, test.then_some(&body));
    let attempt = Attempt {
        session: session.clone(),
        user,
        test,
        origin: session.origin(client),
    };
    let confirmation = session.write(move |db| attempt.store(db)).await?;
    if !test {
        session.deliver_mail().await;
    }
    let confirmation = confirmation.filter(|_| test);
    Ok(created(&SignUpResponse {
        result: Outcome::Created,
        email,
        confirmation,
    }))
}

fn check(body: &JsonObject) -> Result<(String, Language)> {
    let email = body.get("email").filter(|email| truthy(email)).and_then(Value::as_str);
    let email = clean_email(email.ok_or(Error::bad_request("emailMissing"))?);
    let language = body.get("language").filter(|language| truthy(language));
    let language = language.ok_or(Error::bad_request("languageMissing"))?;
    let language = language.as_str().and_then(|code| code.parse().ok());
    let language = language.ok_or(Error::bad_request("unsupportedLanguage"))?;
    if is_email(&email) {
        Ok((email, language))
    } else {
        Err(Error::bad_request("emailInvalid"))
    }
}

/// Creates the account. `test` is the body of a request in test mode, which may set a role.
fn new_user(session: &Session, email: &str, language: Language, test: Option<&JsonObject>) -> NewUser {
    let role = test.and_then(|body| body.get("role")).and_then(Value::as_str);
    NewUser {
        uuid: session.random().uuid(),
        email: email.to_owned(),
        password: NO_PASSWORD.to_owned(),
        role: role.map_or(Role::User, Role::from_name),
        status: Status::Inactive,
        consent: Consent::None,
        language,
        created_at: session.now(),
    }
}

/// A sign-up. It is stored in one commit.
struct Attempt {
    session: Session,
    user: NewUser,
    test: bool,
    origin: AttemptOrigin,
}

impl Attempt {
    /// Stores the sign-up. Returns the confirmation, if one was created.
    fn store(&self, db: &Db<'_>) -> Result<Option<Uuid>> {
        let existing = users::by_email(db, &self.user.email)?;
        let owner = existing.as_ref().map(|user| user.account_status.id);
        // Nothing is stored if the mail would exceed the budget.
        if !self.test && !take_mail(db, Purpose::SignUp, &self.user.email, owner, self.origin)? {
            return Ok(None);
        }
        let (id, kind, template, page) = match existing {
            None => (
                users::insert(db, &self.user)?,
                ConfirmationKind::Signup,
                Template::Signup,
                "signup",
            ),
            Some(User { account_status, .. }) => match account_status.status {
                Status::Inactive if users::awaits_activation(db, account_status.id)? => {
                    (account_status.id, ConfirmationKind::Signup, Template::Signup, "signup")
                }
                Status::Active => (
                    account_status.id,
                    ConfirmationKind::SignupActive,
                    Template::SignupAea,
                    "signin",
                ),
                Status::Inactive | Status::Disabled | Status::Blocked => {
                    if !self.test {
                        let (to, language) = (&self.user.email, self.user.language);
                        outbox::insert(db, &self.session.mail(Template::SignupAed, to, language, None))?;
                    }
                    return Ok(None);
                }
            },
        };
        let confirmation = crate::confirm::new(&self.session, kind, id, JsonObject::new());
        confirmations::insert(db, &confirmation)?;
        if !self.test {
            let to = (self.user.email.as_str(), self.user.language);
            let mail = crate::confirm::mail(&self.session, template, to, page, &confirmation);
            outbox::insert(db, &mail)?;
        }
        Ok(Some(confirmation.uuid))
    }
}
