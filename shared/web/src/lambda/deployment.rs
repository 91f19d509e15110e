//! The step of a deployment that migrates the database, as a custom resource of CloudFormation.
//!
//! CloudFormation invokes the function after it has got new code, and before the functions that answer requests get theirs. Every
//! process migrates the database when it opens it, so the event needs no work of its own: the function reports that its start
//! succeeded. If the migration fails, the process ends before that, CloudFormation gets no report, and it rolls the deployment back.

use bespoke_services::http::{Http, send};
use http::Method;
use lambda_http::Error;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Context;

/// How long a report may take, in milliseconds.
const REPORT_TIMEOUT_MS: u64 = 10_000;
/// The identity of the resource. One that changed would make CloudFormation delete the resource of before.
const RESOURCE: &str = "database";

/// The event that CloudFormation sends for a custom resource, as far as a report needs it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Step {
    #[serde(rename = "ResponseURL")]
    response_url: String,
    stack_id: String,
    request_id: String,
    logical_resource_id: String,
}

/// The result of a step.
#[derive(Debug, Serialize)]
pub(super) struct Deployed {
    /// The state of the database, as `DB-Seq` names it.
    version: String,
}

/// Whether CloudFormation sent an event.
pub(super) fn is_step(event: &Value) -> bool {
    event.get("ResponseURL").is_some() && event.get("RequestType").is_some()
}

/// Reports to CloudFormation whether this version of the code can use the database.
///
/// # Errors
/// If the event is incomplete, if the bucket does not answer, or if the report does not arrive. CloudFormation rolls back after the
/// second, and when its time is over after the others.
pub(super) async fn report(context: &Context, event: Value) -> Result<Deployed, Error> {
    let step: Step = serde_json::from_value(event)?;
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
    // The URL is signed for a request without a type of content.
    let request = Http::new(REPORT_TIMEOUT_MS).request(Method::PUT, &step.response_url);
    let answer = send(request.body(report.to_string())).await?;
    if !answer.status.is_success() {
        return Err(format!("CloudFormation refused the report: {}", answer.status).into());
    }
    Ok(Deployed {
        version: version?.to_string(),
    })
}
