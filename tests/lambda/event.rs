//! Events of an API gateway: the samples in events/ ([`SAMPLES`]), and those that a test builds ([`event`]).

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bespoke_tests::support::Key;
use serde_json::{Value, json};

/// A sample, and the expected status: with the demonstration key as in the file, and with a key that may write in its
/// place. The first part of a name is the function.
pub(super) struct Sample {
    pub(super) name: &'static str,
    pub(super) status: u16,
    pub(super) status_of_writer: u16,
}

const fn sample(name: &'static str, status: u16, status_of_writer: u16) -> Sample {
    Sample {
        name,
        status,
        status_of_writer,
    }
}

/// Every sample.
pub(super) const SAMPLES: &[Sample] = &[
    sample("account.available.multiquery", 200, 200),
    sample("account.card.missing", 404, 404),
    sample("account.consent.preflight", 204, 204),
    sample("account.import.refused", 403, 400),
    sample("account.oauth.base64", 403, 403),
    sample("account.oauth.preflight", 204, 204),
    sample("account.oauth.return", 403, 403),
    sample("account.profile", 200, 200),
    sample("account.read.anonymous", 401, 401),
    sample("account.read.case", 200, 200),
    sample("account.read.key", 200, 200),
    sample("account.signin.refused", 401, 401),
    sample("account.signinlink.base64", 200, 200),
    sample("account.signup.base64", 201, 201),
    sample("account.usage.anonymous", 401, 401),
    sample("admin.audit.multiquery", 403, 403),
    sample("admin.impersonate.anonymous", 401, 401),
    sample("admin.keys.anonymous", 401, 401),
    sample("admin.outbox.multiquery", 403, 403),
    sample("admin.retry.key", 403, 403),
    sample("admin.search.base64", 403, 403),
    sample("admin.subscribers.case", 403, 403),
    sample("admin.update.preflight", 204, 204),
    sample("admin.usage.key", 403, 403),
    sample("admin.user.anonymous", 401, 401),
    sample("admin.user.key", 403, 403),
    sample("apikeys.create.base64", 403, 201),
    sample("apikeys.delete.preflight", 204, 204),
    sample("apikeys.list.anonymous", 401, 401),
    sample("apikeys.list.multiquery", 200, 200),
    sample("apikeys.read.case", 200, 403),
    sample("apikeys.rotate.key", 403, 403),
    sample("apikeys.usage.missing", 404, 404),
    sample("apikeys.whoami.key", 200, 200),
    sample("bookmarks.create.base64", 403, 201),
    sample("bookmarks.list.multiquery", 200, 200),
    sample("bookmarks.list.slash", 200, 200),
    sample("bookmarks.read.anonymous", 401, 401),
    sample("bookmarks.read.case", 404, 404),
    sample("bookmarks.update.preflight", 204, 204),
    sample("confirmations.read.case", 404, 404),
    sample("confirmations.read.decoded", 404, 404),
    sample("confirmations.read.missing", 404, 404),
    sample("confirmations.read.multiquery", 404, 404),
    sample("confirmations.read.preflight", 204, 204),
    sample("confirmations.read.slash", 404, 404),
    sample("console.link", 200, 200),
    sample("console.missing", 404, 404),
    sample("console.page", 200, 200),
    sample("console.script.gzip", 200, 200),
    sample("console.style", 200, 200),
    sample("console.text", 200, 200),
    sample("curated-sets.clone.base64", 403, 201),
    sample("curated-sets.create.base64", 403, 403),
    sample("curated-sets.list.json", 200, 200),
    sample("curated-sets.list.multiquery", 200, 200),
    sample("curated-sets.list.yaml", 200, 200),
    sample("curated-sets.measurements", 200, 200),
    sample("curated-sets.measurements.missing", 404, 404),
    sample("curated-sets.read.case", 200, 200),
    sample("curated-sets.read.missing.yaml", 404, 404),
    sample("curated-sets.suggested.anonymous", 401, 401),
    sample("curated-sets.update.preflight", 204, 204),
    sample("docs.description.multiquery", 200, 200),
    sample("docs.description.preflight", 204, 204),
    sample("docs.description.yaml", 200, 200),
    sample("docs.landing", 200, 200),
    sample("docs.reference", 301, 301),
    sample("docs.reference.script", 200, 200),
    sample("flows.discussion.disabled", 400, 400),
    sample("flows.invite.base64", 200, 200),
    sample("flows.invite.empty", 400, 400),
    sample("flows.invite.refused", 400, 400),
    sample("flows.issue.disabled", 400, 400),
    sample("flows.issue.preflight", 204, 204),
    sample("flows.page.key", 403, 400),
    sample("flows.slug.anonymous", 401, 401),
    sample("flows.slug.case", 400, 400),
    sample("flows.slug.multiquery", 400, 400),
    sample("flows.suggest.base64", 200, 200),
    sample("images.default", 302, 302),
    sample("images.default.head", 302, 302),
    sample("images.default.slash", 302, 302),
    sample("images.delete.anonymous", 401, 401),
    sample("images.delete.key", 403, 403),
    sample("images.read.case", 404, 404),
    sample("images.read.decoded", 404, 404),
    sample("images.read.missing", 404, 404),
    sample("images.read.multiquery", 404, 404),
    sample("images.read.preflight", 204, 204),
    sample("images.upload.base64", 200, 200),
    sample("images.upload.key", 200, 200),
    sample("images.upload.refused", 400, 400),
    sample("images.upload.url", 403, 403),
    sample("info.health", 200, 200),
    sample("info.health.case", 200, 200),
    sample("info.health.multiquery", 200, 200),
    sample("info.ready", 200, 200),
    sample("info.unknown", 404, 404),
    sample("info.unknown.base64", 404, 404),
    sample("info.unknown.preflight", 204, 204),
    sample("measurements.check.base64", 200, 200),
    sample("measurements.check.preflight", 204, 204),
    sample("measurements.check.refused", 400, 400),
    sample("measurements.design.case", 200, 200),
    sample("measurements.design.missing", 404, 404),
    sample("measurements.designs", 200, 200),
    sample("measurements.list.multiquery", 200, 200),
    sample("option-packs.design.case", 200, 200),
    sample("option-packs.list.multiquery", 200, 200),
    sample("option-packs.list.yaml", 200, 200),
    sample("option-packs.read.missing", 404, 404),
    sample("option-packs.suggest.base64", 403, 200),
    sample("option-packs.suggested.anonymous", 401, 401),
    sample("option-packs.update.preflight", 204, 204),
    sample("patterns.create.base64", 403, 201),
    sample("patterns.list.multiquery", 200, 200),
    sample("patterns.public.missing.json", 404, 404),
    sample("patterns.public.missing.yaml", 404, 404),
    sample("patterns.read.anonymous", 401, 401),
    sample("patterns.read.case", 404, 404),
    sample("patterns.update.preflight", 204, 204),
    sample("sets.clone.key", 403, 201),
    sample("sets.create.base64", 403, 201),
    sample("sets.import.base64", 403, 201),
    sample("sets.import.refused", 403, 400),
    sample("sets.list.multiquery", 200, 200),
    sample("sets.lookup.key", 200, 403),
    sample("sets.lookup.missing", 404, 404),
    sample("sets.measurements.public", 200, 200),
    sample("sets.measurements.refused", 400, 403),
    sample("sets.public.json", 200, 200),
    sample("sets.public.missing.yaml", 404, 404),
    sample("sets.public.yaml", 200, 200),
    sample("sets.read.anonymous", 401, 401),
    sample("sets.read.case", 200, 403),
    sample("sets.read.decoded", 404, 404),
    sample("sets.read.head", 200, 403),
    sample("sets.read.key", 200, 403),
    sample("sets.read.slash", 200, 403),
    sample("sets.read.unchanged", 304, 403),
    sample("sets.update.preflight", 204, 204),
    sample("subscribers.confirm.base64", 404, 404),
    sample("subscribers.leave.case", 404, 404),
    sample("subscribers.leave.multiquery", 404, 404),
    sample("subscribers.leave.preflight", 204, 204),
    sample("subscribers.oneclick.form", 200, 200),
    sample("subscribers.oneclick.missing", 404, 404),
    sample("subscribers.remove.base64", 200, 200),
    sample("subscribers.subscribe.base64", 200, 200),
];

