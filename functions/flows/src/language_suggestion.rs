//! `POST /flows/language-suggestion/{auth}`: [`suggest`] mails the suggestion of a language for the website to the maintainer.

use axum::response::Response;
use bespoke_core::entity::mail::{OutboxMail, Template};
use bespoke_core::entity::user::User;
use bespoke_core::validate::{Language, MAX_NOTES_BYTES};
use bespoke_web::level::READ_SOME;
use bespoke_web::{Body, Caller, Error, Result, Session};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::fields::required;
use crate::mails::{self, MailQueued};

/// Body of `POST /flows/language-suggestion/{auth}`. Further fields are allowed.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct LanguageSuggestion {
    /// The language.
    #[schema(value_type = Value, example = "cn")]
    language: Value,
}

/// Suggest a language for the website
///
/// Mails all fields of the request to the operator of the website, together with the id, the user name and the address of the caller.
/// Limited to 20 mails an hour.
#[utoipa::path(post, path = "/flows/language-suggestion/{auth}", tag = "Flows", operation_id = "suggestLanguage",
    request_body = LanguageSuggestion,
    responses(
        (status = 200, description = "The mail was sent.", body = MailQueued),
        (status = 400, description = "`postBodyMissing`, `languageMissing`: the field is missing."),
        (status = 404, description = "The account was removed during the call."),
    ))]
pub(crate) async fn suggest(caller: Caller<READ_SOME>, session: Session, body: Body) -> Result<Response> {
    let body = body.required()?;
    required(&body, "language", "languageMissing")?;
    let request_text = indented(&Value::Object(body));
    if request_text.len() > MAX_NOTES_BYTES {
        return Err(Error::body_too_large());
    }
    let writer = session.clone();
    mails::send(&caller, &session, "language suggestions", move |user| OutboxMail {
        details: Some(format!("{request_text}\n\n{}", indented(&about(user)))),
        ..writer.mail(Template::Langsuggest, &writer.config().maintainer, Language::En, None)
    })
    .await
}

/// The fields of the caller's account that the mail contains.
fn about(user: &User) -> Value {
    json!({
        "id": user.account_status.id,
        "username": user.username,
        "email": user.email,
    })
}

fn indented(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("keys of a JSON value are strings")
}
