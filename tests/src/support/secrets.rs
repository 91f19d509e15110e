//! Nothing that is secret or personal reaches a log. What a test sends and gets is remembered here as it passes; whatever the
//! code under test logs, in this process or in one that the test starts, must not have any of it.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tracing_subscriber::EnvFilter;

/// What is shorter may stand in a log by chance. Bytes.
const MIN_BYTES: usize = 8;
/// What is logged here: everything of ours, and of other crates what an operator sees.
const FILTER: &str = "trace,hyper=info,hyper_util=info,reqwest=info,rustls=info,wiremock=off,tungstenite=info,mio=info";
/// Fields of requests that may be logged: they name what everybody may know.
const OPEN_FIELDS: &[&str] = &[
    "slug", "design", "language", "type", "provider", "role", "scopes", "labels", "units", "url",
];
/// Fields of answers that are told to one person only.
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
/// Fields of requests that hold measurements; their names are looked for, as numbers stand in every log.
const MEASUREMENTS: &[&str] = &["measies", "measurements"];
/// The shortest name of a measurement that is no part of another word. Bytes.
const MIN_MEASUREMENT_BYTES: usize = 5;

static PLANTED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where this process logs to.
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

/// From now on what this process logs is kept for [`check`].
pub fn watch() {
    let log = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(FILTER));
    // Whoever is second finds the log that the first has made.
    let _ = log.with_ansi(false).with_writer(|| Captured).try_init();
}

/// Remembers something that no log may have.
pub fn plant(text: &str) {
    if text.len() >= MIN_BYTES {
        lock(&PLANTED).insert(text.to_owned());
    }
}

/// Remembers the value of a setting that is one.
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

/// Remembers what somebody sends: every text but those that may be logged, and the names of measurements.
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

/// Remembers what one person is told: the texts of fields that are told to nobody else.
pub fn plant_answered(body: &Value) {
    each(body, "", &mut |field, value| {
        if let Some(text) = value.as_str()
            && CLOSED_FIELDS.contains(&field)
        {
            plant(text);
        }
    });
}

/// Calls `f` with every value in `value`, and the name of the field in which it stands, also as an item of a list.
fn each(value: &Value, field: &str, f: &mut impl FnMut(&str, &Value)) {
    f(field, value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| each(item, field, f)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| each(value, name, f)),
        _ => {}
    }
}

/// Makes sure that this process has logged nothing of what was planted until now.
///
/// # Panics
/// When it has.
pub fn check() {
    let log = lock(&LOG).clone();
    check_output(&String::from_utf8_lossy(&log));
}

/// The same of what another process has written.
///
/// # Panics
/// When it has.
pub fn check_output(log: &str) {
    let leaked = lock(&PLANTED)
        .iter()
        .find(|planted| log.contains(planted.as_str()))
        .cloned();
    if let Some(leaked) = leaked {
        let line = log.lines().find(|line| line.contains(&leaked)).unwrap_or_default();
        panic!("a log has {leaked:?}: {line}");
    }
}

/// Begins anew, for a process that has one installation after the other: what the earlier ones were sent and have logged is checked.
pub fn forget() {
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
    #[should_panic(expected = "a log has \"correct horse\"")]
    fn what_was_sent_and_is_logged_is_found() {
        watch();
        plant_sent(&json!({ "deep": [{ "password": "correct horse" }] }));
        tracing::trace!(body = "{\"password\":\"correct horse\"}", "received");
        check();
    }

    #[test]
    fn who_begins_anew_is_not_told_of_what_was_before() {
        watch();
        plant("correct horse");
        tracing::trace!("correct horse");
        assert!(std::panic::catch_unwind(check).is_err());
        forget();
        plant("correct horse");
        check();
    }

    /// As nobody should write a handler.
    #[utoipa::path(post, path = "/leak", operation_id = "leak", responses((status = 204, description = "It is done.")))]
    async fn leak(_: Public, body: Body) -> bespoke_web::Result<Response> {
        tracing::debug!(body = ?body.required()?, "received");
        Ok(no_content())
    }

    #[tokio::test]
    #[should_panic(expected = "a log has \"nobody else knows it\"")]
    async fn a_handler_that_logs_what_it_is_sent_is_found_when_its_test_ends() {
        let app = App::new().await.beside(Routes::new("leak").with(route!(leak)));
        let body = json!({ "password": "nobody else knows it" });
        plant_sent(&body);
        let request = http::Request::post("/leak").header("content-type", "application/json");
        let request = request.body(body.to_string().into()).expect("a request");
        assert_eq!(app.gateway().handle(request).await.status(), 204);
    }

    #[test]
    fn credentials_answers_and_measurements_are_known_and_open_fields_are_not() {
        let logs = |text: &str| std::panic::catch_unwind(|| check_output(text)).is_err();
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
            assert!(logs(text), "{text}");
        }
        for text in ["not closed", "a-public-slug", "6f9619ff"] {
            assert!(!logs(text), "{text}");
        }
    }
}