/// The event that a schedule sends to the function `maintenance`, which is not behind the gateway.
pub(super) const SCHEDULES: &[&str] = &[
    "maintenance.all",
    "maintenance.mail",
    "maintenance.often",
    "maintenance.refused",
];

/// The content of that file.
pub(super) fn read(name: &str) -> Value {
    let text = std::fs::read_to_string(folder().join(format!("{name}.json")));
    let text = text.unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

impl Sample {
    pub(super) fn function(&self) -> &'static str {
        self.name.split('.').next().expect("a split has a first part")
    }

    pub(super) fn event(&self) -> Value {
        read(self.name)
    }

    /// The event with that key, if it has one.
    pub(super) fn event_with(&self, key: &Key) -> Value {
        let mut event = self.event();
        if let Some(authorization) = event["headers"].get_mut("authorization") {
            *authorization = key.authorization().into();
        }
        event
    }
}

/// The folder of the samples.
pub(super) fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../events"))
}

/// An event with a body (unless it is null), with a token (unless it is empty).
pub(super) fn event(method: &str, path: &str, token: &str, body: &Value) -> Value {
    let mut event = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
        "headers": { "host": "api.example.com", "x-forwarded-proto": "https" },
        "requestContext": {
            "accountId": "123456789012", "apiId": "test", "domainName": "api.example.com", "domainPrefix": "api",
            "requestId": "test", "routeKey": "$default", "stage": "$default",
            "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7", "userAgent": "test" },
            "time": "01/Jan/2026:00:00:00 +0000", "timeEpoch": 1_767_225_600_000_i64
        },
        "isBase64Encoded": false
    });
    if !token.is_empty() {
        event["headers"]["authorization"] = format!("Bearer {token}").into();
    }
    if !body.is_null() {
        event["headers"]["content-type"] = "application/json".into();
        event["body"] = STANDARD.encode(body.to_string()).into();
        event["isBase64Encoded"] = true.into();
    }
    event
}

