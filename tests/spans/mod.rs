//! Tests of spans as a collector receives them, and of the trace of a request in the log and in calls to other services.

pub(crate) mod collector;
mod external_services;

use std::io::ErrorKind;
use std::net::TcpListener;

use bespoke_tests::support::{Server, secrets};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::{Value, json};
use tempfile::tempdir;

use self::collector::{Collector, Received, Span};
use self::external_services::{ExternalServices, ReceivedRequest};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
/// Span ids of callers.
const SIGNUP: &str = "b7ad6b7169203331";
const LIST: &str = "b7ad6b7169203332";
const ISSUE: &str = "b7ad6b7169203333";
const WRITE: &str = "b7ad6b7169203334";
/// The allowed attributes of spans: none depends on a person.
const ATTRIBUTES: [&str; 9] = [
    "bespoke.function",
    "bespoke.head.moved",
    "error.type",
    "http.request.method",
    "http.response.status_code",
    "http.route",
    "server.address",
    "server.port",
    "url.scheme",
];
const EMAIL: &str = "jane@freesewing.dev";

/// The settings of a server with a bucket of S3 and GitHub, and the mocks of both.
struct Setup {
    services: ExternalServices,
    settings: Vec<(String, String)>,
}

impl Setup {
    fn new(more: &[(&str, &str)]) -> Self {
        let services = ExternalServices::start();
        let url = services.server.url();
        let fixed = [
            ("BACKEND_STORE", "s3://bucket"),
            ("AWS_ENDPOINT_URL", &url),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("BACKEND_ENABLE_GITHUB", "yes"),
            ("BACKEND_GITHUB_TOKEN", "a-token-of-github"),
            ("BACKEND_GITHUB_API_URL", &url),
            ("BACKEND_LOG", "info,bespoke_web::request=debug"),
        ];
        let settings = fixed.iter().chain(more);
        let settings = settings.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self {
            settings: settings.collect(),
            services,
        }
    }

    /// Sends four requests of the trace [`TRACE`] and some others, and returns the log.
    fn run(&self, flags: &str) -> String {
        let folder = tempdir().unwrap();
        let settings: Vec<_> = self.settings.iter().map(|(name, value)| (&**name, &**value)).collect();
        let server = Server::start_with(folder.path(), &settings);
        let token = server.sign_up("first@freesewing.dev");
        let send = |method: &str, path: &str, parent: &str, headers: &str, body: &Value| {
            let parent = format!("traceparent: 00-{TRACE}-{parent}-{flags}\r\ntracestate: vendor=1\r\n");
            let headers = format!("{parent}{headers}Content-Type: application/json\r\n");
            secrets::plant_sent(body);
            let body = if body.is_null() {
                String::new()
            } else {
                body.to_string()
            };
            server.exchange(method, path, &headers, &body).0
        };
        let account = json!({ "email": EMAIL, "language": "en" });
        assert_eq!(send("POST", "/signup", SIGNUP, "", &account), 201);
        let authorization = format!("Authorization: {token}\r\n");
        let set = json!({ "name": "A name of a set" });
        assert_eq!(send("POST", "/sets/jwt", WRITE, &authorization, &set), 201);
        assert_eq!(
            send("GET", "/sets/jwt?x=secret-query", LIST, &authorization, &Value::Null),
            200
        );
        let issue = json!({ "title": "A title of an issue", "body": "A text of an issue" });
        assert_eq!(send("POST", "/issues", ISSUE, "", &issue), 201);
        for (path, status) in [
            ("/sets/999/jwt", 404),
            ("/Sets/jane@freesewing.dev/jwt/", 404),
            ("/sets/jane@x.dev/x", 404),
        ] {
            assert_eq!(server.exchange("GET", path, &authorization, "").0, status, "{path}");
        }
        server.stop()
    }
}

fn exporting(collector: &Collector) -> Setup {
    Setup::new(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.server.url()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=key-of-the-collector"),
    ])
}

