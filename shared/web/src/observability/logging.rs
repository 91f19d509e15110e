//! Log lines, written with `tracing` to standard error: plain text on a terminal, otherwise JSON. Each line of a request contains the id of
//! the request (`run_with_request_id`) and the id of its trace. Spans are exported by a layer that `start_with_spans` adds.

use std::fmt;
use std::io::IsTerminal;

use bespoke_storage::trace;
use http::HeaderValue;
use serde::Serialize;
use tracing::{Event, Subscriber};
use tracing_serde::fields::{AsMap, SerializeFieldMap};
use tracing_serde::{AsSerde, SerializeLevel};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::{DefaultFields, Format, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt::layer, registry};

use super::spans;
use super::spans::SpanExport;
use crate::config::Environment;

tokio::task_local! {
    static REQUEST_ID: HeaderValue;
}

/// The target of the line that is logged for each request, at the level `debug`.
pub(crate) const REQUESTS: &str = "bespoke_web::request";

/// Starts the log of this process, with the filter from the environment variables.
pub fn start(environment: &Environment) {
    begin(environment, &SpanExport::default());
}

/// Starts the log and, if the environment names a collector, the export of spans. If the exporter cannot be created, the reason is logged, and
/// the process runs without it.
pub fn start_with_spans(environment: &Environment) -> SpanExport {
    let (export, problem) = match spans::export(environment) {
        Ok(export) => (export, None),
        Err(problem) => (SpanExport::default(), Some(problem)),
    };
    begin(environment, &export);
    if let Some(problem) = problem {
        tracing::warn!(problem, "spans are not exported");
    }
    if environment.has_otel_in_dot_env() {
        tracing::warn!("the OTEL_ variables of .env have no effect: set them in the environment of the process");
    }
    export
}

fn begin(environment: &Environment, export: &SpanExport) {
    let result = match export.layer() {
        Some(spans) => registry().with(spans).with(lines(environment)).try_init(),
        None => registry().with(lines(environment)).try_init(),
    };
    // It fails if the log was started before, which tests do. Only the first start has an effect.
    let _ = result;
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string);
        tracing::error!(place, "panic");
    }));
}

/// The layer that writes log lines.
fn lines<S>(environment: &Environment) -> impl tracing_subscriber::Layer<S> + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let on_terminal = std::io::stderr().is_terminal();
    let lines = layer().with_writer(std::io::stderr);
    let lines = if on_terminal {
        let plain = Plain(Format::default().with_target(false));
        lines.fmt_fields(Fields::default()).event_format(plain).boxed()
    } else {
        lines.event_format(Json).boxed()
    };
    lines.with_filter(filter_of(environment.log_filter().as_deref(), on_terminal))
}

/// Parses the filter of log lines: a level, or levels of modules as in `info,bespoke_storage=debug`. Invalid text counts as `info`. If the
/// setting is missing, a terminal also shows each request. The filter excludes the spans of this project, because only exporters use them.
fn filter_of(setting: Option<&str>, on_terminal: bool) -> Targets {
    let default = || Targets::new().with_default(LevelFilter::INFO);
    let filter = match setting {
        Some(text) => text.parse().unwrap_or_else(|_| default()),
        None if on_terminal => default().with_target(REQUESTS, LevelFilter::DEBUG),
        None => default(),
    };
    filter.with_target(trace::TARGET, LevelFilter::OFF)
}

/// Runs the work of a request, so that its log lines contain the request id. The id is a task-local value and not a span, because a span costs
/// about 5 percent of the time of a request, and most requests log nothing. This is not an `async fn`, because its future would contain `work`
/// twice.
pub(crate) fn run_with_request_id<F: Future>(id: HeaderValue, work: F) -> impl Future<Output = F::Output> {
    REQUEST_ID.scope(id, work)
}

/// Runs work that a request has moved to another task, as [`run_with_request_id`]. `id` is the id of that request; `None` if the work belongs to
/// no request.
pub(crate) async fn run_with_optional_request_id<F: Future>(id: Option<HeaderValue>, work: F) -> F::Output {
    match id {
        Some(id) => run_with_request_id(id, work).await,
        None => work.await,
    }
}

/// The id of the current request.
pub(crate) fn request_id() -> Option<HeaderValue> {
    REQUEST_ID.try_with(HeaderValue::clone).ok()
}

