//! [`DeploymentReport`]: the step of a deployment that migrates the database, as a custom resource of CloudFormation.
//!
//! CloudFormation invokes this function after it has updated its code, and before it updates the functions that handle requests. Every process
//! migrates the database when it opens it, so the event needs no further work: the function reports that it has started. If the migration
//! fails, the process ends without a report, and CloudFormation rolls the deployment back.

use bespoke_services::http::{Http, send};
use http::Method;
use lambda_http::Error;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::state::Context;

/// Timeout of a report, in milliseconds.
const REPORT_TIMEOUT_MS: u64 = 10_000;
/// The identity of the resource. It must not change, because CloudFormation would then delete the previous resource.
const RESOURCE: &str = "database";

/// The fields of a custom resource event that a report needs.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ResourceEvent {
    #[serde(rename = "ResponseURL")]
    response_url: String,
    stack_id: String,
    request_id: String,
    logical_resource_id: String,
}

/// The result of a step.
#[derive(Debug, Serialize)]
pub(super) struct DeploymentReport {
    /// The version of the database, in the format of `DB-Seq`.
    version: String,
}

/// Whether an event comes from CloudFormation.
pub(super) fn is_step(event: &Value) -> bool {
    event.get("ResponseURL").is_some() && event.get("RequestType").is_some()
}

/// Reports to CloudFormation whether this version of the code can use the database.
///
/// # Errors
/// If the event is incomplete, if the bucket does not respond, or if the report cannot be sent. In the second case CloudFormation rolls back
/// immediately, and in the others after its timeout.
pub(super) async fn report(context: &Context, event: Value) -> Result<DeploymentReport, Error> {
    let step: ResourceEvent = serde_json::from_value(event)?;
    let version = context.database().ping().await;
    let (status, reason) = match &version {
        Ok(version) => ("SUCCESS", version.to_string()),
        Err(error) => ("FAILED", format!("the database cannot be used: {error}")),
    };
    let report = json!({
        "Status": status,
        "Reason": reason,
        "PhysicalResourceId": RESOURCE,
        "StackId": step.stack_id,
        "RequestId": step.request_id,
        "LogicalResourceId": step.logical_resource_id,
    });
    // The signature of the URL is valid only for a request without `Content-Type`.
    let request = Http::new(REPORT_TIMEOUT_MS).request(Method::PUT, &step.response_url);
    let response = send(request.body(report.to_string())).await?;
    if !response.status.is_success() {
        return Err(format!("CloudFormation rejected the report: {}", response.status).into());
    }
    Ok(DeploymentReport {
        version: version?.to_string(),
    })
}
