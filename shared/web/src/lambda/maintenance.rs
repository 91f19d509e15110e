//! [`work`]: handles events that are not requests: schedules of maintenance, and steps of a deployment.

use lambda_http::Error;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::deployment;
use super::deployment::DeploymentReport;
use crate::jobs::maintenance::{Task, TaskResult};
use crate::state::Context;

/// The event of a schedule.
#[derive(Deserialize)]
struct ScheduleEvent {
    /// The tasks to run; `None` for all.
    tasks: Option<Vec<Task>>,
}

/// The result of an event without a request.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum WorkResult {
    Done(Vec<TaskResult>),
    DeploymentReport(DeploymentReport),
}

/// Whether an event is one of a schedule or a deployment, and not a request.
pub(super) fn is_work(event: &Value) -> bool {
    is_schedule(event) || deployment::is_step(event)
}

/// Runs the tasks of a schedule, or reports a step of a deployment.
///
/// # Errors
/// The errors of [`maintain`] and [`deployment::report`].
pub(super) async fn work(context: &Context, event: Value) -> Result<WorkResult, Error> {
    if deployment::is_step(&event) {
        return deployment::report(context, event)
            .await
            .map(WorkResult::DeploymentReport);
    }
    maintain(context, event).await.map(WorkResult::Done)
}

/// Whether an event comes from a schedule: it names tasks, or its source is a schedule of AWS, which stands for all tasks.
pub fn is_schedule(event: &Value) -> bool {
    let source = event["source"].as_str().unwrap_or_default();
    event.get("tasks").is_some() || ["aws.events", "aws.scheduler"].contains(&source)
}

/// Runs the tasks of a schedule.
///
/// # Errors
/// For a malformed event, and the error of the first task that failed.
pub async fn maintain(context: &Context, event: Value) -> Result<Vec<TaskResult>, Error> {
    let event: ScheduleEvent = serde_json::from_value(event)?;
    let tasks = event.tasks.unwrap_or_else(|| Task::ALL.to_vec());
    let results = context.maintain(&tasks).await;
    match results.iter().find(|result| result.failed) {
        Some(failed) => Err(Error::from(format!("{:?}: {}", failed.task, failed.outcome))),
        None => Ok(results),
    }
}
