//! Tests of contributions to repositories on GitHub: `/issues`, `/discussions`, `/flows/pr/...` and `/slugs/...`.

use std::time::Duration;

use bespoke_tests::support::{Answer, App, Person};
use serde_json::{Value, json};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const REPOSITORY: &str = "/repos/freesewing/freesewing";
const KINDS: [&str; 2] = ["blog", "showcase"];
const MINUTE_MS: i64 = 60 * 1000;

/// An installation and a server in place of GitHub.
struct GitHubMock {
    app: App,
    github: MockServer,
}

impl GitHubMock {
    /// Creates a mock at which every call fails, and an app that does not wait for slow responses.
    async fn new() -> Self {
        Self::with_timeout("750").await
    }

    async fn with_timeout(timeout_ms: &str) -> Self {
        let github = MockServer::start().await;
        let app = App::with(&[
            ("BACKEND_ENABLE_GITHUB", "yes"),
            ("BACKEND_GITHUB_TOKEN", "secret"),
            ("BACKEND_GITHUB_API_URL", &github.uri()),
            ("BACKEND_GITHUB_LABELS", "Bug, help wanted"),
            ("BACKEND_CALL_TIMEOUT_MS", timeout_ms),
        ])
        .await;
        Self { app, github }
    }

    /// Creates a mock at which every call succeeds.
    async fn succeeding() -> Self {
        let mock = Self::with_timeout("30000").await;
        let data = json!({ "repository": { "id": "R", "discussionCategory": { "id": "C" } }, "createDiscussion": { "discussion": { "url": "https://github.example/d/1" } } });
        for (verb, what, status, body) in [
            ("POST", "/issues", 201, json!({ "number": 7, "state": "open" })),
            ("GET", "/branches/develop", 200, json!({ "commit": { "sha": "abc" } })),
            ("POST", "/git/refs", 201, json!({ "ref": "the branch" })),
            ("POST", "/pulls", 201, json!({ "number": 9 })),
        ] {
            mock.mock_answer(verb, &format!("{REPOSITORY}{what}"), json_response(status, body))
                .await;
        }
        for kind in KINDS {
            let file = format!("{REPOSITORY}/contents/markdown/org/{kind}/a-day-out/en.md");
            mock.mock_answer("PUT", &file, json_response(201, json!({ "content": {} })))
                .await;
            let list = format!("{REPOSITORY}/contents/markdown/org/{kind}");
            mock.mock_answer("GET", &list, json_response(200, json!([{ "name": "taken" }])))
                .await;
        }
        mock.mock_answer("POST", "/graphql", json_response(200, json!({ "data": data })))
            .await;
        mock
    }

    async fn mock_answer(&self, verb: &str, url_path: &str, answer: ResponseTemplate) {
        Mock::given(method(verb))
            .and(path(url_path))
            .and(header("authorization", "Bearer secret"))
            .respond_with(answer)
            .mount(&self.github)
            .await;
    }

    /// Bodies of the requests whose path has this end.
    async fn received(&self, end: &str) -> Vec<Value> {
        let requests = self.github.received_requests().await.unwrap();
        let requests = requests.iter().filter(|request| request.url.path().ends_with(end));
        requests
            .map(|request| request.body_json().unwrap_or_default())
            .collect()
    }
}

fn json_response(status: u16, body: Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(body)
}

fn failures() -> Vec<ResponseTemplate> {
    vec![
        ResponseTemplate::new(401),
        ResponseTemplate::new(403),
        ResponseTemplate::new(500),
        ResponseTemplate::new(200).set_body_string("<html>"),
        json_response(201, json!({})).set_delay(Duration::from_secs(60)),
    ]
}

fn post() -> Value {
    json!({ "title": "The title", "body": "The text" })
}

fn page() -> Value {
    json!({ "markdown": "# A day out", "slug": "a-day-out", "language": "en" })
}

async fn propose(app: &App, jane: &Person, kind: &str, body: &Value) -> Answer {
    let path = format!("/flows/pr/{kind}/jwt");
    app.post(&path).jwt(&jane.token).json(body).send().await
}

#[tokio::test]
async fn disabled_github_is_reported_before_other_errors() {
    // The original crashed here.
    let app = App::new().await;
    let jane = app.person("jane").await;
    for path in ["/issues", "/discussions"] {
        app.post(path).send().await.expect_error(400, "notEnabled");
        app.post(path)
            .json(&post())
            .send()
            .await
            .expect_error(400, "notEnabled");
    }
    for kind in KINDS {
        propose(&app, &jane, kind, &json!({}))
            .await
            .expect_error(400, "notEnabled");
        propose(&app, &jane, kind, &page())
            .await
            .expect_error(400, "notEnabled");
        for slug in ["a-day-out", "..%2Fx"] {
            let slug = format!("/slugs/{kind}/{slug}/key");
            app.get(&slug)
                .key(&jane.key)
                .send()
                .await
                .expect_error(400, "notEnabled");
        }
    }
}

