//! Tests of all calls with servers that fail.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

/// Returns the URL of a server that closes the connection in the middle of each response.
pub(crate) async fn start_truncating_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4_096];
            let _ = stream.read(&mut request).await;
            let half = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"half\":";
            let _ = stream.write_all(half).await;
        }
    });
    url
}

async fn server(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(path("/")).respond_with(answer).mount(&server).await;
    server
}

async fn request_count(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().len()
}

#[tokio::test]
async fn failures_of_idempotent_calls_are_retried() {
    let http = Http::new(30_000);
    for (method, status, times) in [
        (Method::GET, 500, 3),
        (Method::PUT, 503, 3),
        (Method::DELETE, 502, 3),
        (Method::POST, 500, 1),
        (Method::PATCH, 503, 1),
        (Method::GET, 404, 1),
        (Method::GET, 429, 1),
    ] {
        let server = server(ResponseTemplate::new(status)).await;
        let answer = send(http.request(method.clone(), server.uri())).await.unwrap();
        assert_eq!(answer.status.as_u16(), status);
        assert_eq!(request_count(&server).await, times, "{method} {status}");
    }
    let server = server(ResponseTemplate::new(500)).await;
    send_once(http.request(Method::PUT, server.uri())).await.unwrap();
    assert_eq!(request_count(&server).await, 1);
}

#[tokio::test]
async fn incomplete_responses_are_errors() {
    let http = Http::new(750);
    let slow = server(ResponseTemplate::new(200).set_delay(Duration::from_secs(60))).await;
    for (url, problem) in [
        (slow.uri(), "it took too long"),
        (start_truncating_server().await, "the connection was closed early"),
        ("http://127.0.0.1:1".to_owned(), "the connection failed"),
        ("nowhere".to_owned(), "the URL cannot be used"),
    ] {
        let error = send_once(http.request(Method::POST, &url)).await.unwrap_err();
        assert_eq!(error, CallError::NoResponse(problem), "{url}");
        send(http.request(Method::GET, &url)).await.unwrap_err();
    }
}

#[tokio::test]
async fn redirects_and_large_responses_are_refused() {
    let http = Http::new(30_000);
    let elsewhere = server(ResponseTemplate::new(200)).await;
    let redirect = ResponseTemplate::new(302).insert_header("location", elsewhere.uri());
    let answer = send(http.request(Method::GET, server(redirect).await.uri()))
        .await
        .unwrap();
    assert_eq!(answer.success().unwrap_err(), CallError::Refused(StatusCode::FOUND));
    assert_eq!(request_count(&elsewhere).await, 0);
    let huge = server(ResponseTemplate::new(200).set_body_bytes(vec![b' '; MAX_RESPONSE_BYTES + 1])).await;
    let error = send_once(http.request(Method::GET, huge.uri())).await.unwrap_err();
    assert_eq!(error, CallError::InvalidResponse);
}
