//! Tests of the console: its page, its files, and the links that open it.

use std::io::Read;

use bespoke_tests::support::App;
use flate2::read::GzDecoder;
use serde_json::json;

const PAGE: &str = "text/html; charset=utf-8";

fn is_console(page: &str) -> bool {
    page.contains(r#"<div id="app"></div>"#)
}

#[tokio::test]
async fn console_page_has_no_inline_code() {
    let app = App::new().await;
    let answer = app.get("/console").send().await;
    assert_eq!((answer.status, answer.header("location")), (301, "console/"));
    let answer = app.get("/console/").send().await;
    assert_eq!((answer.status, answer.header("content-type")), (200, PAGE));
    let policy = answer.header("content-security-policy");
    assert_eq!(
        policy,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    );
    let page = answer.text();
    assert!(is_console(&page) && !page.contains("<style") && !page.contains("{root}"));
    assert!(!page.contains("://") && page.matches("<script").count() == page.matches("<script src=").count() + 1);
    assert!(page.contains(r#"<script type="module" src="./app.js">"#), "{page}");
}

#[tokio::test]
async fn files_are_compressed_if_accepted() {
    let app = App::new().await;
    for (path, content_type) in [
        ("/console/app.js", "text/javascript; charset=utf-8"),
        ("/console/style.css", "text/css; charset=utf-8"),
        ("/console/text/uk.json", "application/json; charset=utf-8"),
        ("/console/pages/set.js", "text/javascript; charset=utf-8"),
        ("/console/", PAGE),
        ("/console/confirm/signup", PAGE),
    ] {
        let plain = app.get(path).send().await;
        assert_eq!(
            (plain.status, plain.header("content-type")),
            (200, content_type),
            "{path}"
        );
        assert_eq!(
            (plain.header("content-encoding"), plain.header("vary")),
            ("", "Accept-Encoding")
        );
        let packed = app.get(path).header("accept-encoding", "gzip, br").send().await;
        assert_eq!(
            (packed.header("content-type"), packed.header("content-encoding")),
            (content_type, "gzip")
        );
        let mut unpacked = Vec::new();
        GzDecoder::new(&packed.body[..]).read_to_end(&mut unpacked).unwrap();
        assert!(unpacked == plain.body && packed.body.len() < plain.body.len(), "{path}");
        // A weak ETag names the content, regardless of its compression.
        assert_eq!(packed.header("etag"), plain.header("etag"));
        let again = app.get(path).header("accept-encoding", "gzip");
        let again = again.header("if-none-match", packed.header("etag")).send().await;
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
        assert!(!again.header("content-security-policy").is_empty());
    }
}

#[tokio::test]
async fn other_files_are_missing() {
    let app = App::new().await;
    for path in [
        "/console/nothing.js",
        "/console/index.html",
        "/console/pages/nothing.js",
        "/console/pages/..%2fapp.js",
        "/console/..%2f..%2fCargo.toml",
        "/console/confirm/nothing",
        "/console/signin/callback/nobody",
    ] {
        app.get(path).send().await.expect_missing();
    }
    app.get("/console/a/b/c").send().await.expect_error(404, "notFound");
}

#[tokio::test]
async fn links_of_all_mails_open_the_console() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let address = json!({ "email": "jane@example.com", "language": "en" });
    for path in ["/signup", "/subscriber"] {
        app.post(path).json(&address).send().await;
    }
    let (id, check) = app.newest_link();
    app.request("PUT", "/subscriber")
        .json(&json!({ "id": id, "ehash": check }))
        .send()
        .await
        .expect_status(200);
    app.post("/subscriber/remove").json(&address).send().await;
    let email = json!({ "email": "joe@example.com" });
    app.change_account(&jane, &email).await;
    app.post("/signinlink")
        .json(&json!({ "username": jane.email }))
        .send()
        .await
        .expect_status(200);

    let mails = app.mails();
    let mut pages = std::collections::BTreeSet::new();
    for mail in &mails {
        for line in mail
            .lines()
            .filter(|line| line.starts_with("http") && line.contains("check="))
        {
            let (_, path) = line.trim().split_once("/console/").unwrap_or_else(|| panic!("{line}"));
            let answer = app.get(&format!("/console/{path}")).send().await;
            assert!(answer.status == 200 && is_console(&answer.text()), "{line}");
            assert!(
                answer.text().contains(r#"src="../app.js""#),
                "files are named relative to the link"
            );
            pages.insert(path.split('?').next().unwrap().to_owned());
        }
    }
    let expected = [
        "confirm/emailchange",
        "confirm/signin",
        "confirm/signup",
        "newsletter/subscribe",
        "newsletter/unsubscribe",
    ];
    assert_eq!(pages.into_iter().collect::<Vec<_>>(), expected, "{mails:?}");
}

#[tokio::test]
async fn files_are_found_at_any_depth_and_letter_case() {
    let app = App::new().await;
    for (path, script) in [
        ("/console/confirm/signup/", r#"src="../../app.js""#),
        ("/Console/Confirm/SignUp?id=1", r#"src="../app.js""#),
        ("/console/signin/callback/github", r#"src="../../app.js""#),
    ] {
        let page = app.get(path).send().await.text();
        assert!(page.contains(script), "{path}: {page}");
    }
}

#[tokio::test]
async fn page_contains_the_settings_of_the_server() {
    let app = App::with(&[
        ("BACKEND_APIKEY_MAX_DAYS", "12"),
        ("BACKEND_ENABLE_OAUTH_GITHUB", "yes"),
        ("BACKEND_OAUTH_GITHUB_CLIENT_ID", "id"),
        ("BACKEND_OAUTH_GITHUB_CLIENT_SECRET", "secret"),
    ])
    .await;
    let page = app.get("/console/").send().await.text();
    assert!(page.contains(r#"name="bespoke-max-key-days" content="12""#));
    assert!(page.contains(r#"name="bespoke-providers" content="github""#));
    let page = App::new().await.get("/console/").send().await.text();
    assert!(page.contains(r#"name="bespoke-providers" content="""#));
}
