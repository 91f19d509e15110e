//! Tests of issues and discussions.

use wiremock::matchers::body_partial_json;

use super::*;

fn issue() -> NewIssue {
    NewIssue {
        title: "Title".into(),
        body: "Text".into(),
        labels: vec!["bug".into()],
    }
}

#[tokio::test]
async fn issue_has_title_text_and_labels() {
    let server = MockServer::start().await;
    let opened = json!({ "number": 7, "state": "open", "html_url": "https://github.example/7" });
    mock_answer(
        &server,
        "POST",
        "/repos/acme/site/issues",
        json_answer(201, opened.clone()),
    )
    .await;
    let issue = github(&server).create_issue(&issue()).await.unwrap();
    assert_eq!(Value::Object(issue), opened);
    assert_eq!(
        body_of(&server, 0).await,
        json!({ "title": "Title", "body": "Text", "labels": ["bug"] })
    );
}

#[tokio::test]
async fn failed_issue_is_an_error_without_retry() {
    for failure in failures() {
        let server = MockServer::start().await;
        mock_answer(&server, "POST", "/repos/acme/site/issues", failure).await;
        impatient(&server).create_issue(&issue()).await.unwrap_err();
        assert_eq!(received(&server).await.len(), 1);
    }
    let error = github_at(&start_truncating_server().await, LONG_MS)
        .create_issue(&issue())
        .await
        .unwrap_err();
    assert!(matches!(error, CallError::NoResponse(_)), "{error:?}");
    let error = github_at("http://127.0.0.1:1", LONG_MS)
        .create_issue(&issue())
        .await
        .unwrap_err();
    assert!(matches!(error, CallError::NoResponse(_)), "{error:?}");
}

async fn server_with_category() -> MockServer {
    let server = MockServer::start().await;
    let variables = json!({ "variables": { "owner": "acme", "name": "site", "category": "ideas" } });
    let found = json!({ "data": { "repository": { "id": "R_1", "discussionCategory": { "id": "DIC_2" } } } });
    on("POST", "/graphql")
        .and(body_partial_json(variables))
        .respond_with(json_answer(200, found))
        .mount(&server)
        .await;
    server
}

/// Mocks the response to a new discussion.
async fn mock_discussion(server: &MockServer, answer: ResponseTemplate) {
    let input = json!({ "repositoryId": "R_1", "categoryId": "DIC_2", "title": "Title", "body": "Text" });
    on("POST", "/graphql")
        .and(body_partial_json(json!({ "variables": { "input": input } })))
        .respond_with(answer)
        .mount(server)
        .await;
}

#[tokio::test]
async fn category_of_discussions_is_queried_once() {
    let server = server_with_category().await;
    let url = "https://github.example/discussions/3";
    let opened = json!({ "data": { "createDiscussion": { "discussion": { "url": url } } } });
    mock_discussion(&server, json_answer(200, opened.clone())).await;
    let github = github(&server);
    for _ in 0..2 {
        let discussion = github.create_discussion("Title", "Text").await.unwrap();
        assert_eq!(Value::Object(discussion), opened);
    }
    assert_eq!(received(&server).await.len(), 3);
    let query = body_of(&server, 1).await["query"].as_str().unwrap().to_owned();
    assert!(query.contains("createDiscussion(input: $input)"), "{query}");
}

#[tokio::test]
async fn failed_discussion_is_an_error() {
    let refused = json_answer(
        200,
        json!({ "data": { "createDiscussion": null }, "errors": [{ "message": "no" }] }),
    );
    for failure in failures().into_iter().chain([refused]) {
        let server = server_with_category().await;
        mock_discussion(&server, failure).await;
        impatient(&server).create_discussion("Title", "Text").await.unwrap_err();
        assert_eq!(received(&server).await.len(), 2);
    }
    github_at(&start_truncating_server().await, LONG_MS)
        .create_discussion("Title", "Text")
        .await
        .unwrap_err();
}

#[tokio::test]
async fn missing_category_is_queried_again() {
    let server = MockServer::start().await;
    let none = json!({ "data": { "repository": { "id": "R_1", "discussionCategory": null } } });
    mock_answer(&server, "POST", "/graphql", json_answer(200, none)).await;
    let github = github(&server);
    for _ in 0..2 {
        let error = github.create_discussion("Title", "Text").await.unwrap_err();
        assert!(matches!(error, CallError::InvalidResponse), "{error:?}");
    }
    assert_eq!(received(&server).await.len(), 2);
}
