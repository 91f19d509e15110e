//! Tests with a mock of Sanity.

use std::time::Duration;

use wiremock::matchers::{body_json, body_string, header, method, path, query_param};
use wiremock::{Mock, MockBuilder, MockServer, ResponseTemplate};

use super::*;
use crate::http::tests::start_truncating_server;

fn images(server: &MockServer) -> SanityImages {
    images_at(server.uri())
}

fn images_at(url: String) -> SanityImages {
    let settings = SanitySettings {
        api_url: url,
        dataset: "site".into(),
        token: Token::new("secret".into()),
    };
    SanityImages::new(settings, Arc::new(Http::new(250)))
}

fn on(verb: &str, endpoint: &str) -> MockBuilder {
    let token = header("authorization", "Bearer secret");
    Mock::given(method(verb))
        .and(path(format!("/v2024-01-01/{endpoint}/site")))
        .and(token)
}

async fn mock_found(server: &MockServer, result: Value) {
    let query = on("GET", "data/query").and(query_param("$id", "\"set-7\""));
    let answer = ResponseTemplate::new(200).set_body_json(json!({ "result": result }));
    query.respond_with(answer).mount(server).await;
}

async fn expect_upload(server: &MockServer) {
    let upload = on("POST", "assets/images")
        .and(header("content-type", "image/jpeg"))
        .and(body_string("new"));
    let answer = ResponseTemplate::new(200).set_body_json(json!({ "document": { "_id": "image-new" } }));
    upload.respond_with(answer).expect(1).mount(server).await;
}

async fn expect_mutation(server: &MockServer, mutation: Value, status: u16) {
    let mutate = on("POST", "data/mutate").and(body_json(json!({ "mutations": [mutation] })));
    mutate
        .respond_with(ResponseTemplate::new(status))
        .expect(1)
        .mount(server)
        .await;
}

fn document() -> Value {
    let asset = json!({ "_type": "reference", "_ref": "image-new" });
    json!({ "_id": "set-7", "_type": "setimg", "img": { "_type": "image", "asset": asset } })
}

#[tokio::test]
async fn replaced_file_is_deleted_last() {
    let server = MockServer::start().await;
    mock_found(&server, json!({ "ref": "image-old", "url": null })).await;
    expect_upload(&server).await;
    expect_mutation(&server, json!({ "createOrReplace": document() }), 200).await;
    // Another document refers to the same file.
    expect_mutation(&server, json!({ "delete": { "id": "image-old" } }), 409).await;
    images(&server)
        .put(&ImageId::Set(7), Image(b"new"[..].into()))
        .await
        .unwrap();
}

#[tokio::test]
async fn ensured_image_does_not_replace_another() {
    let server = MockServer::start().await;
    mock_found(&server, Value::Null).await;
    expect_upload(&server).await;
    expect_mutation(&server, json!({ "createIfNotExists": document() }), 200).await;
    images(&server)
        .ensure(&ImageId::Set(7), Image(b"new"[..].into()))
        .await
        .unwrap();
    let full = MockServer::start().await;
    mock_found(&full, json!({ "ref": "image-old", "url": null })).await;
    images(&full)
        .ensure(&ImageId::Set(7), Image(b"new"[..].into()))
        .await
        .unwrap();
    assert_eq!(full.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn image_is_read_without_token_and_removed_with_file() {
    let server = MockServer::start().await;
    let url = format!("{}/files/a.jpg", server.uri());
    mock_found(&server, json!({ "ref": "image-old", "url": url })).await;
    let file = ResponseTemplate::new(200).set_body_bytes(*b"picture");
    Mock::given(path("/files/a.jpg"))
        .respond_with(file)
        .mount(&server)
        .await;
    let images = images(&server);
    let image = images.get(&ImageId::Set(7)).await.unwrap().unwrap();
    assert_eq!(&image.bytes()[..], b"picture");
    let last = server.received_requests().await.unwrap().pop().unwrap();
    assert!(last.headers.get("authorization").is_none());
    expect_mutation(&server, json!({ "delete": { "id": "set-7" } }), 200).await;
    expect_mutation(&server, json!({ "delete": { "id": "image-old" } }), 200).await;
    images.remove(&ImageId::Set(7)).await.unwrap();
}

#[tokio::test]
async fn failed_service_is_an_error_and_keeps_the_image() {
    for (status, body) in [(500, "{}"), (401, "{}"), (200, "garbage"), (200, "{\"document\": 7}")] {
        let server = MockServer::start().await;
        mock_found(&server, json!({ "ref": "image-old", "url": null })).await;
        let answer = ResponseTemplate::new(status).set_body_string(body);
        on("POST", "assets/images").respond_with(answer).mount(&server).await;
        let failed = images(&server).put(&ImageId::Set(7), Image(b"new"[..].into())).await;
        assert!(matches!(failed, Err(ImageError::Service(_))), "{failed:?}");
        let requests = server.received_requests().await.unwrap();
        assert!(!requests.iter().any(|request| request.url.path().contains("mutate")));
    }
    let slow = MockServer::start().await;
    let late = ResponseTemplate::new(200).set_delay(Duration::from_secs(5));
    on("GET", "data/query").respond_with(late).mount(&slow).await;
    for url in [slow.uri(), start_truncating_server().await] {
        let failed = images_at(url).put(&ImageId::Set(7), Image(b"new"[..].into())).await;
        assert!(
            matches!(failed, Err(ImageError::Service(CallError::NoResponse(_)))),
            "{failed:?}"
        );
    }
}
