//! Tests of the lists of pages, and of the proposals of new ones.

use super::*;

const HEAD: &str = "/repos/acme/site/branches/develop";
const REFS: &str = "/repos/acme/site/git/refs";
const FILE: &str = "/repos/acme/site/contents/markdown/org/showcase/a-day-out/en.md";
const PULLS: &str = "/repos/acme/site/pulls";
const BRANCH: &str = "/repos/acme/site/git/refs/heads/showcase-a-day-out";
const LIST: &str = "/repos/acme/site/contents/markdown/org/blog";
const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const HALF_AN_HOUR_MS: i64 = 30 * 60 * 1000;

fn page() -> NewPage {
    NewPage {
        kind: PageKind::Showcase,
        slug: "a-day-out".into(),
        markdown: "# Zoë".into(),
        language: Language::En,
        username: "jane".into(),
        author: None,
    }
}

/// A mock that succeeds at every step except the one of that method and path, to which it sends `answer`.
async fn server_failing_at(step: (&str, &str), answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    let instead = on(step.0, step.1).respond_with(answer);
    instead.with_priority(1).mount(&server).await;
    for (verb, what, status, body) in [
        ("GET", HEAD, 200, json!({ "commit": { "sha": "abc" } })),
        ("POST", REFS, 201, json!({ "ref": "refs/heads/showcase-a-day-out" })),
        ("PUT", FILE, 201, json!({ "content": { "path": "en.md" } })),
        ("POST", PULLS, 201, json!({ "number": 9 })),
        ("DELETE", BRANCH, 204, json!(null)),
    ] {
        mock_answer(&server, verb, what, json_answer(status, body)).await;
    }
    server
}

async fn working_server() -> MockServer {
    server_failing_at(("GET", "/nothing"), ResponseTemplate::new(404)).await
}

fn steps(steps: &[(&str, &str)]) -> Vec<String> {
    steps.iter().map(|(verb, path)| format!("{verb} {path}")).collect()
}

#[tokio::test]
async fn page_becomes_a_pull_request() {
    let server = working_server().await;
    let proposal = github(&server).propose(&page()).await.unwrap();
    assert_eq!(proposal.branch["ref"], "refs/heads/showcase-a-day-out");
    assert_eq!(proposal.file["content"]["path"], "en.md");
    assert_eq!(proposal.pull_request["number"], 9);
    let expected = steps(&[("GET", HEAD), ("POST", REFS), ("PUT", FILE), ("POST", PULLS)]);
    assert_eq!(received(&server).await, expected);
    assert_eq!(
        body_of(&server, 1).await,
        json!({ "ref": "refs/heads/showcase-a-day-out", "sha": "abc" })
    );
    assert_eq!(
        body_of(&server, 2).await,
        json!({
            "message": "New showcase post a-day-out by jane",
            "content": "IyBab8Or",
            "branch": "showcase-a-day-out",
            "author": { "name": "Bot", "email": "bot@example.org" },
        })
    );
    assert_eq!(
        body_of(&server, 3).await,
        json!({
            "title": "New showcase post a-day-out by jane",
            "body": "New showcase post a-day-out by jane\n\n@maintainer, please have a look.",
            "head": "showcase-a-day-out",
            "base": "develop",
        })
    );
}

#[tokio::test]
async fn author_and_language_are_mentioned() {
    let server = working_server().await;
    let author = Author {
        name: "janedoe".into(),
        email: "jane@example.com".into(),
    };
    let page = NewPage {
        language: Language::Nl,
        author: Some(author),
        ..page()
    };
    github(&server).propose(&page).await.unwrap();
    let (file, pull) = (body_of(&server, 2).await, body_of(&server, 3).await);
    assert_eq!(
        file["author"],
        json!({ "name": "janedoe", "email": "jane@example.com" })
    );
    for text in [&file["message"], &pull["body"]] {
        assert!(text.as_str().unwrap().contains("\n\nCaution: "), "{text}");
    }
    assert_eq!(pull["title"], "New showcase post a-day-out by jane");
}

#[tokio::test]
async fn failed_first_call_creates_nothing() {
    for failure in failures() {
        let server = server_failing_at(("GET", HEAD), failure).await;
        let error = impatient(&server).propose(&page()).await.unwrap_err();
        assert!(matches!(error, ProposalError::Unavailable(_)), "{error:?}");
        let received = received(&server).await;
        assert!(
            received.len() <= 3 && received.iter().all(|step| step.starts_with("GET ")),
            "{received:?}"
        );
    }
    let error = github_at(&start_truncating_server().await, LONG_MS)
        .propose(&page())
        .await
        .unwrap_err();
    assert!(matches!(error, ProposalError::Unavailable(_)), "{error:?}");
}

