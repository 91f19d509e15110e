//! Tests of the landing page, the interactive reference, and the OpenAPI description.

use bespoke_tests::support::{App, functions};
use bespoke_web::openapi::document;
use serde_json::Value;

#[tokio::test]
async fn published_description_matches_the_code() {
    let app = App::new().await;
    let served = app.get("/openapi.json").send().await.expect_status(200);
    assert!(
        served == document(&functions()),
        "run: cargo run -q -- openapi > functions/docs/openapi.json"
    );
    let yaml = app.get("/openapi.yaml").send().await;
    assert_eq!(yaml.header("content-type"), "text/yaml; charset=utf-8");
    assert!(yaml.text().starts_with("openapi: \"3.1.0\"\n"));
}

#[tokio::test]
async fn each_operation_is_described_completely() {
    let description = document(&functions());
    let text = |value: &Value| !value.as_str().unwrap_or_default().trim().is_empty();
    for (path, operations) in description["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let place = format!("{method} {path}");
            assert!(text(&operation["summary"]), "{place} has no summary");
            assert!(text(&operation["tags"][0]), "{place} has no tag");
            let parameters = operation["parameters"].as_array().unwrap();
            let in_path = parameters.iter().filter(|parameter| parameter["in"] == "path");
            assert_eq!(in_path.count(), path.matches('{').count(), "{place}: parameters");
            assert!(
                parameters.iter().all(|parameter| text(&parameter["description"])),
                "{place}: a parameter without a description"
            );
            let responses = operation["responses"].as_object().unwrap();
            assert!(
                responses.values().all(|response| text(&response["description"])),
                "{place}: a response without a description"
            );
            assert!(
                responses.keys().any(|status| status.starts_with('2')),
                "{place}: no successful response"
            );
        }
    }
    assert!(
        description["components"]["schemas"]["Measurements"]["properties"]["shoulderSlope"]["description"]
            == "Degrees."
    );
}

#[tokio::test]
async fn pages_load_nothing_from_other_hosts() {
    let app = App::new().await;
    for (path, content_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/css/style.css", "text/css; charset=utf-8"),
        ("/avatar.svg", "image/svg+xml; charset=utf-8"),
        ("/docs/", "text/html"),
        ("/docs/swagger-initializer.js", "text/javascript"),
        ("/docs/swagger-ui.css", "text/css"),
        ("/docs/swagger-ui-bundle.js", "text/javascript"),
    ] {
        let answer = app.get(path).send().await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, content_type),
            "{path}"
        );
        let policy = answer.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"),
            "{path}: {policy}"
        );
        assert!(!answer.header("etag").is_empty());
        if content_type.starts_with("text/html") {
            let page = answer.text();
            for loaded in page.split("src=\"").skip(1).chain(page.split("<link").skip(1)) {
                assert!(
                    !loaded.split('>').next().unwrap().contains("//"),
                    "{path} loads {loaded}"
                );
            }
            assert!(
                !page.contains("<style") && !page.contains("<script>"),
                "{path} has inline code"
            );
        }
    }
}

#[tokio::test]
async fn reference_is_served_as_a_folder() {
    let app = App::new().await;
    let answer = app.get("/docs").send().await;
    assert_eq!((answer.status, answer.header("location")), (301, "docs/"));
    app.get("/docs/nothing.js").send().await.expect_missing();
    app.get("/docs/..%2f..%2fCargo.toml").send().await.expect_missing();
}

#[tokio::test]
async fn page_shows_limits_and_contact_of_the_instance() {
    let app = App::with(&[
        ("BACKEND_APIKEY_CALLS_PER_DAY", "77"),
        ("BACKEND_APIKEY_MAX_DAYS", "12"),
        ("BACKEND_OPERATOR_CONTACT", "help@example.org"),
    ])
    .await;
    let page = app.get("/").send().await.text();
    for said in [
        "1200 calls a minute and 77 a day",
        "API keys expire after at most 12 days",
        r#"<a href="mailto:help@example.org">"#,
    ] {
        assert!(page.contains(said), "{said} is missing");
    }
    let description = app.get("/openapi.json").send().await.expect_status(200);
    assert_eq!(description["info"]["contact"]["email"], "help@example.org");
    let yaml: Value = yaml_serde::from_str(&app.get("/openapi.yaml").send().await.text()).unwrap();
    assert_eq!(yaml, description);
    let free = App::with(&[
        ("BACKEND_RATE_LIMITS", "off"),
        ("BACKEND_OPERATOR_CONTACT", "https://example.org/help"),
    ])
    .await;
    let page = free.get("/").send().await.text();
    assert!(!page.contains("a minute") && page.contains(r#"<a href="https://example.org/help">"#));
    let description = free.get("/openapi.json").send().await.expect_status(200);
    assert_eq!(description["info"]["contact"]["url"], "https://example.org/help");
}
