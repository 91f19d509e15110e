//! Against a server that plays Cloudflare's part.

use std::time::Duration;

use wiremock::matchers::{body_string_contains, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::http::tests::cut;

const BASE: &str = "/client/v4/accounts/acme/images/v1";

async fn images(server: &MockServer) -> CloudflareImages {
    images_at(&server.uri())
}

fn images_at(url: &str) -> CloudflareImages {
    let settings = CloudflareSettings {
        api_url: format!("{url}/client/v4"),
        account: "acme".into(),
        token: Token::new("secret".into()),
    };
    CloudflareImages::new(settings, Arc::new(Http::new(250)))
}

fn picture(content: &'static [u8]) -> Image {
    Image(content.into())
}

/// What was asked, in order.
async fn asked(server: &MockServer) -> Vec<String> {
    let requests = server.received_requests().await.unwrap();
    let line = |request: &wiremock::Request| format!("{} {}", request.method, request.url.path().replace(BASE, ""));
    requests.iter().map(line).collect()
}

fn on(verb: &str, what: &str) -> wiremock::MockBuilder {
    Mock::given(method(verb))
        .and(path(format!("{BASE}{what}")))
        .and(header("authorization", "Bearer secret"))
}

#[tokio::test]
async fn a_new_image_is_uploaded_under_its_id_without_anything_personal() {
    let server = MockServer::start().await;
    on("POST", "")
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    let images = images(&server).await;
    images.put(&ImageId::Set(7), picture(b"\x89PNG new")).await.unwrap();
    images.put(&ImageId::CuratedSet(7), picture(b"jpeg")).await.unwrap();
    let requests = server.received_requests().await.unwrap();
    for (request, expected) in requests.iter().zip([
        [
            "name=\"id\"\r\n\r\nset-7\r\n",
            "name=\"requireSignedURLs\"\r\n\r\ntrue\r\n",
            "image/png",
            "PNG new",
        ],
        [
            "name=\"id\"\r\n\r\ncset-7\r\n",
            "name=\"requireSignedURLs\"\r\n\r\nfalse\r\n",
            "image/jpeg",
            "jpeg",
        ],
    ]) {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        for text in expected.into_iter().chain(["name=\"metadata\"\r\n\r\n{}\r\n"]) {
            assert!(body.contains(text), "{text} in {body}");
        }
    }
    assert_eq!(asked(&server).await, ["POST ", "POST "]);
}

#[tokio::test]
async fn an_image_replaces_the_one_before_it_and_one_that_is_to_be_there_does_not() {
    let server = MockServer::start().await;
    let conflict = on("POST", "").respond_with(ResponseTemplate::new(409));
    conflict.up_to_n_times(2).mount(&server).await;
    on("POST", "")
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    let old = ResponseTemplate::new(200).set_body_bytes(*b"old");
    on("GET", "/set-7/blob").respond_with(old).mount(&server).await;
    on("DELETE", "/set-7")
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    let images = images(&server).await;
    images.ensure(&ImageId::Set(7), picture(b"other")).await.unwrap();
    assert_eq!(asked(&server).await, ["POST "]);
    images.put(&ImageId::Set(7), picture(b"new")).await.unwrap();
    let all = asked(&server).await;
    assert_eq!(all[1..], ["POST ", "GET /set-7/blob", "DELETE /set-7", "POST "]);
}

#[tokio::test]
async fn the_old_image_is_put_back_where_the_new_one_fails() {
    let server = MockServer::start().await;
    let news = || Mock::given(method("POST")).and(body_string_contains("new picture"));
    news()
        .respond_with(ResponseTemplate::new(409))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    news().respond_with(ResponseTemplate::new(500)).mount(&server).await;
    let old = Mock::given(method("POST")).and(body_string_contains("old picture"));
    old.respond_with(ResponseTemplate::new(200))
        .expect(1)
        .mount(&server)
        .await;
    let kept = ResponseTemplate::new(200).set_body_bytes(*b"old picture");
    on("GET", "/set-7/blob").respond_with(kept).mount(&server).await;
    on("DELETE", "/set-7")
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    let failed = images(&server)
        .await
        .put(&ImageId::Set(7), picture(b"new picture"))
        .await;
    assert!(
        matches!(failed, Err(ImageError::Service(CallError::Refused(_)))),
        "{failed:?}"
    );
}

#[tokio::test]
async fn whatever_else_it_answers_is_an_error_and_nothing_is_removed() {
    for answer in [400, 401, 403, 429, 500, 503].map(ResponseTemplate::new) {
        let server = MockServer::start().await;
        Mock::given(method("POST")).respond_with(answer).mount(&server).await;
        images(&server)
            .await
            .put(&ImageId::Set(7), picture(b"new"))
            .await
            .unwrap_err();
        assert_eq!(asked(&server).await, ["POST "]);
    }
    let server = MockServer::start().await;
    let slow = ResponseTemplate::new(200).set_delay(Duration::from_secs(5));
    Mock::given(method("POST")).respond_with(slow).mount(&server).await;
    for images in [images(&server).await, images_at(&cut().await)] {
        let none = images.put(&ImageId::Set(7), picture(b"new")).await;
        assert!(
            matches!(none, Err(ImageError::Service(CallError::NoAnswer(_)))),
            "{none:?}"
        );
    }
}

#[tokio::test]
async fn images_are_read_and_removed_by_calls_that_are_repeated() {
    let server = MockServer::start().await;
    let trouble = on("GET", "/set-7/blob").respond_with(ResponseTemplate::new(502));
    trouble.up_to_n_times(1).mount(&server).await;
    let found = ResponseTemplate::new(200).set_body_bytes(*b"\x89PNG");
    on("GET", "/set-7/blob").respond_with(found).mount(&server).await;
    on("DELETE", "/set-7")
        .respond_with(ResponseTemplate::new(503))
        .up_to_n_times(2)
        .mount(&server)
        .await;
    on("DELETE", "/set-7")
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    let images = images(&server).await;
    let image = images.get(&ImageId::Set(7)).await.unwrap().unwrap();
    assert_eq!(image.media_type(), "image/png");
    images.remove(&ImageId::Set(7)).await.unwrap();
    assert_eq!(asked(&server).await.len(), 2 + 3);
    // What is not there is missing, or gone already.
    assert_eq!(images.get(&ImageId::Set(8)).await.unwrap(), None);
    images.remove(&ImageId::Set(8)).await.unwrap();
    assert_eq!(images.url(&ImageId::Set(7), 1).await.unwrap(), None);
}
