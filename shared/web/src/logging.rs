//! Logs: `tracing`, to standard error; plain on a terminal, JSON lines otherwise. Each line of a request has the id of the request.

use std::fmt;
use std::io::IsTerminal;

use http::HeaderValue;
use serde::Serialize;
use tracing::{Event, Subscriber};
use tracing_serde::fields::{AsMap, SerializeFieldMap};
use tracing_serde::{AsSerde, SerializeLevel};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::{Format, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt::layer, registry};

tokio::task_local! {
    static REQUEST_ID: HeaderValue;
}

/// Starts the log of this process. `filter` is a level, or levels of modules as in `info,bespoke_storage=debug`; what is neither
/// counts as `info`.
pub fn start(filter: &str) {
    let filter: Targets = filter
        .parse()
        .unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO));
    let lines = layer().with_writer(std::io::stderr);
    let lines = if std::io::stderr().is_terminal() {
        lines.event_format(Plain(Format::default().with_target(false))).boxed()
    } else {
        lines.event_format(Json).boxed()
    };
    // A second start in one process (tests) keeps the first.
    let _ = registry().with(lines.with_filter(filter)).try_init();
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string);
        tracing::error!(place, "panic");
    }));
}

/// Works on a request: what that logs has the id. A span would do the same, and costs a twentieth of a request, of which most log
/// nothing.
pub(crate) async fn of_request<F: Future>(id: HeaderValue, work: F) -> F::Output {
    REQUEST_ID.scope(id, work).await
}

/// Calls `f` with the id of the request that is under way here.
fn with_request_id<T>(f: impl FnOnce(Option<&str>) -> T) -> T {
    let id = REQUEST_ID.try_with(HeaderValue::clone).ok();
    f(id.as_ref().and_then(|id| id.to_str().ok()))
}

/// What the library writes, behind the id of the request.
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

/// One JSON object a line.
struct Json;

#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    level: SerializeLevel<'a>,
    #[serde(flatten)]
    fields: SerializeFieldMap<'a, Event<'a>>,
    target: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
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
            serde_json::to_string(&Line {
                timestamp,
                level: metadata.level().as_serde(),
                fields: event.field_map(),
                target: metadata.target(),
                request_id,
            })
        });
        writeln!(writer, "{}", text.map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use serde_json::Value;
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
    async fn a_line_is_an_object_with_the_id_of_its_request() {
        let written = Written::default();
        let lines = layer().with_writer(written.clone()).event_format(Json);
        let _here = tracing::subscriber::set_default(registry().with(lines));
        of_request(HeaderValue::from_static("an-id"), log()).await;
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
        assert_eq!(without.get("request_id"), None);
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
    async fn a_line_on_a_terminal_begins_with_the_id_of_its_request() {
        let written = Written::default();
        let plain = Plain(Format::default().with_target(false));
        let lines = layer().with_writer(written.clone()).event_format(plain);
        let _here = tracing::subscriber::set_default(registry().with(lines));
        of_request(HeaderValue::from_static("an-id"), log()).await;
        assert!(written.text().starts_with("an-id "), "{}", written.text());
    }
}
