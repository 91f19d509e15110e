//! Tests of connections of `bespoke serve` from the view of a TCP client: refusals before the body is read, pipelined requests, and bytes
//! that are not HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use bespoke_tests::support::{Server, picture, secrets};
use serde_json::{Value, json};
use tempfile::tempdir;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

/// Maximum wait of a client, in seconds. It is reached only if the server fails.
const CLIENT_LIMIT_S: u64 = 60;
/// Number of repetitions of a refusal that was lost occasionally.
const REPEATS: usize = 10;
const MB: usize = 1_000_000;
const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

/// A client with its own connection.
struct Client(BufReader<TcpStream>);

/// A response without its reason phrase.
#[derive(Debug)]
struct Response {
    status: u16,
    head: String,
    body: Value,
}

impl Client {
    fn connect(server: &Server) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(CLIENT_LIMIT_S)))
            .unwrap();
        stream
            .set_write_timeout(Some(Duration::from_secs(CLIENT_LIMIT_S)))
            .unwrap();
        Self(BufReader::new(stream))
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0
            .get_mut()
            .write_all(bytes.as_ref())
            .expect("the server reads the request");
    }

    fn response(&mut self) -> Response {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = self.0.read_line(&mut head).expect("the connection is not reset");
            assert_ne!(read, 0, "the connection ended within a head: {head:?}");
        }
        let head = head.to_ascii_lowercase();
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name).map(str::trim));
        let length = field("content-length:").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        Response {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            body: serde_json::from_slice(&body).unwrap_or_default(),
            head,
        }
    }

    /// Closes the sending side.
    fn leave(&mut self) {
        self.0.get_mut().shutdown(Shutdown::Write).unwrap();
    }

    /// Whether the server ends the connection without a reset and without more bytes.
    fn has_ended(mut self) -> bool {
        self.0.read(&mut [0]).expect("the connection is not reset") == 0
    }
}

impl Response {
    fn closes(&self) -> bool {
        self.head.contains("\r\nconnection: close\r\n")
    }

    fn refusal(&self) -> (u16, &str) {
        (self.status, self.body["error"].as_str().unwrap_or_default())
    }
}

fn post(path: &str, fields: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{fields}Content-Length: {length}\r\n\r\n"
    )
}

/// A JSON object with that number of bytes.
fn object(bytes: usize) -> String {
    format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8))
}

#[test]
fn early_refusal_of_a_large_body_reaches_the_client() {
    let folder = tempdir().unwrap();
    let server = Server::start_with(folder.path(), &[("BACKEND_APIKEY_CALLS_PER_DAY", "0")]);
    let token = server.sign_up("jane@freesewing.dev");
    let by_token = format!("Authorization: {token}\r\n");
    let body = json!({ "name": "used up", "level": 4, "expiresIn": 3_600 });
    let (_, answer) = server.call("POST", "/apikeys/jwt", &token, &body);
    let text = |field: &str| answer["apikey"][field].as_str().unwrap();
    let by_key = format!("Authorization: Bearer {}.{}\r\n", text("key"), text("secret"));
    for (path, fields, length, refusal) in [
        ("/sets/jwt", "", MB, (401, "unauthorized")),
        ("/sets/jwt", "", 12 * MB, (401, "unauthorized")),
        ("/sets/jwt", by_token.as_str(), 13 * MB, (413, "bodyTooLarge")),
        ("/signin", "", MB, (413, "bodyTooLarge")),
        ("/sets/key", by_key.as_str(), MB, (429, "quotaExceeded")),
        ("/sets/key", by_key.as_str(), 12 * MB, (429, "quotaExceeded")),
        ("/nothing", "", 12 * MB, (404, "notFound")),
    ] {
        let request = post(path, fields, length) + &object(length);
        for repeat in 0..REPEATS {
            let mut client = Client::connect(&server);
            client.send(&request);
            client.send(HEALTH);
            let response = client.response();
            assert_eq!(response.refusal(), refusal, "{path}, {length} bytes, repeat {repeat}");
            assert!(response.closes(), "{}", response.head);
            assert!(client.has_ended(), "{path}, {length} bytes, repeat {repeat}");
        }
    }
}

