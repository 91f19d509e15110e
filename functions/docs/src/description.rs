//! `GET /openapi.json` ([`json`]) and `GET /openapi.yaml` ([`yaml`]): the OpenAPI description of all functions.

use std::sync::LazyLock;

use axum::body::Body;
use axum::response::Response;
use bespoke_web::{Config, Contact, Public, Session};
use http::{HeaderValue, header};
use serde_json::{Value, json};

/// The OpenAPI description of all functions. `bespoke openapi` generates it from the code, and a test compares them. It is a file, so
/// that this function need not link the others.
const DESCRIPTION: &str = include_str!("../openapi.json");

/// The serialized description, without the contact of the operator. It is created once, because it is the largest response, and public.
static TEXTS: LazyLock<Texts> = LazyLock::new(|| {
    let description: Value = serde_json::from_str(DESCRIPTION).expect("a test compares it with the code");
    Texts {
        json: description.to_string(),
        yaml: serde_saphyr::to_string(&description).expect("every JSON value can be written as YAML"),
    }
});

struct Texts {
    json: String,
    yaml: String,
}

/// The contact of the operator.
fn contact(config: &Config) -> Option<Value> {
    Some(match config.operator.as_ref()? {
        Contact::Email(address) => json!({ "email": address }),
        Contact::Page(url) => json!({ "url": url }),
    })
}

/// Inserts the contact at the beginning of `info`. The contact is JSON on one line, which is valid YAML too.
fn with_contact(text: &str, info: &str, contact: Option<&str>) -> String {
    match contact {
        None => text.to_owned(),
        Some(contact) => text.replacen(info, &format!("{info}{contact}"), 1),
    }
}

fn document(kind: &'static str, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// Read the description of this API, as JSON
#[utoipa::path(get, path = "/openapi.json", tag = "Service", operation_id = "describeAsJson",
    responses((status = 200, description = "An OpenAPI 3.1 description.", body = std::collections::HashMap<String, Value>)))]
pub(crate) async fn json(_: Public, session: Session) -> Response {
    let contact = contact(session.config()).map(|contact| format!("\"contact\":{contact},"));
    let text = with_contact(&TEXTS.json, "\"info\":{", contact.as_deref());
    document("application/json; charset=utf-8", text)
}

/// Read the description of this API, as YAML
#[utoipa::path(get, path = "/openapi.yaml", tag = "Service", operation_id = "describeAsYaml",
    responses((status = 200, description = "An OpenAPI 3.1 description.", body = String, content_type = "text/yaml")))]
pub(crate) async fn yaml(_: Public, session: Session) -> Response {
    let contact = contact(session.config()).map(|contact| format!("  contact: {contact}\n"));
    let text = with_contact(&TEXTS.yaml, "info:\n", contact.as_deref());
    document("text/yaml; charset=utf-8", text)
}
