//! Tests of `GET /metrics` under `bespoke serve`: its content, that only loopback clients get it, and how to turn it off.

use bespoke_tests::support::Server;
use serde_json::Value;
use tempfile::tempdir;

#[test]
fn metrics_are_counted_and_served_to_loopback_only() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path());
    let page = |headers: &str| server.exchange("GET", "/metrics", headers, "");
    let token = server.sign_up("jane@freesewing.dev");
    assert_eq!(server.call("GET", "/healthz", "", &Value::Null).0, 200);
    assert_eq!(server.call("GET", "/sets/jwt", &token, &Value::Null).0, 200);
    assert_eq!(server.call("GET", "/sets/key", "", &Value::Null).0, 401);
    assert_eq!(server.call("GET", "/nowhere", "", &Value::Null).0, 404);
    let (status, text) = page("");
    assert_eq!(status, 200);
    for line in [
        r#"bespoke_requests_total{function="info",credential="none",status="2xx"} 1"#,
        r#"bespoke_requests_total{function="sets",credential="jwt",status="2xx"} 1"#,
        r#"bespoke_requests_total{function="sets",credential="key",status="4xx"} 1"#,
        r#"bespoke_requests_total{function="none",credential="none",status="4xx"} 1"#,
        r#"bespoke_request_duration_seconds_count{function="sets"} 2"#,
        r#"bespoke_request_duration_seconds_bucket{le="+Inf",function="sets"} 2"#,
        "# TYPE bespoke_requests counter",
        "# UNIT bespoke_request_duration_seconds seconds",
        "# EOF",
    ] {
        assert!(text.lines().any(|known| known == line), "{line} in {text}");
    }
    // The sign-up and its confirmation commit at least twice.
    let commits = text
        .lines()
        .find_map(|line| line.strip_prefix("bespoke_commits_total "));
    assert!(
        commits.is_some_and(|count| count.parse::<u32>().unwrap() >= 2),
        "{text}"
    );
    // A request with any proxy header did not come directly from loopback, whatever address it names.
    for forwarded in [
        "X-Forwarded-For: 203.0.113.7\r\n",
        "x-real-ip: 127.0.0.1\r\n",
        "Forwarded: for=127.0.0.1\r\n",
        "Via: 1.1 somebody\r\n",
    ] {
        let (status, text) = page(forwarded);
        assert!(
            status == 404 && text.contains("notFound"),
            "{forwarded}: {status} {text}"
        );
    }
    assert_eq!(server.exchange("POST", "/metrics", "", "").0, 404);
    assert_eq!(server.exchange("GET", "/metrics/", "", "").0, 404);
}

#[test]
fn metrics_can_be_turned_off() {
    let folder = tempdir().unwrap();
    let server = Server::start_with(folder.path(), &[("BACKEND_HIDE_METRICS", "yes")]);
    assert_eq!(server.exchange("GET", "/metrics", "", "").0, 404);
}