#[tokio::test]
async fn issue_passes_on_allowed_fields_only() {
    // In the original, strangers set every field of an issue.
    let mock = GitHubMock::succeeding().await;
    let mut body = post();
    for (name, value) in [
        (
            "labels",
            json!(["bug", "security", 7, "Bug", { "name": "help wanted" }]),
        ),
        ("assignees", json!(["joost"])),
        ("milestone", json!(1)),
        ("type", json!("Task")),
    ] {
        body[name] = value;
    }
    let opened = mock.app.post("/issues").json(&body).send().await.expect_status(201);
    assert_eq!(
        opened,
        json!({ "result": "created", "issue": { "number": 7, "state": "open" } })
    );
    let passed_on = json!({ "title": "The title", "body": "The text", "labels": ["Bug"] });
    assert_eq!(mock.received("/issues").await, [passed_on]);
    for labels in [json!("bug"), json!({}), json!(null), json!([[]])] {
        let mut body = post();
        body["labels"] = labels;
        mock.app.post("/issues").json(&body).send().await.expect_status(201);
    }
    assert_eq!(mock.received("/issues").await[4]["labels"], json!([]));
}

#[tokio::test]
async fn discussion_is_public() {
    let mock = GitHubMock::succeeding().await;
    let mut body = post();
    body["categoryId"] = json!("another");
    let opened = mock
        .app
        .post("/discussions")
        .json(&body)
        .send()
        .await
        .expect_status(201);
    assert_eq!(opened["result"], "created");
    let discussion = &opened["discussion"]["data"]["createDiscussion"]["discussion"];
    assert_eq!(discussion["url"], "https://github.example/d/1");
    let input = json!({ "repositoryId": "R", "categoryId": "C", "title": "The title", "body": "The text" });
    assert_eq!(mock.received("/graphql").await[1]["variables"]["input"], input);
}