/// Calls `f` with the id of the current request.
fn with_request_id<T>(f: impl FnOnce(Option<&str>) -> T) -> T {
    let id = request_id();
    f(id.as_ref().and_then(|id| id.to_str().ok()))
}

/// The format of a terminal: the request id, and then the plain format of the library.
struct Plain(Format);

impl<S, N> FormatEvent<S, N> for Plain
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        with_request_id(|id| id.map_or(Ok(()), |id| write!(writer, "{id} ")))?;
        self.0.format_event(context, writer, event)
    }
}

/// The fields of a line on a terminal, followed by the trace id.
#[derive(Default)]
struct Fields(DefaultFields);

impl<'writer> FormatFields<'writer> for Fields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'writer>, fields: R) -> fmt::Result {
        self.0.format_fields(writer.by_ref(), fields)?;
        trace::current_id().map_or(Ok(()), |id| write!(writer, " trace_id={id:032x}"))
    }
}

/// The JSON format: one object for each line.
struct Json;

#[derive(Serialize)]
struct JsonLine<'a> {
    timestamp: String,
    level: SerializeLevel<'a>,
    #[serde(flatten)]
    fields: SerializeFieldMap<'a, Event<'a>>,
    target: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    /// The field has the name of the OpenTelemetry conventions for logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
}

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut timestamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        let metadata = event.metadata();
        let text = with_request_id(|request_id| {
            serde_json::to_string(&JsonLine {
                timestamp,
                level: metadata.level().as_serde(),
                fields: event.field_map(),
                target: metadata.target(),
                request_id,
                trace_id: trace::current_id().map(|id| format!("{id:032x}")),
            })
        });
        writeln!(writer, "{}", text.map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use bespoke_storage::trace::{Position, TraceContext};
    use serde_json::Value;
    use tracing::{Level, Span};
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Written {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    impl Written {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    async fn log() {
        tracing::warn!(mails = 3, error = %io::Error::other("a \"quoted\" one"), "not sent");
    }

    #[tokio::test]
    async fn json_line_contains_the_request_id() {
        let written = Written::default();
        let lines = layer().with_writer(written.clone()).event_format(Json);
        let _here = tracing::subscriber::set_default(registry().with(lines));
        let position = Position::new(Some(TraceContext::new(0xab, 1)), Span::none());
        let work = position.run(log());
        run_with_request_id(HeaderValue::from_static("an-id"), work).await;
        log().await;
        let lines: Vec<Value> = written
            .text()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let [with, without] = &lines[..] else {
            panic!("{lines:?}");
        };
        assert_eq!(with["request_id"], "an-id");
        assert_eq!(with["trace_id"], "000000000000000000000000000000ab");
        assert_eq!((without.get("request_id"), without.get("trace_id")), (None, None));
        for line in [with, without] {
            assert_eq!((&line["level"], &line["message"]), (&"WARN".into(), &"not sent".into()));
            assert_eq!(
                (&line["mails"], &line["error"]),
                (&3.into(), &"a \"quoted\" one".into())
            );
            assert_eq!(line["target"], module_path!());
            assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
        }
    }

    #[tokio::test]
    async fn terminal_line_begins_with_the_request_id() {
        let written = Written::default();
        let plain = Plain(Format::default().with_target(false));
        let lines = layer().with_writer(written.clone()).with_ansi(false);
        let lines = lines.fmt_fields(Fields::default()).event_format(plain);
        let _here = tracing::subscriber::set_default(registry().with(lines));
        let position = Position::new(Some(TraceContext::new(0xab, 1)), Span::none());
        run_with_request_id(HeaderValue::from_static("an-id"), position.run(log())).await;
        let text = written.text();
        assert!(text.starts_with("an-id "), "{text}");
        assert!(text.ends_with(" trace_id=000000000000000000000000000000ab\n"), "{text}");
    }

    #[test]
    fn terminal_shows_requests_unless_a_setting_decides() {
        let shows = |setting, on_terminal| filter_of(setting, on_terminal).would_enable(REQUESTS, &Level::DEBUG);
        assert!(shows(None, true) && shows(Some("info,bespoke_web::request=debug"), false));
        assert!(!shows(None, false) && !shows(Some("info"), true) && !shows(Some("warn"), false));
        let filter = filter_of(Some("trace"), true);
        assert!(!filter.would_enable(trace::TARGET, &Level::ERROR));
    }
}
