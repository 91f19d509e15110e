//! Calls every operation of the description as every kind of caller, and fails on
//!
//! - a success that the rules of `rules.rs` do not allow,
//! - private content of the owner in a response to a caller that may not read it,
//! - private content in a response to another account without a new entry in the audit,
//! - a token in a response to an impersonator that does not name the impersonator, or that expires after theirs.
//!
//! The rules define the permissions a second time, independent of the code under test. To cover a new operation, add its
//! request to `requests.rs` and, if it takes the id of a record, the level at which a stranger may use that record to `rules.rs`.

mod callers;
mod requests;
mod rules;
mod world;

use std::collections::BTreeSet;

use bespoke_tests::support::{Answer, App, functions};
use bespoke_web::{Access, Route, Scheme};
use serde_json::Value;

use callers::{Caller, KINDS, Kind};
use requests::{Request, requests};
use world::{SECRET, World};

/// Operations that never succeed in these tests, because they need a service, a link in a mail, or a state that no caller here has.
const NEVER_SUCCEED: &[&str] = &[
    // GitHub.
    "POST /flows/pr/blog/{auth}",
    "POST /flows/pr/showcase/{auth}",
    "GET /slugs/blog/{slug}/{auth}",
    "GET /slugs/showcase/{slug}/{auth}",
    // A mail that waits for another attempt.
    "POST /admin/outbox/{id}/retry/{auth}",
];

fn routes() -> Vec<Route> {
    functions()
        .iter()
        .flat_map(|routes| routes.iter().cloned().collect::<Vec<_>>())
        .collect()
}

fn name(route: &Route) -> String {
    format!("{} {}", route.method, route.described_path)
}

/// The method and the path of a route without its authentication scheme: `GET /sets/{id}`.
fn operation(route: &Route) -> String {
    let stem = ["/jwt", "/key"].iter().find_map(|end| route.path.strip_suffix(end));
    format!("{} {}", route.method, stem.unwrap_or(&route.path))
}

/// The routes of these functions, as every kind of caller.
async fn walk(of: impl Fn(&str) -> bool) {
    let app = App::with(&[("BACKEND_RATE_LIMITS", "off")]).await;
    let mut world = World::new(&app).await;
    let (mut walked, mut succeeded) = (BTreeSet::new(), BTreeSet::new());
    for route in routes().into_iter().filter(|route| of(route.function)) {
        walked.insert(name(&route));
        for request in requests(&route, &world) {
            for kind in KINDS.iter().filter(|kind| kind.calls_routes_of(route.scheme)) {
                // A call may have changed the ids in a request.
                let request = Request {
                    path: world.path(&route),
                    ..request.clone()
                };
                let caller = world.caller(&app, kind).await;
                if call(&app, &route, &request, kind, &caller).await {
                    if route.access != Access::Public {
                        succeeded.insert(name(&route));
                    }
                    world.note_success(&app, &route, kind).await;
                }
            }
        }
    }
    let public: BTreeSet<_> = routes()
        .iter()
        .filter(|route| route.access == Access::Public)
        .map(name)
        .collect();
    let silent: Vec<_> = walked
        .iter()
        .filter(|name| !succeeded.contains(*name) && !public.contains(*name))
        .filter(|name| !NEVER_SUCCEED.contains(&name.as_str()))
        .collect();
    assert!(
        silent.is_empty(),
        "no caller succeeds at {silent:#?}, so its refusals prove nothing"
    );
}

/// Makes one call; returns whether it succeeded.
async fn call(app: &App, route: &Route, request: &Request, kind: &Kind, caller: &Caller) -> bool {
    let place = format!("{kind:?}: {} {} {}", route.method, route.path, request.body);
    let before = newest_audit_entry(app).await;
    let answer = caller
        .send(app, route.method.as_str(), &request.path, &request.body)
        .await;
    let success = (200..300).contains(&answer.status);
    assert!(
        answer.status < 500 || needs_service(route),
        "{place}: {}",
        answer.status
    );
    assert!(
        !success || rules::allows(route, request, caller),
        "{place}: succeeded with {}",
        answer.status
    );
    if String::from_utf8_lossy(&answer.body).contains(SECRET) {
        assert!(rules::may_see(route, caller), "{place}: private content of the owner");
        let is_traced = newest_audit_entry(app).await > before;
        assert!(
            is_traced || !caller.is_another_person(),
            "{place}: no entry in the audit"
        );
    }
    check_token(app, caller, &answer, &place);
    success
}

fn needs_service(route: &Route) -> bool {
    ["/flows/pr/", "/slugs/", "/issues", "/discussions"]
        .iter()
        .any(|service| route.path.starts_with(service))
}

/// An impersonator gets no token except its own.
fn check_token(app: &App, caller: &Caller, answer: &Answer, place: &str) {
    let body: Value = String::from_utf8_lossy(&answer.body).parse().unwrap_or_default();
    let (Some(token), Some(own)) = (body["token"].as_str(), caller.impersonation(app)) else {
        return;
    };
    let claims = app
        .context()
        .tokens()
        .verify(token, app.context().now())
        .expect("a token");
    assert_eq!(claims.impersonator, own.impersonator, "{place}");
    assert!(claims.exp <= own.exp, "{place}: the token lasts longer");
}

/// Integer id of the newest entry in the audit.
async fn newest_audit_entry(app: &App) -> i64 {
    let context = app.context();
    let page = bespoke_database::Page {
        limit: Some(1),
        after: None,
    };
    let read = context
        .database()
        .read::<_, bespoke_web::Error>(bespoke_database::Freshness::Strict, |db| {
            Ok(bespoke_database::audit::newest(db, page)?)
        });
    read.await.expect("the audit").first().map_or(0, |entry| entry.id)
}

#[tokio::test]
async fn routes_of_accounts_follow_the_rules() {
    walk(|function| ["account", "admin"].contains(&function)).await;
}

#[tokio::test]
async fn routes_of_keys_sets_and_patterns_follow_the_rules() {
    walk(|function| ["apikeys", "sets", "patterns", "bookmarks"].contains(&function)).await;
}

#[tokio::test]
async fn routes_of_other_functions_follow_the_rules() {
    walk(|function| !["account", "admin", "apikeys", "sets", "patterns", "bookmarks"].contains(&function)).await;
}

#[tokio::test]
async fn credentials_of_the_other_scheme_are_refused() {
    let app = App::with(&[("BACKEND_RATE_LIMITS", "off")]).await;
    let mut world = World::new(&app).await;
    for route in routes() {
        let kind = match route.scheme {
            Some(Scheme::Jwt) => Kind::OwnerKey(4),
            Some(Scheme::Key) => Kind::OwnerToken,
            None => continue,
        };
        let path = world.path(&route);
        let caller = world.caller(&app, &kind).await;
        let answer = caller.send(&app, route.method.as_str(), &path, &Value::Null).await;
        assert!(
            [400, 401].contains(&answer.status),
            "{} {}: {}",
            route.method,
            route.path,
            answer.status
        );
    }
}