fn child<'a>(spans: &'a [Span], parent: &str, name: &str) -> &'a Span {
    let mut children = spans
        .iter()
        .filter(|span| span.parent_id == parent && span.name == name);
    children
        .next()
        .unwrap_or_else(|| panic!("{name} below {parent}: {spans:#?}"))
}

fn traceparent(arrived: &ReceivedRequest) -> Option<&str> {
    arrived.headers.get("traceparent").map(|value| value.to_str().unwrap())
}

/// The lines of the log for requests.
pub(crate) fn lines(log: &str) -> Vec<Value> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["target"] == "bespoke_web::request").collect()
}

#[test]
fn spans_of_a_request_have_their_parents() {
    let collector = Collector::start();
    let setup = exporting(&collector);
    let log = setup.run("01");
    let received = collector.received();
    let spans = received.of_trace(TRACE);

    let signup = child(&spans, SIGNUP, "POST /signup");
    assert_eq!((signup.kind, signup.has_failed), (SpanKind::Server, false));
    for (name, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/signup"),
        ("http.response.status_code", "201"),
        ("url.scheme", "http"),
        ("bespoke.function", "account"),
    ] {
        assert_eq!(signup.attributes[name], value);
    }
    let commit = child(&spans, &signup.id, "commit");
    let put = child(&spans, &commit.id, "PUT");
    assert_eq!((commit.kind, put.kind), (SpanKind::Internal, SpanKind::Client));
    assert_eq!(put.attributes["http.response.status_code"], "200");

    let list = child(&spans, LIST, "GET /sets/jwt");
    let revalidation = child(&spans, &list.id, "revalidation");
    assert_eq!(revalidation.attributes["bespoke.head.moved"], "false");
    let get = child(&spans, &revalidation.id, "GET");
    assert_eq!(
        (get.attributes["http.response.status_code"].as_str(), get.has_failed),
        ("304", false)
    );

    // The transaction checks the credentials, so the request needs no revalidation before it.
    let write = child(&spans, WRITE, "POST /sets/jwt");
    child(&spans, &write.id, "commit");
    let of_write = spans.iter().filter(|span| span.parent_id == write.id);
    assert!(
        of_write.map(|span| &span.name).all(|name| name == "commit"),
        "{spans:#?}"
    );

    let issue = child(&spans, ISSUE, "POST /issues");
    let call = child(&spans, &issue.id, "POST");
    assert_eq!(
        (call.kind, call.attributes["server.address"].as_str()),
        (SpanKind::Client, "127.0.0.1")
    );

    assert_eq!(received.resource["service.name"], "bespoke");
    assert!(
        received
            .headers
            .iter()
            .all(|headers| headers["x-api-key"] == "key-of-the-collector")
    );
    bucket_alone_is_told_of_the_trace(&setup.services.requests(), &[&put.id, &get.id]);
    nothing_personal_is_exported(&received);
    assert!(!log.contains("key-of-the-collector"), "{log}");
}

fn bucket_alone_is_told_of_the_trace(arrived: &[ReceivedRequest], callers: &[&str]) {
    for caller in callers {
        let expected = format!("00-{TRACE}-{caller}-01");
        let request = arrived.iter().find(|request| traceparent(request) == Some(&expected));
        let request = request.unwrap_or_else(|| panic!("{expected} in {arrived:#?}"));
        assert!(request.path.starts_with("/bucket/"), "{request:?}");
        assert_eq!(request.headers["tracestate"], "vendor=1");
        let signed = request.headers["authorization"].to_str().unwrap();
        assert!(!signed.contains("traceparent"), "{signed}");
    }
    let github: Vec<_> = arrived
        .iter()
        .filter(|request| request.path.starts_with("/repos/"))
        .collect();
    assert_eq!(github.len(), 1);
    assert_eq!((&github[0].method, traceparent(github[0])), (&http::Method::POST, None));
}

fn nothing_personal_is_exported(received: &Received) {
    let mut names: Vec<_> = received.spans.iter().flat_map(|span| span.attributes.keys()).collect();
    names.sort();
    names.dedup();
    assert!(
        names.iter().all(|name| ATTRIBUTES.contains(&name.as_str())),
        "{names:?}"
    );
    secrets::check_output(&String::from_utf8_lossy(&received.bytes));
    let text = String::from_utf8_lossy(&received.bytes);
    for word in [EMAIL, "secret-query", "a-token-of-github", "head.json"] {
        assert!(!text.contains(word), "{word}");
    }
}

