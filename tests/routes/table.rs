//! Tests that every route that clients of either generation call is served.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::response::Response;
use bespoke_tests::support::{App, functions};
use bespoke_web::{Access, Public, Route, Routes, Session, no_content, route};
use http::Request;

/// The routes of the original in October 2023: method, path, authentication, lowest level.
const ROUTES_2023: &str = include_str!("../data/routes-2023.csv");
/// The routes that clients of 2026 call in addition, in the same form.
const ROUTES_2026: &str = include_str!("../data/routes-2026.csv");

/// Routes whose level is lower than in the original, and the reasons.
const LOWERED_LEVELS: &[(&str, &str)] = &[
    // Since 2024 the support role may act as users.
    ("GET", "/admin/impersonate/{}/jwt"),
];

/// A line of the tables.
struct Line<'a> {
    method: &'a str,
    path: String,
    public: bool,
    level: Option<u8>,
}

fn lines() -> Vec<Line<'static>> {
    let rows = ROUTES_2023.lines().skip(1).chain(ROUTES_2026.lines().skip(1));
    let lines: Vec<_> = rows.map(line).collect();
    assert!(lines.len() > 150, "only {} lines", lines.len());
    lines
}

fn line(row: &'static str) -> Line<'static> {
    let fields: Vec<_> = row.split(',').collect();
    let [method, path, auth, level] = fields[..] else {
        panic!("{row}")
    };
    Line {
        method,
        path: shape(path),
        public: auth == "none",
        level: level.parse().ok(),
    }
}

/// The path with its variable parts as `{}`, because their names differ between the tables.
fn shape(path: &str) -> String {
    let part = |part: &str| {
        let suffix = [".json", ".yaml"].into_iter().find(|suffix| part.ends_with(suffix));
        if part.starts_with(':') || part.starts_with('{') {
            format!("{{}}{}", suffix.unwrap_or_default())
        } else {
            part.to_owned()
        }
    };
    let shape: Vec<_> = path.split('/').map(part).collect();
    let shape = shape.join("/");
    if shape.len() > 1 {
        shape.trim_end_matches('/').to_owned()
    } else {
        shape
    }
}

fn served_routes() -> Vec<Route> {
    functions()
        .iter()
        .flat_map(|routes| routes.iter().cloned().collect::<Vec<_>>())
        .collect()
}

fn is_listed(list: &[(&str, &str)], method: &str, path: &str) -> bool {
    let both = |listed: &str| match listed.strip_suffix("{auth}") {
        Some(stem) => [format!("{stem}jwt"), format!("{stem}key")],
        None => [listed.to_owned(), String::new()],
    };
    list.iter()
        .any(|(m, p)| *m == method && both(p).iter().any(|p| p == path))
}

#[test]
fn each_route_of_the_contract_is_served() {
    let served = served_routes();
    for Line {
        method,
        path,
        public,
        level,
    } in lines()
    {
        let found = served
            .iter()
            .find(|route| route.method.as_str() == method && shape(&route.path) == path);
        let route = found.unwrap_or_else(|| panic!("{method} {path} is missing"));
        assert_eq!(route.access == Access::Public, public, "{method} {path}");
        if let (Access::Level(ours) | Access::Guest(ours), Some(theirs)) = (route.access, level) {
            let lower = is_listed(LOWERED_LEVELS, method, &path);
            assert!(
                ours >= theirs || lower,
                "{method} {path} needs level {ours}, was {theirs} in the original"
            );
        }
    }
}

#[test]
fn each_lowered_level_is_in_the_contract() {
    let known: BTreeSet<_> = lines().into_iter().map(|line| (line.method, line.path)).collect();
    for (method, path) in LOWERED_LEVELS {
        let there = known
            .iter()
            .any(|(m, p)| m == method && is_listed(&[(method, path)], m, p));
        assert!(there, "{method} {path} is not in the contract");
    }
}

#[test]
fn compatibility_page_names_existing_tests() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(folder.join("../docs/compatibility.md")).unwrap();
    let mut checked = 0;
    for (module, test) in page
        .split('`')
        .skip(1)
        .step_by(2)
        .filter_map(|name| name.split_once("::"))
    {
        let file = std::fs::read_to_string(folder.join(format!("routes/{module}.rs"))).expect(module);
        assert!(test == "*" || file.contains(&format!("fn {test}(")), "{module}::{test}");
        checked += 1;
    }
    assert!(checked > 40, "only {checked}");
}

/// Writes nothing, but is registered as a route that writes.
#[utoipa::path(get, path = "/mark", operation_id = "mark", responses((status = 204, description = "It is done.")))]
async fn mark(_: Public, session: Session) -> bespoke_web::Result<Response> {
    session.write(|_| Ok(())).await?;
    Ok(no_content())
}

#[tokio::test]
async fn writing_get_must_be_registered_as_such() {
    let registered = [(route!(mark).writes(), 204), (route!(mark), 500)];
    for (described, status) in registered {
        let app = App::new().await.beside(Routes::new("mark").with(described));
        let request = Request::get("/mark").body(Body::empty()).unwrap();
        assert_eq!(app.gateway().handle(request).await.status(), status);
    }
}

#[test]
fn routes_write_unless_registered_as_reads() {
    for route in served_routes() {
        let reads = route.method == http::Method::GET || route.reads;
        assert!(route.writes || reads, "{} {}", route.method, route.path);
    }
}
