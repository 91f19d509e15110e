//! [`MetricLine`]: the metrics of an invocation, in the embedded metric format of CloudWatch. CloudWatch extracts the metrics from the
//! log, so that no invocation waits for a metrics service.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::access::Scheme;
use crate::observability::metrics::RequestCounts;
use crate::state::Context;

/// The namespace of the metrics in CloudWatch.
pub const NAMESPACE: &str = "Bespoke";
/// Names and units of the metrics. Their only dimension is `instance`, because CloudWatch charges for each combination of dimensions. A query
/// of the log can also group the lines by function.
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
/// The metric for the first invocation of a process.
const COLD_STARTS: &str = "ColdStarts";

/// The names of all metrics.
pub fn names_of_lines() -> impl Iterator<Item = &'static str> {
    METRICS.into_iter().map(|(name, _)| name).chain([COLD_STARTS])
}

/// Writes metric lines. Each line contains the differences since the previous line.
#[derive(Debug, Default)]
pub(super) struct MetricLine {
    /// Whether the process has handled an invocation before.
    warm: bool,
    /// The counters at the previous line.
    previous: [u64; METRICS.len()],
}

impl MetricLine {
    /// Writes the next line to standard output, unless nothing has changed. (The log is written to standard error.)
    pub(super) fn write(&mut self, context: &Context, function: &str) {
        if context.config().hide_metrics {
            return;
        }
        if let Some(line) = self.next(context, function) {
            // A failed write cannot be reported anywhere.
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    }

    fn next(&mut self, context: &Context, function: &str) -> Option<Value> {
        let current = values(context);
        let mut metrics = Vec::new();
        let mut line = json!({ "instance": context.config().instance, "function": function });
        let mut add = |name: &str, unit: &str, value: u64| {
            metrics.push(json!({ "Name": name, "Unit": unit }));
            line[name] = value.into();
        };
        for ((name, unit), (current, previous)) in METRICS.into_iter().zip(current.into_iter().zip(self.previous)) {
            if current > previous {
                add(name, unit, current - previous);
            }
        }
        if !std::mem::replace(&mut self.warm, true) {
            add(COLD_STARTS, "Count", 1);
        }
        self.previous = current;
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

/// Returns the counters in the order of [`METRICS`].
fn values(context: &Context) -> [u64; METRICS.len()] {
    let metrics = context.metrics();
    let all = metrics.requests();
    let sum = |matches: &dyn Fn(&RequestCounts) -> bool| {
        all.iter()
            .filter(|counted| matches(counted))
            .map(RequestCounts::total)
            .sum()
    };
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
