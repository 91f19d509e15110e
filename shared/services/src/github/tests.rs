//! Tests with a mock of GitHub.

mod pages;
mod posts;

use std::time::Duration;

use bespoke_core::validate::Language;
use serde_json::{Value, json};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockBuilder, MockServer, ResponseTemplate};

use super::*;
use crate::Token;
use crate::http::tests::start_truncating_server;

/// Timeout of calls that are meant to time out, in milliseconds.
const SHORT_MS: u64 = 750;
/// Timeout of other calls, long enough for a busy machine, in milliseconds.
const LONG_MS: u64 = 30_000;

fn github_at(url: &str, timeout_ms: u64) -> Box<dyn GitHub> {
    let settings = GitHubSettings {
        api_url: url.to_owned(),
        token: Token::new("secret".into()),
        owner: "acme".into(),
        repository: "site".into(),
        branch: "develop".into(),
        labels: vec!["bug".into()],
        discussion_category: "ideas".into(),
        author: Author {
            name: "Bot".into(),
            email: "bot@example.org".into(),
        },
        notify: Some("maintainer".into()),
    };
    connect(Some(settings), Arc::new(Http::new(timeout_ms))).expect("it is on")
}

fn github(server: &MockServer) -> Box<dyn GitHub> {
    github_at(&server.uri(), LONG_MS)
}

/// A client with a short timeout.
fn impatient(server: &MockServer) -> Box<dyn GitHub> {
    github_at(&server.uri(), SHORT_MS)
}

/// Matches a call with the headers of every call.
fn on(verb: &str, url_path: &str) -> MockBuilder {
    Mock::given(method(verb))
        .and(path(url_path))
        .and(header("authorization", "Bearer secret"))
        .and(header("accept", "application/vnd.github.v3+json"))
        .and(header("x-github-api-version", "2022-11-28"))
}

async fn mock_answer(server: &MockServer, verb: &str, url_path: &str, answer: ResponseTemplate) {
    on(verb, url_path).respond_with(answer).mount(server).await;
}

fn json_answer(status: u16, body: Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(body)
}

/// Failed responses: refusals, temporary failures, late responses, and responses in another format.
fn failures() -> Vec<ResponseTemplate> {
    let refused = [301, 401, 403, 404, 410, 429, 500, 502, 503].map(ResponseTemplate::new);
    let others = [
        json_answer(201, json!({})).set_delay(Duration::from_secs(60)),
        ResponseTemplate::new(201).set_body_string("<html>"),
        json_answer(201, json!(["a list"])),
        ResponseTemplate::new(204),
    ];
    refused.into_iter().chain(others).collect()
}

/// Returns the received requests, in order.
async fn received(server: &MockServer) -> Vec<String> {
    let requests = server.received_requests().await.unwrap();
    let line = |request: &wiremock::Request| format!("{} {}", request.method, request.url.path());
    requests.iter().map(line).collect()
}

async fn body_of(server: &MockServer, index: usize) -> Value {
    server.received_requests().await.unwrap()[index].body_json().unwrap()
}
