//! The line that a function writes after each call, in the embedded metric format of CloudWatch, which makes metrics of it
//! while it reads the log: no call waits for another service.

use std::io::Write as _;

use serde_json::{Value, json};

use super::Counted;
use crate::{Context, Scheme};

/// Under which CloudWatch keeps them.
pub const NAMESPACE: &str = "Bespoke";
/// Names and units. CloudWatch takes money for each, once per instance: by function they stand in the lines, where a query of
/// the log finds them.
const METRICS: [(&str, &str); 9] = [
    ("Requests", "Count"),
    ("ClientErrors", "Count"),
    ("ServerErrors", "Count"),
    ("ByToken", "Count"),
    ("ByKey", "Count"),
    ("Duration", "Milliseconds"),
    ("Commits", "Count"),
    ("Mails", "Count"),
    ("MailFailures", "Count"),
];
/// One for each process, at its first call.
const COLD_STARTS: &str = "ColdStarts";

/// The names of all metrics that lines have.
pub fn names_of_lines() -> impl Iterator<Item = &'static str> {
    METRICS.into_iter().map(|(name, _)| name).chain([COLD_STARTS])
}

/// What the lines so far have said; each says what came since.
#[derive(Debug, Default)]
pub(crate) struct Line {
    warm: bool,
    before: [u64; METRICS.len()],
}

impl Line {
    /// Writes the next one to standard output, where there is something to say: the log goes to standard error.
    pub(crate) fn write(&mut self, context: &Context, function: &str) {
        if context.config().hide_metrics {
            return;
        }
        if let Some(line) = self.next(context, function) {
            // Nobody is there to be told.
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    }

    fn next(&mut self, context: &Context, function: &str) -> Option<Value> {
        let now = values(context);
        let mut metrics = Vec::new();
        let mut line = json!({ "instance": context.config().instance, "function": function });
        let mut say = |name: &str, unit: &str, value: u64| {
            metrics.push(json!({ "Name": name, "Unit": unit }));
            line[name] = value.into();
        };
        for ((name, unit), (now, before)) in METRICS.into_iter().zip(now.into_iter().zip(self.before)) {
            if now > before {
                say(name, unit, now - before);
            }
        }
        if !std::mem::replace(&mut self.warm, true) {
            say(COLD_STARTS, "Count", 1);
        }
        self.before = now;
        if metrics.is_empty() {
            return None;
        }
        line["_aws"] = json!({
            "Timestamp": context.now().as_millis(),
            "CloudWatchMetrics": [{ "Namespace": NAMESPACE, "Dimensions": [["instance"]], "Metrics": metrics }],
        });
        Some(line)
    }
}

/// The counts so far, in the order of [`METRICS`].
fn values(context: &Context) -> [u64; METRICS.len()] {
    let metrics = context.metrics();
    let all = metrics.requests();
    let sum = |fits: &dyn Fn(&Counted) -> bool| all.iter().filter(|counted| fits(counted)).map(Counted::requests).sum();
    [
        sum(&|_| true),
        sum(&|counted| counted.status_class == 4),
        sum(&|counted| counted.status_class == 5),
        sum(&|counted| counted.scheme == Some(Scheme::Jwt)),
        sum(&|counted| counted.scheme == Some(Scheme::Key)),
        metrics.total_ms().map(|(_, ms)| ms).sum(),
        metrics.commits(),
        metrics.mails(),
        metrics.mail_failures(),
    ]
}