#[test]
fn connection_stays_open_after_a_small_refused_body() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path());
    for (path, length, refusal) in [
        ("/sets/jwt", 50_000, (401, "unauthorized")),
        ("/sets/jwt", 200_000, (401, "unauthorized")),
        ("/signup", 200_000, (413, "bodyTooLarge")),
    ] {
        let mut client = Client::connect(&server);
        for repeat in 0..REPEATS {
            client.send(post(path, "", length) + &object(length) + HEALTH);
            let response = client.response();
            assert_eq!(response.refusal(), refusal, "{path}, {length} bytes, repeat {repeat}");
            assert!(!response.closes(), "{}", response.head);
            assert_eq!(client.response().status, 200, "{path}, {length} bytes, repeat {repeat}");
        }
    }
}

#[test]
fn unread_chunked_body_closes_the_connection() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path());
    let head =
        "POST /sets/jwt HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("{MB:x}\r\n{}\r\n", "x".repeat(MB));
    for repeat in 0..REPEATS {
        let mut client = Client::connect(&server);
        client.send(format!("{head}{chunk}{chunk}0\r\n\r\n{HEALTH}"));
        let response = client.response();
        assert_eq!((response.status, response.closes()), (401, true), "repeat {repeat}");
        assert!(client.has_ended());
    }
}

#[test]
fn chunked_body_that_is_read_keeps_the_connection_open() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path());
    let token = server.sign_up("jane@freesewing.dev");
    let mut client = Client::connect(&server);
    let head = format!(
        "POST /sets/jwt HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    for (body, status) in [
        (
            "5\r\n{\"nam\r\n9;x\r\ne\":\"Jane\"\r\n1\r\n}\r\n0\r\nTrailer: x\r\n\r\n",
            201,
        ),
        ("0\r\n\r\n", 400),
    ] {
        client.send(format!("{head}{body}{HEALTH}"));
        let response = client.response();
        assert_eq!(
            (response.status, response.closes()),
            (status, false),
            "{}",
            response.body
        );
        assert_eq!(client.response().status, 200);
    }
    client.send(format!("{head}zz\r\n"));
    let response = client.response();
    assert_eq!((response.refusal(), response.closes()), ((400, "badRequest"), true));
    assert!(client.has_ended());
}

#[test]
fn expect_continue_is_granted_only_if_the_body_is_read() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path());
    let token = server.sign_up("jane@freesewing.dev");
    let body = json!({ "name": "Jane" }).to_string();
    let expecting = |fields: &str| post("/sets/jwt", &format!("Expect: 100-continue\r\n{fields}"), body.len());

    let mut refused = Client::connect(&server);
    refused.send(expecting(""));
    let response = refused.response();
    assert_eq!(
        (response.status, response.closes()),
        (401, true),
        "no 100 Continue before the response"
    );
    drop(refused);

    let mut taken = Client::connect(&server);
    taken.send(expecting(&format!("Authorization: {token}\r\n")));
    assert_eq!(taken.response().status, 100);
    taken.send(&body);
    let response = taken.response();
    secrets::plant_answered(&response.body);
    assert_eq!(response.status, 201);
    taken.send(HEALTH);
    assert_eq!(taken.response().status, 200);
}

#[test]
fn ambiguous_head_is_refused_in_order_and_closes_the_connection() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path());
    let with = |fields: &str| format!("GET /healthz HTTP/1.1\r\n{fields}\r\n");
    let (malformed, too_large) = ((400, "badRequest"), (431, "headTooLarge"));
    for (head, refusal) in [
        ("GET /healthz HTTP/1.1\nHost: x\n\n".to_owned(), malformed),
        ("GET /healthz HTTP/1.1\r\nHost: x\nX: y\r\n\r\n".to_owned(), malformed),
        (with(""), malformed),
        (with("Host: x\r\nHost: y\r\n"), malformed),
        (
            with("Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
            malformed,
        ),
        (
            with("Host: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n"),
            malformed,
        ),
        (
            with("Host: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n"),
            malformed,
        ),
        (with("Host: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n"), malformed),
        (with("Host: x\r\nBad Name: y\r\n"), malformed),
        (with(&format!("Host: x\r\nX: {}\r\n", "x".repeat(16 * 1024))), too_large),
        (with(&format!("Host: x\r\n{}", "X: y\r\n".repeat(200))), too_large),
        (format!("GET /{} HTTP/1.1\r\n", "x".repeat(16 * 1024)), too_large),
        ("REFUSED / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), malformed),
    ] {
        let mut client = Client::connect(&server);
        client.send(format!("{HEALTH}{HEALTH}{head}{HEALTH}"));
        assert_eq!(client.response().status, 200);
        assert_eq!(client.response().status, 200);
        let response = client.response();
        assert_eq!(response.refusal(), refusal, "{head:?}");
        assert!(
            response.closes() && response.head.contains("x-content-type-options: nosniff"),
            "{}",
            response.head
        );
        assert!(client.has_ended(), "{head:?}");
    }
}

#[test]
fn head_may_arrive_in_pieces() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path());
    let mut client = Client::connect(&server);
    for byte in HEALTH.repeat(3).as_bytes() {
        client.send([*byte]);
    }
    for _ in 0..3 {
        assert_eq!(client.response().status, 200);
    }
}

