//! Test that random requests get the same response from `bespoke serve` and from a Lambda function behind an API gateway.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::json;

use super::event::event;
use super::installation::{Installation, invoke};

/// The number of random requests that are compared.
const REQUESTS: usize = 300;

const METHODS: [&str; 8] = ["GET", "GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS"];
const PATHS: [&str; 22] = [
    "/",
    "/healthz",
    "/HEALTHZ/",
    "/designs",
    "/measurements",
    "/measurements/check",
    "/info/stats",
    "/curated-sets/1",
    "/curated-sets/1.yaml",
    "/curated-sets",
    "/sets/key",
    "/sets/1/key",
    "/sets/nonsense/jwt",
    "/account/jwt",
    "/whoami/jwt",
    "/signin",
    "/find/users",
    "/users/1",
    "/nowhere",
    "/sets",
    "/docs",
    "/openapi.json",
];
const QUERIES: [&str; 7] = [
    "",
    "a=1",
    "limit=2&limit=3",
    "x=%20%zz",
    "q=a+b",
    "limit=1&after=9",
    "limit=1#x",
];
/// Header lines, of which a request may contain several with the same name.
const HEADERS: [(&str, &str); 38] = [
    ("accept", "application/json"),
    ("accept", "text/html, */*"),
    ("accept-encoding", "gzip"),
    ("accept-encoding", "br"),
    ("if-none-match", "\"a\""),
    ("if-none-match", "*"),
    ("if-none-match", "W/\"b\", \"c\""),
    ("if-match", "\"a\""),
    ("origin", "https://lab.example.org"),
    ("origin", "https://other.example.org"),
    ("access-control-request-method", "PATCH"),
    ("access-control-request-headers", "authorization"),
    ("access-control-request-headers", "content-type"),
    ("authorization", "Bearer nonsense"),
    ("authorization", "Basic bm9uc2Vuc2U="),
    ("authorization", "Basic"),
    ("content-type", "application/json"),
    ("content-type", "application/json; charset=utf8"),
    ("content-type", "text/yaml"),
    ("content-type", "text/json"),
    ("content-type", "application/json, application/json"),
    ("content-encoding", "x-gzip"),
    ("content-encoding", "identity, gzip"),
    ("content-encoding", "gzip"),
    ("content-encoding", "identity"),
    ("idempotency-key", "one"),
    ("idempotency-key", "two"),
    ("x-request-id", "abc-1"),
    ("x-request-id", "abc-2"),
    ("x-forwarded-proto", "https,http"),
    ("x-forwarded-proto", "no scheme ://"),
    ("x-forwarded-proto", ""),
    ("x-forwarded-for", "192.0.2.1"),
    ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ("tracestate", "a=1"),
    ("tracestate", "b=2"),
    ("cookie", "a=1"),
    ("cookie", "b=2"),
];
const BODIES: [&str; 5] = [
    "",
    "{}",
    "{\"measurements\":{\"chest\":930},\"match\":\"a\"}",
    "a: [1",
    "[1, 2]",
];
/// API Gateway stages. Every stage except `$default` prefixes the path.
const STAGES: [&str; 3] = ["$default", "prod", "sets"];

#[derive(Debug)]
struct RandomRequest {
    method: &'static str,
    path: &'static str,
    query: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    body: &'static str,
    stage: &'static str,
}

fn any_request() -> impl Strategy<Value = RandomRequest> {
    let headers = proptest::collection::vec(select(HEADERS.to_vec()), 0..6);
    let parts = (
        select(METHODS.to_vec()),
        select(PATHS.to_vec()),
        select(QUERIES.to_vec()),
        headers,
    );
    (parts, select(BODIES.to_vec()), select(STAGES.to_vec())).prop_map(
        |((method, path, query, headers), body, stage)| RandomRequest {
            method,
            path,
            query,
            headers,
            body: if matches!(method, "POST" | "PATCH" | "PUT") {
                body
            } else {
                ""
            },
            stage,
        },
    )
}

impl RandomRequest {
    /// The request as a client sends it, with a line for each header.
    fn http(&self) -> Vec<u8> {
        let query = if self.query.is_empty() {
            String::new()
        } else {
            format!("?{}", self.query)
        };
        let mut text = format!(
            "{} {}{query} HTTP/1.1\r\nhost: api.example.com\r\n",
            self.method, self.path
        );
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        let length = self.body.len();
        text += &format!("content-length: {length}\r\nconnection: close\r\n\r\n{}", self.body);
        text.into_bytes()
    }

    /// The event that an API gateway makes of the request. It joins the values of a header.
    fn event(&self) -> serde_json::Value {
        let mut event = event(self.method, self.path, "", &serde_json::Value::Null);
        let mut headers = BTreeMap::from([("host", "api.example.com".to_owned())]);
        let mut cookies = Vec::new();
        for (name, value) in &self.headers {
            if *name == "cookie" {
                cookies.push(*value);
                continue;
            }
            let joined = headers
                .entry(name)
                .and_modify(|before| *before = format!("{before},{value}"));
            joined.or_insert_with(|| (*value).to_owned());
        }
        event["headers"] = json!(headers);
        if !cookies.is_empty() {
            event["cookies"] = json!(cookies);
        }
        event["rawQueryString"] = self.query.into();
        event["requestContext"]["stage"] = self.stage.into();
        if self.stage != "$default" {
            let path = format!("/{}{}", self.stage, self.path);
            event["requestContext"]["http"]["path"] = path.clone().into();
            event["rawPath"] = path.into();
        }
        // API Gateway uses `$default` only for requests that match no other route.
        event["routeKey"] = "ANY /{proxy+}".into();
        event["requestContext"]["routeKey"] = event["routeKey"].clone();
        if !self.body.is_empty() {
            event["body"] = STANDARD.encode(self.body).into();
            event["isBase64Encoded"] = true.into();
        }
        event
    }
}

#[tokio::test]
async fn random_requests_get_the_same_response_from_both_hosts() {
    let origin = Installation::demonstration().await;
    let copies = [origin.copy(), origin.copy()];
    let settings = &[
        ("BACKEND_RATE_LIMITS", "off"),
        ("BACKEND_CORS_ORIGINS", "https://lab.example.org"),
    ];
    let serve = copies[0].serve(settings).await;
    let settings = &[settings.as_slice(), &[("BACKEND_URL", &serve.url)]].concat();
    let lambda = copies[1].function("all", "cache-a", settings).await;
    let (mut runner, requests) = (TestRunner::deterministic(), any_request());
    let mut statuses = BTreeMap::new();
    for _ in 0..REQUESTS {
        let request = requests.new_tree(&mut runner).unwrap().current();
        // `masked` replaces ids, times and tokens by placeholders.
        let served = serve.send(&request.http()).await.masked();
        let answered = invoke(&lambda, request.event()).await.masked();
        assert_eq!(
            answered, served,
            "the function on the left, serve on the right: {request:?}"
        );
        assert!(served.status < 500, "{request:?}");
        *statuses.entry(served.status).or_insert(0) += 1;
    }
    for status in [200, 204, 400, 401, 404, 405] {
        assert!(statuses.contains_key(&status), "{status} in {statuses:?}");
    }
}