/// The client's request from which the gateway made this event.
pub(super) fn http_request(event: &Value) -> Vec<u8> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let mut target = String::new();
    for byte in text(&event["rawPath"]).bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            target.push(char::from(byte));
        } else {
            target.push_str(&format!("%{byte:02X}"));
        }
    }
    let query = text(&event["rawQueryString"]);
    if !query.is_empty() {
        target = format!("{target}?{query}");
    }
    let body = event["body"].as_str().unwrap_or_default();
    let body = match event["isBase64Encoded"].as_bool().expect("a flag") {
        true => STANDARD.decode(body).expect("base64"),
        false => body.as_bytes().to_owned(),
    };
    let mut head = format!(
        "{} {target} HTTP/1.1\r\n",
        text(&event["requestContext"]["http"]["method"])
    );
    for (name, value) in event["headers"].as_object().expect("headers") {
        if name != "content-length" {
            head += &format!("{name}: {}\r\n", text(value));
        }
    }
    head += &format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len());
    [head.into_bytes(), body].concat()
}

#[test]
fn list_of_samples_matches_the_folder() {
    let files = std::fs::read_dir(folder()).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> = files
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    files.sort();
    let mut known: Vec<_> = SAMPLES.iter().map(|sample| sample.name).collect();
    known.extend(SCHEDULES);
    known.sort_unstable();
    assert_eq!(files, known);
}
