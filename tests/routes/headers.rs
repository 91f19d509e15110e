//! Tests of the headers for browsers on every response: all routes are called, without credentials and as an administrator.

use bespoke_tests::support::{Answer, App, functions};
use bespoke_web::{Route, Scheme};
use serde_json::json;

fn routes() -> Vec<Route> {
    let every = functions();
    every.iter().flat_map(|routes| routes.iter().cloned()).collect()
}

fn path_to(route: &Route) -> String {
    let part = |part: &str| {
        if part.starts_with('{') {
            part.replacen('{', "1{", 1)
        } else {
            part.to_owned()
        }
    };
    let parts: Vec<_> = route.path.split('/').map(part).collect();
    let path = parts.join("/");
    // `1{id}.json` is `1.json`.
    let with_values = path
        .split('{')
        .map(|piece| piece.split_once('}').map_or(piece, |(_, rest)| rest));
    with_values.collect()
}

#[track_caller]
fn check(answer: &Answer, place: &str) {
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{place}");
    assert_eq!(answer.header("referrer-policy"), "no-referrer", "{place}");
    assert_eq!(answer.header("strict-transport-security"), "", "{place}");
    let policy = answer.header("content-security-policy");
    for part in ["default-src 'none'", "frame-ancestors 'none'"] {
        assert!(policy.contains(part), "{place}: {policy}");
    }
    let page = answer.header("content-type").starts_with("text/html");
    for name in ["cross-origin-opener-policy", "cross-origin-resource-policy"] {
        assert_eq!(
            answer.header(name),
            if page { "same-origin" } else { "" },
            "{place}: {name}"
        );
    }
}

#[tokio::test]
async fn each_response_has_security_headers() {
    let app = App::with(&[("BACKEND_RATE_LIMITS", "off")]).await;
    let admin = app.person_as("root", "admin").await;
    // Requests that delete the caller's account come last.
    let (last, first): (Vec<_>, Vec<_>) = routes()
        .into_iter()
        .partition(|route| route.path.starts_with("/account/") || route.path.starts_with("/admin/user/"));
    for route in first.into_iter().chain(last) {
        let (method, path) = (route.method.as_str(), path_to(&route));
        let place = format!("{method} {path}");
        let anonymous = app.request(method, &path).json(&json!({ "name": "x" })).send().await;
        check(&anonymous, &place);
        let authenticated = match route.scheme {
            None => anonymous,
            Some(scheme) => {
                let request = app.request(method, &path).auth(&admin, scheme.segment());
                request.json(&json!({ "name": "x" })).send().await
            }
        };
        check(&authenticated, &place);
        let cache_control = authenticated.header("cache-control");
        match (method, route.scheme) {
            ("GET", None) => {}
            ("GET", Some(Scheme::Jwt | Scheme::Key)) => {
                assert!(
                    cache_control.contains("private") || cache_control == "no-store",
                    "{place}: {cache_control}"
                );
            }
            _ => assert_eq!(cache_control, "no-store", "{place}"),
        }
    }
    check(&app.get("/nothing/here").send().await, "an unknown route");
    check(&app.request("OPTIONS", "/sets/jwt").send().await, "a preflight");
}

#[tokio::test]
async fn https_response_has_strict_transport_security() {
    let app = App::with(&[("BACKEND_URL", "https://api.example.com")]).await;
    for path in ["/healthz", "/console/", "/nothing/here"] {
        let answer = app.get(path).send().await;
        assert_eq!(answer.header("strict-transport-security"), "max-age=31536000", "{path}");
    }
}