#[tokio::test]
async fn invalid_title_or_text_is_rejected() {
    let mock = GitHubMock::succeeding().await;
    for path in ["/issues", "/discussions"] {
        let request = mock.app.post(path);
        request.send().await.expect_error(400, "postBodyMissing");
        for (field, value, code) in [
            ("title", json!(null), "titleMissing"),
            ("title", json!(""), "titleMissing"),
            ("title", json!(0), "titleMissing"),
            ("title", json!(7), "titleInvalid"),
            ("title", json!(["a"]), "titleInvalid"),
            ("title", json!(" \n"), "titleInvalid"),
            ("title", json!("a".repeat(257)), "titleInvalid"),
            ("body", json!(false), "bodyMissing"),
            ("body", json!({ "a": 1 }), "bodyInvalid"),
            ("body", json!("  "), "bodyInvalid"),
        ] {
            let mut body = post();
            body[field] = value;
            mock.app.post(path).json(&body).send().await.expect_error(400, code);
        }
        let mut huge = post();
        huge["body"] = json!("a".repeat(70_000));
        let refused = mock.app.post(path).json(&huge).send().await;
        refused.expect_error(413, "bodyTooLarge");
    }
    assert_eq!(mock.github.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn issue_that_github_rejects_is_not_retried() {
    // In the original, the code was `success`.
    for failure in failures() {
        let mock = GitHubMock::new().await;
        Mock::given(method("POST"))
            .respond_with(failure)
            .mount(&mock.github)
            .await;
        for (path, code) in [
            ("/issues", "createIssueFailed"),
            ("/discussions", "createDiscussionFailed"),
        ] {
            let refused = mock.app.post(path).json(&post()).send().await;
            refused.expect_error(400, code);
        }
        assert_eq!(mock.github.received_requests().await.unwrap().len(), 2);
    }
}

#[tokio::test]
async fn page_is_proposed_under_the_github_name_of_the_account() {
    let mock = GitHubMock::succeeding().await;
    let app = &mock.app;
    let jane = app.person("jane").await;
    let change = json!({ "username": "Jane", "data": { "githubUsername": "janedoe", "githubEmail": "j@example.com" } });
    app.change_account(&jane, &change).await;
    for (index, (kind, method)) in KINDS.into_iter().zip(["jwt", "key"]).enumerate() {
        let path = format!("/flows/pr/{kind}/{method}");
        let proposed = app.post(&path).auth(&jane, method).json(&page()).send().await;
        assert_eq!(
            proposed.expect_status(201),
            json!({ "result": "created", "branch": { "ref": "the branch" }, "file": { "content": {} }, "pr": { "number": 9 } })
        );
        let branch = json!({ "ref": format!("refs/heads/{kind}-a-day-out"), "sha": "abc" });
        assert_eq!(mock.received("/git/refs").await[index], branch);
        let file = &mock.received("/a-day-out/en.md").await[index];
        assert_eq!(file["content"], "IyBBIGRheSBvdXQ=");
        assert_eq!(file["author"], json!({ "name": "janedoe", "email": "j@example.com" }));
        let title = format!("New {kind} post a-day-out by Jane");
        assert_eq!(mock.received("/pulls").await[index]["title"], title);
    }
    for data in [
        json!({ "githubUsername": "x\ny", "githubEmail": "j@example.com" }),
        json!({ "githubUsername": "janedoe", "githubEmail": "nobody" }),
        json!({ "githubUsername": 7, "githubEmail": {} }),
    ] {
        let change = json!({ "data": data });
        app.change_account(&jane, &change).await;
        propose(app, &jane, "blog", &page()).await.expect_status(201);
        let author = mock.received("/blog/a-day-out/en.md").await.pop().unwrap()["author"].clone();
        assert_eq!(author["email"], "bot@freesewing.org", "{data}");
    }
}

#[tokio::test]
async fn invalid_page_is_rejected() {
    // In the original, the name of a page could be any path.
    let mock = GitHubMock::succeeding().await;
    let jane = mock.app.person("jane").await;
    for (field, value, code) in [
        ("markdown", json!(null), "markdownMissing"),
        ("markdown", json!(7), "markdownInvalid"),
        ("markdown", json!({ "a": 1 }), "markdownInvalid"),
        ("markdown", json!("a".repeat(512 * 1024 + 1)), "markdownInvalid"),
        ("slug", json!(""), "slugMissing"),
        ("slug", json!(["a"]), "slugInvalid"),
        ("slug", json!("../../x"), "slugInvalid"),
        ("slug", json!("a/b"), "slugInvalid"),
        ("slug", json!("A"), "slugInvalid"),
        ("slug", json!("a--b"), "slugInvalid"),
        ("slug", json!("-a"), "slugInvalid"),
        ("slug", json!("a.lock"), "slugInvalid"),
        ("slug", json!("a".repeat(101)), "slugInvalid"),
        ("language", json!(0), "languageMissing"),
        ("language", json!("xx"), "languageInvalid"),
        ("language", json!(["en"]), "languageInvalid"),
    ] {
        let mut body = page();
        body[field] = value;
        propose(&mock.app, &jane, "blog", &body).await.expect_error(400, code);
    }
    propose(&mock.app, &jane, "blog", &json!({}))
        .await
        .expect_error(400, "markdownMissing");
    assert_eq!(mock.github.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn page_that_github_rejects_fails() {
    for failure in failures() {
        let mock = GitHubMock::new().await;
        let jane = mock.app.person("jane").await;
        let head = json_response(200, json!({ "commit": { "sha": "abc" } }));
        mock.mock_answer("GET", &format!("{REPOSITORY}/branches/develop"), head)
            .await;
        Mock::given(method("POST"))
            .respond_with(failure)
            .mount(&mock.github)
            .await;
        let refused = propose(&mock.app, &jane, "blog", &page()).await;
        refused.expect_error(400, "createPullRequestFailed");
    }
    let mock = GitHubMock::new().await;
    let jane = mock.app.person("jane").await;
    let unavailable = propose(&mock.app, &jane, "blog", &page()).await;
    assert_eq!(unavailable.header("retry-after"), "5");
    unavailable.expect_error(503, "serviceUnavailable");
    let head = json_response(200, json!({ "commit": { "sha": "abc" } }));
    mock.mock_answer("GET", &format!("{REPOSITORY}/branches/develop"), head)
        .await;
    mock.mock_answer("POST", &format!("{REPOSITORY}/git/refs"), json_response(422, json!({})))
        .await;
    let taken = propose(&mock.app, &jane, "blog", &page()).await;
    taken.expect_error(409, "slugTaken");
}

#[tokio::test]
async fn taken_name_is_200_and_free_name_is_404() {
    let mock = GitHubMock::succeeding().await;
    let jane = mock.app.person("jane").await;
    let look = async |kind: &str, slug: &str| {
        let path = format!("/slugs/{kind}/{slug}/jwt");
        mock.app.get(&path).jwt(&jane.token).send().await
    };
    for kind in KINDS {
        assert_eq!(
            look(kind, "taken").await.expect_status(200),
            json!({ "result": "success", "slug": "taken", "available": false })
        );
        look(kind, "free").await.expect_missing();
        for slug in ["..%2Fx", "A", "a--b", "%20", "%00"] {
            look(kind, slug).await.expect_error(400, "slugInvalid");
        }
    }
    mock.app.clock.advance_ms(31 * MINUTE_MS);
    look("blog", "taken").await.expect_status(200);
    assert_eq!(mock.received("/markdown/org/blog").await.len(), 2);
}

#[tokio::test]
async fn failed_name_lookup_is_503_and_not_cached() {
    // The original crashed on a failure, and cached it for half an hour.
    for failure in failures() {
        let mock = GitHubMock::new().await;
        let jane = mock.app.person("jane").await;
        let trouble = Mock::given(method("GET")).respond_with(failure).with_priority(1);
        trouble.up_to_n_times(3).mount(&mock.github).await;
        let list = format!("{REPOSITORY}/contents/markdown/org/blog");
        mock.mock_answer("GET", &list, json_response(200, json!([]))).await;
        let look = async || mock.app.get("/slugs/blog/free/key").key(&jane.key).send().await;
        look().await.expect_error(503, "serviceUnavailable");
        let mut last = look().await;
        while last.status == 503 {
            last = look().await;
        }
        last.expect_missing();
    }
}
