//! `POST /flows/translator-invite/{auth}`: [`invite`] mails the caller's request to become a translator.

use axum::response::Response;
use bespoke_core::entity::mail::{OutboxMail, Template};
use bespoke_core::validate::Language;
use bespoke_web::level::READ_SOME;
use bespoke_web::{Body, Caller, Error, Result, Session};
use utoipa::ToSchema;

use crate::fields::required;
use crate::mails::{self, MailQueued};

/// Body of `POST /flows/translator-invite/{auth}`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct TranslatorInvite {
    /// `de`, `es`, `fr`, `nl` or `uk`.
    #[schema(example = "nl")]
    language: String,
}

/// Request an invitation to the translators
///
/// Mails the address of the translation project for this language to the caller. Limited to 20 mails an hour.
#[utoipa::path(post, path = "/flows/translator-invite/{auth}", tag = "Flows", operation_id = "inviteTranslator",
    request_body = TranslatorInvite,
    responses(
        (status = 200, description = "The mail was sent.", body = MailQueued),
        (status = 400, description = "`postBodyMissing`, `languageMissing`: the field is missing. `languageInvalid`: there is no \
            translation project for it."),
        (status = 404, description = "The account was removed during the call."),
    ))]
pub(crate) async fn invite(caller: Caller<READ_SOME>, session: Session, body: Body) -> Result<Response> {
    let body = body.required()?;
    let language = required(&body, "language", "languageMissing")?.as_str();
    let language = language.and_then(|code| code.parse().ok());
    let language = language.filter(|language| *language != Language::En);
    let language = language.ok_or(Error::bad_request("languageInvalid"))?;
    let writer = session.clone();
    mails::send(&caller, &session, "translator invites", move |user| OutboxMail {
        action_url: Some(writer.config().translators.link(language)),
        ..writer.mail(Template::Transinvite, &user.email, language, None)
    })
    .await
}
