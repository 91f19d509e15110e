//! Tests with a server on loopback, for which the rules are relaxed one by one.

use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

const RELAXED: Rules = Rules {
    secure: false,
    is_allowed: |_| true,
};

async fn server(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/a.png"))
        .respond_with(answer)
        .mount(&server)
        .await;
    server
}

async fn fetched(rules: Rules, answer: ResponseTemplate) -> (Result<Bytes, ImageError>, usize) {
    let server = server(answer).await;
    let result = Fetcher::of(rules, 250).fetch(&format!("{}/a.png", server.uri())).await;
    (result, server.received_requests().await.unwrap_or_default().len())
}

#[tokio::test]
async fn file_is_returned_unchanged() {
    let (file, asked) = fetched(RELAXED, ResponseTemplate::new(200).set_body_bytes(*b"picture")).await;
    assert_eq!((&*file.unwrap(), asked), (&b"picture"[..], 1));
}

#[tokio::test]
async fn only_timely_complete_responses_without_redirect_are_accepted() {
    let elsewhere = server(ResponseTemplate::new(200).set_body_bytes(*b"picture")).await;
    let redirect = ResponseTemplate::new(302).insert_header("location", format!("{}/a.png", elsewhere.uri()));
    for answer in [
        redirect,
        ResponseTemplate::new(404),
        ResponseTemplate::new(500),
        ResponseTemplate::new(200).set_delay(std::time::Duration::from_secs(5)),
    ] {
        let (file, asked) = fetched(RELAXED, answer).await;
        assert!(matches!(file, Err(ImageError::Url)), "{file:?}");
        assert_eq!(asked, 1, "asked once");
    }
    assert_eq!(elsewhere.received_requests().await.unwrap().len(), 0);
    let half = Fetcher::of(RELAXED, 250)
        .fetch(&crate::http::tests::start_truncating_server().await)
        .await;
    assert!(matches!(half, Err(ImageError::Url)), "{half:?}");
    let huge = ResponseTemplate::new(200).set_body_bytes(vec![0; MAX_SOURCE_BYTES + 1]);
    let server = server(huge).await;
    let patient = Fetcher::of(RELAXED, 10_000);
    let refused = patient.fetch(&format!("{}/a.png", server.uri())).await;
    assert!(matches!(refused, Err(ImageError::TooLarge)), "{refused:?}");
}

#[tokio::test]
async fn internal_hosts_are_refused_by_address_and_name() {
    let strict = Rules {
        secure: false,
        ..Fetcher::default().rules
    };
    let server = server(ResponseTemplate::new(200)).await;
    let port = server.address().port();
    // Names are checked when they are resolved.
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "127.1",
        "2130706433",
        "0x7f000001",
    ] {
        let file = Fetcher::of(strict, 250)
            .fetch(&format!("http://{host}:{port}/a.png"))
            .await;
        assert!(matches!(file, Err(ImageError::Url)), "{host}: {file:?}");
    }
    assert_eq!(server.received_requests().await.unwrap().len(), 0);
}

#[test]
fn only_plain_https_urls_are_accepted() {
    let rules = Fetcher::default().rules;
    assert!(rules.check("https://example.com/a.png?x=1").is_some());
    let long = format!("https://example.com/{}", "a".repeat(MAX_URL_BYTES));
    for url in [
        "http://example.com/a.png",
        "https://example.com:8443/a.png",
        "https://jane:secret@example.com/a.png",
        "https://169.254.169.254/latest/meta-data",
        "https://[fd00:ec2::254]/",
        "ftp://example.com/a.png",
        "file:///etc/passwd",
        "https://",
        "https",
        &long,
    ] {
        assert!(rules.check(url).is_none(), "{url}");
    }
}