#[test]
fn request_lines_have_the_trace_and_no_query() {
    let setup = Setup::new(&[]);
    let log = setup.run("01");
    let lines = lines(&log);
    let found = |path: &str| {
        let line = lines.iter().rfind(|line| line["path"] == path);
        line.unwrap_or_else(|| panic!("{path}: {log}"))
    };
    for (path, method, status) in [
        ("/signup", "POST", 201),
        ("/sets/jwt", "GET", 200),
        ("/issues", "POST", 201),
    ] {
        let line = found(path);
        assert_eq!((&line["method"], &line["status"]), (&json!(method), &json!(status)));
        assert_eq!(line["trace_id"], TRACE);
        assert!(
            line["duration_ms"].is_u64() && line["bytes"].as_u64().unwrap() > 0,
            "{line}"
        );
        assert_eq!(line["request_id"].as_str().unwrap().len(), 36);
    }
    // A process without its own spans forwards the trace of its caller.
    let expected = format!("00-{TRACE}-{SIGNUP}-01");
    let arrived = setup.services.requests();
    assert!(arrived.iter().any(|request| traceparent(request) == Some(&expected)));
    for path in ["/sets/999/jwt", "/sets/{id}/jwt", "/sets/{}/{}"] {
        assert_eq!(found(path)["status"], 404);
    }
    let confirmation = found("/confirm/signup/{id}");
    assert_ne!(confirmation["trace_id"], TRACE);
    assert_eq!(confirmation["trace_id"].as_str().unwrap().len(), 32);
    for secret in ["secret-query", "jane@"] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[test]
fn unsampled_parent_has_no_spans() {
    let collector = Collector::start();
    let setup = exporting(&collector);
    let log = setup.run("00");
    let received = collector.received();
    assert!(received.of_trace(TRACE).is_empty(), "{received:#?}");
    // The requests without a caller are present, under the ids of the log.
    let signup = received.spans.iter().find(|span| span.name == "POST /signup").unwrap();
    assert_eq!(signup.parent_id, "");
    assert!(
        lines(&log).iter().any(|line| line["trace_id"] == *signup.trace_id),
        "{log}"
    );
}

#[test]
fn missing_collector_changes_no_response() {
    let unreachable = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let setup = Setup::new(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{unreachable}")),
        ("OTEL_BSP_SCHEDULE_DELAY", "1"),
    ]);
    let log = setup.run("01");
    let reports = log
        .lines()
        .filter(|line| line.contains("the collector did not accept spans"));
    assert_eq!(reports.count(), 1, "{log}");
}

#[test]
fn unusable_endpoint_is_reported_and_the_server_starts() {
    for name in ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] {
        let log = Setup::new(&[(name, "http://user:password-of-the-collector@ho st/")]).run("01");
        assert!(log.contains("spans are not exported") && log.contains(name), "{log}");
        assert!(!log.contains("password-of-the-collector"), "{log}");
    }
}

#[test]
fn extreme_export_settings_are_bounded() {
    let collector = Collector::start();
    let url = collector.server.url();
    let log = Setup::new(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &url),
        ("OTEL_BSP_SCHEDULE_DELAY", "0"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "99999999999999"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "0"),
    ])
    .run("01");
    let spans = collector.received().spans;
    assert!(spans.iter().any(|span| span.name == "POST /signup"), "{log}");
}

#[test]
fn disabled_export_opens_no_connection() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    for off in [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")] {
        Setup::new(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &url),
            ("OTEL_BSP_SCHEDULE_DELAY", "1"),
            off,
        ])
        .run("01");
    }
    listener.set_nonblocking(true).unwrap();
    let connected = listener.accept().map_err(|error| error.kind());
    assert!(matches!(connected, Err(ErrorKind::WouldBlock)), "{connected:?}");
}
