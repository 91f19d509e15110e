//! Logs: `tracing`, to standard error; plain on a terminal, JSON lines otherwise.

use std::fmt::Debug;
use std::io::IsTerminal;

use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt, registry};

/// Starts the log of this process. `filter` is a level, or levels of modules as in `info,bespoke_storage=debug`; what is neither
/// counts as `info`.
pub fn start(filter: &str) {
    let filter: Targets = filter
        .parse()
        .unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO));
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = if std::io::stderr().is_terminal() {
        lines.with_target(false).boxed()
    } else {
        let json = lines.json().flatten_event(true);
        let json = json.with_current_span(true).with_span_list(false);
        json.fmt_fields(SpanFields).boxed()
    };
    // A second start in one process (tests) keeps the first.
    let _ = registry().with(lines.with_filter(filter)).try_init();
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string);
        tracing::error!(place, "panic");
    }));
}

/// Writes the fields of a span as a JSON object. Every request has a span, most of them are never logged, and the writer of the
/// library builds a tree for each; nobody adds fields to a span of ours later, which that can and this cannot.
struct SpanFields;

impl<'w> FormatFields<'w> for SpanFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> std::fmt::Result {
        let mut visit = JsonFields {
            writer,
            result: Ok(()),
            opened: false,
        };
        fields.record(&mut visit);
        let opened = visit.opened;
        visit.result?;
        visit.writer.write_str(if opened { "}" } else { "{}" })
    }
}

struct JsonFields<'w> {
    writer: Writer<'w>,
    result: std::fmt::Result,
    opened: bool,
}

impl JsonFields<'_> {
    fn write(&mut self, name: &str, text: &str) -> std::fmt::Result {
        let text = serde_json::to_string(text).map_err(|_| std::fmt::Error)?;
        self.writer.write_str(if self.opened { ",\"" } else { "{\"" })?;
        self.opened = true;
        self.writer.write_str(name)?;
        self.writer.write_str("\":")?;
        self.writer.write_str(&text)
    }
}

impl Visit for JsonFields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if self.result.is_ok() {
            self.result = self.write(field.name(), value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}
