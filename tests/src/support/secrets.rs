//! Checks that no secret and no personal data reach a log. The values of requests and responses are remembered here; the log of
//! the code under test, in this process or in one that the test starts, must not contain any of them.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;
use serde_json::Value;
use tracing_subscriber::EnvFilter;

/// Shorter values may occur in a log by chance. Bytes.
const MIN_BYTES: usize = 8;
/// The recorded log levels: everything of our crates, and of other crates the messages for operators.
const FILTER: &str = "trace,hyper=info,hyper_util=info,reqwest=info,rustls=info,wiremock=off,tungstenite=info,mio=info";
/// Fields of requests that may be logged, because their values are public.
const OPEN_FIELDS: &[&str] = &[
    "slug", "design", "language", "type", "provider", "role", "scopes", "labels", "units", "url",
];
/// Fields of responses that only one person may see.
const CLOSED_FIELDS: &[&str] = &[
    "token",
    "secret",
    "confirmation",
    "check",
    "email",
    "newEmail",
    "initial",
    "scratchCodes",
    "otpauth",
    "ehash",
    "bio",
    "notes",
];
/// Fields of requests that contain measurements. The log is searched for their names, because numbers occur in every log.
const MEASUREMENTS: &[&str] = &["measies", "measurements"];
/// The minimum length of a measurement's name that is searched for, in bytes. Shorter names also occur inside other words.
const MIN_MEASUREMENT_BYTES: usize = 5;

static PLANTED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The log of this process.
struct Captured;

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        lock(&LOG).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// From now on the log of this process is recorded for [`check`].
pub fn watch() {
    let log = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(FILTER));
    // A second call finds the log that the first one created.
    let _ = log.with_ansi(false).with_writer(|| Captured).try_init();
}

/// Remembers a value that no log may contain.
pub fn plant(text: &str) {
    if text.len() >= MIN_BYTES {
        lock(&PLANTED).insert(text.to_owned());
    }
}

/// Remembers the value of a setting that is secret.
pub fn plant_setting(name: &str, value: &str) {
    if ["KEY", "TOKEN", "SECRET", "PASSWORD"]
        .iter()
        .any(|word| name.ends_with(word))
    {
        plant(value);
    }
}

/// Remembers the credentials in the value of an `Authorization` header.
pub fn plant_credentials(value: &str) {
    let credentials = value
        .split_once(' ')
        .map_or(value, |(_, credentials)| credentials.trim());
    plant(credentials);
    let decoded = STANDARD
        .decode(credentials)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    if let Some((_, secret)) = decoded.as_deref().unwrap_or(credentials).split_once([':', '.']) {
        plant(secret);
    }
}

/// Remembers the values of a request: every text except those that may be logged, and the names of measurements.
pub fn plant_sent(body: &Value) {
    each(body, "", &mut |field, value| {
        if MEASUREMENTS.contains(&field)
            && let Some(measurements) = value.as_object()
        {
            let names = measurements.keys().filter(|name| name.len() >= MIN_MEASUREMENT_BYTES);
            lock(&PLANTED).extend(names.cloned());
        } else if let Some(text) = value.as_str()
            && !OPEN_FIELDS.contains(&field)
        {
            plant(text);
        }
    });
}

/// Remembers the values of a response that only one person may see.
pub fn plant_answered(body: &Value) {
    each(body, "", &mut |field, value| {
        if let Some(text) = value.as_str()
            && CLOSED_FIELDS.contains(&field)
        {
            plant(text);
        }
    });
}

/// Calls `f` with every value in `value`, and the name of its field, also for items of a list.
fn each(value: &Value, field: &str, f: &mut impl FnMut(&str, &Value)) {
    f(field, value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| each(item, field, f)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| each(value, name, f)),
        _ => {}
    }
}

/// Checks that this process has logged no remembered value so far.
///
/// # Panics
/// If it has.
pub fn check() {
    let log = lock(&LOG).clone();
    check_output(&String::from_utf8_lossy(&log));
}

/// Checks the output of another process in the same way.
///
/// # Panics
/// If it contains a remembered value.
pub fn check_output(log: &str) {
    // `memmem` is optimized in development, unlike `str::contains`, which took a third of the time of long tests here.
    let leaked = lock(&PLANTED)
        .iter()
        .find(|planted| memmem::find(log.as_bytes(), planted.as_bytes()).is_some())
        .cloned();
    if let Some(leaked) = leaked {
        let line = log.lines().find(|line| line.contains(&leaked)).unwrap_or_default();
        panic!("a log contains {leaked:?}: {line}");
    }
}

/// Checks the log so far, and forgets it and the values. For a process that has one installation after the other.
///
/// # Panics
/// If the log contains a remembered value.
pub fn forget() {
    check();
    lock(&LOG).clear();
    lock(&PLANTED).clear();
}

#[cfg(test)]
mod tests {
    use axum::response::Response;
    use bespoke_web::{Body, Public, Routes, no_content, route};
    use serde_json::json;

    use super::*;
    use crate::support::App;

    #[test]
    #[should_panic(expected = "a log contains \"correct horse\"")]
    fn logged_request_values_are_found() {
        watch();
        plant_sent(&json!({ "deep": [{ "password": "correct horse" }] }));
        tracing::trace!(body = "{\"password\":\"correct horse\"}", "received");
        check();
    }

    #[test]
    fn earlier_log_is_checked_and_forgotten() {
        watch();
        tracing::trace!("correct horse");
        forget();
        plant("correct horse");
        check();
        tracing::trace!("correct horse");
        assert!(std::panic::catch_unwind(forget).is_err());
    }

    /// A faulty handler, for the test of the check.
    #[utoipa::path(post, path = "/leak", operation_id = "leak", responses((status = 204, description = "It is done.")))]
    async fn leak(_: Public, body: Body) -> bespoke_web::Result<Response> {
        tracing::debug!(body = ?body.required()?, "received");
        Ok(no_content())
    }

    #[tokio::test]
    #[should_panic(expected = "a log contains \"nobody else knows it\"")]
    async fn handler_that_logs_its_request_fails_its_test() {
        let app = App::new().await.beside(Routes::new("leak").with(route!(leak)));
        let body = json!({ "password": "nobody else knows it" });
        plant_sent(&body);
        let request = http::Request::post("/leak").header("content-type", "application/json");
        let request = request.body(body.to_string().into()).expect("a request");
        assert_eq!(app.gateway().handle(request).await.status(), 204);
    }

    #[test]
    fn credentials_and_measurements_are_secret_and_open_fields_are_not() {
        let is_refused = |text: &str| std::panic::catch_unwind(|| check_output(text)).is_err();
        plant_credentials("Basic MTIzNDU2Nzg6YmVzcG9rZV9zZWNyZXQ=");
        plant_credentials("Bearer 6f9619ff.bearer_secret");
        plant_answered(&json!({ "account": { "email": "somebody@example.com" }, "name": "not closed" }));
        plant_sent(&json!({ "measies": { "shoulderSlope": 13 }, "slug": "a-public-slug" }));
        plant_setting("BACKEND_ENC_KEY", "the passphrase");
        for text in [
            "bespoke_secret",
            "bearer_secret",
            "somebody@example.com",
            "{shoulderSlope: 13}",
            "the passphrase",
        ] {
            assert!(is_refused(text), "{text}");
        }
        for text in ["not closed", "a-public-slug", "6f9619ff"] {
            assert!(!is_refused(text), "{text}");
        }
    }
}
