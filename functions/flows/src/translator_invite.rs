//! `POST /flows/translator-invite/{auth}`

use axum::response::Response;
use bespoke_core::entity::mail::{OutboxMail, Template};
use bespoke_core::validate::Language;
use bespoke_web::level::READ_SOME;
use bespoke_web::{Body, Caller, Error, Result, Session};
use utoipa::ToSchema;

use crate::fields::given;
use crate::mails::{self, UnderWay};

/// Into what somebody would translate.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct TranslatorInvite {
    /// `de`, `es`, `fr`, `nl` or `uk`.
    #[schema(example = "nl")]
    language: String,
}

/// Ask for an invitation to the translators
///
/// Mails to the caller, in that language, where its translators work. At most twenty an hour.
#[utoipa::path(post, path = "/flows/translator-invite/{auth}", tag = "Flows", operation_id = "inviteTranslator",
    request_body = TranslatorInvite,
    responses(
        (status = 200, description = "The mail is under way.", body = UnderWay),
        (status = 400, description = "`postBodyMissing`, `languageMissing`: the field is missing. `languageInvalid`: nobody \
            translates into that."),
        (status = 404, description = "The account was removed while the call was under way."),
    ))]
pub(crate) async fn invite(caller: Caller<READ_SOME>, session: Session, body: Body) -> Result<Response> {
    let body = body.required()?;
    let language = given(&body, "language", "languageMissing")?.as_str();
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
