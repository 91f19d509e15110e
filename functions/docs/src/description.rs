//! `GET /openapi.json` and `GET /openapi.yaml`

use axum::response::Response;
use bespoke_web::{Error, Public, Result, ok};
use serde_json::Value;

/// The description, made from the code by `bespoke openapi` and kept in step by a test: this function describes all the
/// others without being linked with them.
const DESCRIPTION: &str = include_str!("../openapi.json");

fn description() -> Result<Value> {
    serde_json::from_str(DESCRIPTION).map_err(Error::internal)
}

/// The description of this API, as JSON
#[utoipa::path(get, path = "/openapi.json", tag = "Service", operation_id = "describeAsJson",
    responses((status = 200, description = "An OpenAPI 3.1 description.", body = std::collections::HashMap<String, Value>)))]
pub(crate) async fn json(_: Public) -> Result<Response> {
    Ok(ok(&description()?))
}

/// The description of this API, as YAML
#[utoipa::path(get, path = "/openapi.yaml", tag = "Service", operation_id = "describeAsYaml",
    responses((status = 200, description = "An OpenAPI 3.1 description.", body = String, content_type = "text/yaml")))]
pub(crate) async fn yaml(_: Public) -> Result<Response> {
    bespoke_web::yaml(Some(&description()?))
}
