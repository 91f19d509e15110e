//! `GET /openapi.json` and `GET /openapi.yaml`

use axum::response::Response;
use bespoke_web::{Config, Contact, Error, Public, Result, Session, ok};
use serde_json::{Value, json};

/// The description, made from the code by `bespoke openapi` and kept in step by a test: this function describes all the
/// others without being linked with them.
const DESCRIPTION: &str = include_str!("../openapi.json");

/// The description, with where the operator of this instance is reached.
fn description(config: &Config) -> Result<Value> {
    let mut description: Value = serde_json::from_str(DESCRIPTION).map_err(Error::internal)?;
    match &config.operator {
        Some(Contact::Email(address)) => description["info"]["contact"] = json!({ "email": address }),
        Some(Contact::Page(url)) => description["info"]["contact"] = json!({ "url": url }),
        None => {}
    }
    Ok(description)
}

/// The description of this API, as JSON
#[utoipa::path(get, path = "/openapi.json", tag = "Service", operation_id = "describeAsJson",
    responses((status = 200, description = "An OpenAPI 3.1 description.", body = std::collections::HashMap<String, Value>)))]
pub(crate) async fn json(_: Public, session: Session) -> Result<Response> {
    Ok(ok(&description(session.config())?))
}

/// The description of this API, as YAML
#[utoipa::path(get, path = "/openapi.yaml", tag = "Service", operation_id = "describeAsYaml",
    responses((status = 200, description = "An OpenAPI 3.1 description.", body = String, content_type = "text/yaml")))]
pub(crate) async fn yaml(_: Public, session: Session) -> Result<Response> {
    bespoke_web::yaml(Some(&description(session.config())?))
}
