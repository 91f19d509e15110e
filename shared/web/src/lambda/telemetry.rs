//! [`Telemetry`]: sends the spans of an invocation, and writes its metric line.

use std::sync::{Arc, Mutex, PoisonError};

use super::metric_line::MetricLine;
use crate::observability::SpanExport;
use crate::state::Context;

/// Sends the spans and writes the metric line of each invocation.
#[derive(Clone)]
pub(super) struct Telemetry {
    function: &'static str,
    line: Arc<Mutex<MetricLine>>,
    export: SpanExport,
}

impl Telemetry {
    pub(super) fn new(function: &'static str, export: SpanExport) -> Self {
        Self {
            function,
            line: Arc::default(),
            export,
        }
    }

    /// Sends the spans and writes the metric line. It must run before the response is returned, because Lambda freezes the process after the
    /// response.
    pub(super) async fn send(&self, context: &Context) {
        self.export.flush().await;
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.write(context, self.function);
    }
}