#[tokio::test]
async fn existing_branch_or_file_is_never_used() {
    let exists = || json_answer(422, json!({ "message": "Reference already exists" }));
    let server = server_failing_at(("POST", REFS), exists()).await;
    let error = github(&server).propose(&page()).await.unwrap_err();
    assert!(matches!(error, ProposalError::Taken), "{error:?}");
    assert_eq!(
        received(&server).await,
        steps(&[("GET", HEAD), ("POST", REFS)]),
        "it stays"
    );

    let server = server_failing_at(("PUT", FILE), exists()).await;
    let error = github(&server).propose(&page()).await.unwrap_err();
    assert!(matches!(error, ProposalError::Taken), "{error:?}");
    let undone = steps(&[("GET", HEAD), ("POST", REFS), ("PUT", FILE), ("DELETE", BRANCH)]);
    assert_eq!(received(&server).await, undone);
}

#[tokio::test]
async fn failed_step_is_not_retried_and_branch_is_removed() {
    let made = [("GET", HEAD), ("POST", REFS), ("PUT", FILE), ("POST", PULLS)];
    for (index, step) in made.into_iter().enumerate().skip(1) {
        for failure in failures() {
            let server = server_failing_at(step, failure).await;
            let error = impatient(&server).propose(&page()).await.unwrap_err();
            assert!(matches!(error, ProposalError::Failed { .. }), "{error:?}");
            let mut expected = steps(&made[..=index]);
            // The branch may belong to another proposal, so it is not removed.
            expected.extend((index > 1).then(|| format!("DELETE {BRANCH}")));
            assert_eq!(received(&server).await, expected);
        }
    }
    let server = server_failing_at(("POST", PULLS), ResponseTemplate::new(422)).await;
    let error = github(&server).propose(&page()).await.unwrap_err();
    assert!(matches!(error, ProposalError::Failed { .. }), "{error:?}");
}

#[tokio::test]
async fn remaining_branch_is_reported() {
    let server = server_failing_at(("POST", PULLS), ResponseTemplate::new(500)).await;
    let stays = on("DELETE", BRANCH).respond_with(ResponseTemplate::new(503));
    stays.with_priority(1).mount(&server).await;
    let error = github(&server).propose(&page()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the pull request: it responded with 500 Internal Server Error; its branch was left behind"
    );
}

#[tokio::test]
async fn list_of_pages_is_cached_for_half_an_hour() {
    let server = MockServer::start().await;
    let list = json!([{ "name": "a-day-out", "type": "dir" }, { "name": "b", "size": 3 }]);
    mock_answer(&server, "GET", LIST, json_answer(200, list)).await;
    let github = github(&server);
    let has = async |slug, now| github.has_page(PageKind::Blog, slug, now).await.unwrap();
    assert!(has("a-day-out", START).await && !has("c", START.plus_ms(HALF_AN_HOUR_MS - 1)).await);
    assert_eq!(received(&server).await.len(), 1);
    assert!(has("b", START.plus_ms(HALF_AN_HOUR_MS)).await);
    assert_eq!(received(&server).await.len(), 2);
}

#[tokio::test]
async fn failures_are_retried_and_never_cached() {
    // An incomplete listing must never be cached as "no such page".
    for failure in failures().into_iter().chain([json_answer(200, json!({}))]) {
        let server = MockServer::start().await;
        let trouble = on("GET", LIST).respond_with(failure).up_to_n_times(3).with_priority(1);
        trouble.mount(&server).await;
        mock_answer(&server, "GET", LIST, json_answer(200, json!([{ "name": "b" }]))).await;
        let github = impatient(&server);
        let mut tries = 0;
        while github.has_page(PageKind::Blog, "b", START).await.is_err() {
            tries += 1;
        }
        assert!((1..=3).contains(&tries), "{tries}");
    }
    github_at(&start_truncating_server().await, LONG_MS)
        .has_page(PageKind::Blog, "b", START)
        .await
        .unwrap_err();
}

#[tokio::test]
async fn truncated_listing_falls_back_to_the_page() {
    let server = MockServer::start().await;
    let list: Vec<_> = (0..1_000)
        .map(|index| json!({ "name": format!("page-{index}") }))
        .collect();
    mock_answer(&server, "GET", LIST, json_answer(200, json!(list))).await;
    mock_answer(&server, "GET", &format!("{LIST}/the-last"), json_answer(200, json!([]))).await;
    let github = github(&server);
    for (slug, there) in [("page-7", true), ("the-last", true), ("none", false)] {
        assert_eq!(
            github.has_page(PageKind::Blog, slug, START).await.unwrap(),
            there,
            "{slug}"
        );
    }
}