#[test]
fn address_with_too_many_connections_is_refused() {
    let folder = tempdir().unwrap();
    let server = Server::start_with(folder.path(), &[("BACKEND_CONNECTIONS_PER_ADDRESS", "2")]);
    let is_served = |client: &mut Client| {
        client.send(HEALTH);
        client.response().status == 200
    };
    let (mut first, mut second) = (Client::connect(&server), Client::connect(&server));
    assert!(is_served(&mut first) && is_served(&mut second));
    let mut third = Client::connect(&server);
    let response = third.response();
    assert_eq!(response.refusal(), (429, "tooManyConnections"));
    assert!(response.closes());
    assert!(third.has_ended());
    assert!(is_served(&mut first) && is_served(&mut second));
    drop(first);
    // The server closes its end later than the client.
    let mut again = std::iter::repeat_with(|| Client::connect(&server));
    assert!(again.any(|mut client| {
        // A refused connection may be reset before the request is written.
        let _ = client.0.get_mut().write_all(HEALTH.as_bytes());
        let mut status = [0; 12];
        client.0.read_exact(&mut status).is_ok() && status.ends_with(b"200")
    }));
}

/// A service that reports the method of each call, and responds when the test allows it.
struct Service {
    calls: SyncSender<String>,
    may_respond: Mutex<Receiver<()>>,
}

impl Respond for Service {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let _ = self.calls.send(request.method.to_string());
        let _ = self.may_respond.lock().unwrap().recv();
        ResponseTemplate::new(200)
    }
}

#[tokio::test]
async fn write_completes_after_its_client_disconnects() {
    // Dropped after `respond`, because it waits for the response of the service.
    let cloudflare = MockServer::start().await;
    let (calls, called) = sync_channel(1);
    let (respond, may_respond) = sync_channel(1);
    let service = Service {
        calls,
        may_respond: Mutex::new(may_respond),
    };
    Mock::given(any()).respond_with(service).mount(&cloudflare).await;
    let folder = tempdir().unwrap();
    let settings = [
        ("BACKEND_ENABLE_CLOUDFLARE_IMAGES", "yes"),
        ("BACKEND_CLOUDFLARE_ACCOUNT", "acme"),
        ("BACKEND_CLOUDFLARE_IMAGES_TOKEN", "token-for-images"),
        ("BACKEND_CLOUDFLARE_API_URL", &cloudflare.uri()),
        ("BACKEND_CALL_TIMEOUT_MS", "60000"),
    ];
    let server = Server::start_with(folder.path(), &settings);
    let token = server.sign_up("jane@freesewing.dev");
    let body = json!({ "img": picture::RED }).to_string();
    let head = format!(
        "PATCH /account/jwt HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let next_call = || {
        called
            .recv_timeout(Duration::from_secs(CLIENT_LIMIT_S))
            .expect("a call")
    };

    let mut client = Client::connect(&server);
    client.send(head + &body);
    assert_eq!(next_call(), "POST", "the image is stored");
    client.leave();
    assert!(client.has_ended(), "the server notices that the client has left");
    respond.send(()).unwrap();
    assert_eq!(next_call(), "DELETE", "the reserved copy is removed");
}
