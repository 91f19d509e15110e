//! Tests with a mock of Cloudflare.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use wiremock::matchers::{any, header, method, path};
use wiremock::{Mock, MockServer, Respond, ResponseTemplate};

use super::*;
use crate::http::tests::start_truncating_server;

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

/// Returns the received requests, in order.
async fn received(server: &MockServer) -> Vec<String> {
    let requests = server.received_requests().await.unwrap();
    let line = |request: &wiremock::Request| format!("{} {}", request.method, request.url.path().replace(BASE, ""));
    requests.iter().map(line).collect()
}

fn on(verb: &str, endpoint: &str) -> wiremock::MockBuilder {
    Mock::given(method(verb))
        .and(path(format!("{BASE}{endpoint}")))
        .and(header("authorization", "Bearer secret"))
}

#[tokio::test]
async fn upload_has_its_id_and_no_personal_data() {
    let server = MockServer::start().await;
    on("POST", "")
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    let images = images(&server).await;
    images.put(&ImageId::Set(7), picture(b"\x89PNG new")).await.unwrap();
    images.put(&ImageId::CuratedSet(7), picture(b"jpeg")).await.unwrap();
    let requests = server.received_requests().await.unwrap();
    let uploads = requests.iter().filter(|request| request.method.as_str() == "POST");
    for (request, expected) in uploads.zip([
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
    assert_eq!(
        received(&server).await,
        ["POST ", "DELETE /set-7_next", "POST ", "DELETE /cset-7_next"]
    );
}

/// A small model of Cloudflare Images. The call of a given number, counted from 1, fails before or after it has taken
/// effect.
#[derive(Clone, Default)]
struct Cloudflare(Arc<Mutex<Images>>);

#[derive(Default)]
struct Images {
    stored: BTreeMap<String, Vec<u8>>,
    calls: usize,
    failing: Option<(usize, Effect)>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Effect {
    None,
    Complete,
}

impl Images {
    fn apply(&mut self, request: &wiremock::Request) -> ResponseTemplate {
        let name = request.url.path().replace(BASE, "").replace("/blob", "");
        let name = name.trim_start_matches('/').to_owned();
        match request.method.as_str() {
            "POST" => {
                let body = String::from_utf8(request.body.clone()).unwrap();
                let field = |before: &str| {
                    body.split_once(before)
                        .unwrap()
                        .1
                        .split_once("\r\n")
                        .unwrap()
                        .0
                        .to_owned()
                };
                let id = field("name=\"id\"\r\n\r\n");
                let file = field("image/jpeg\r\n\r\n");
                if self.stored.contains_key(&id) {
                    return ResponseTemplate::new(409);
                }
                self.stored.insert(id, file.into_bytes());
                ResponseTemplate::new(200)
            }
            "DELETE" if self.stored.remove(&name).is_some() => ResponseTemplate::new(200),
            "GET" if self.stored.contains_key(&name) => {
                ResponseTemplate::new(200).set_body_bytes(self.stored[&name].clone())
            }
            _ => ResponseTemplate::new(404),
        }
    }
}

impl Respond for Cloudflare {
    fn respond(&self, request: &wiremock::Request) -> ResponseTemplate {
        let mut images = self.0.lock().unwrap();
        images.calls += 1;
        let effect = images
            .failing
            .filter(|(call, _)| *call == images.calls)
            .map(|(_, effect)| effect);
        match effect {
            // A refused call is not retried.
            Some(Effect::None) => ResponseTemplate::new(403),
            Some(Effect::Complete) => {
                images.apply(request);
                ResponseTemplate::new(403)
            }
            None => images.apply(request),
        }
    }
}

#[tokio::test]
async fn replacement_keeps_an_image_at_any_failure() {
    let id = ImageId::Set(7);
    for leftover in [false, true] {
        for effect in [Effect::None, Effect::Complete] {
            for failing in 1..=8 {
                let (server, cloudflare) = (MockServer::start().await, Cloudflare::default());
                Mock::given(any()).respond_with(cloudflare.clone()).mount(&server).await;
                let images = images(&server).await;
                images.put(&id, picture(b"old")).await.unwrap();
                {
                    let mut state = cloudflare.0.lock().unwrap();
                    if leftover {
                        state.stored.insert(spare_of(&id), b"older".to_vec());
                    }
                    (state.calls, state.failing) = (0, Some((failing, effect)));
                }
                let put = images.put(&id, picture(b"new")).await;
                cloudflare.0.lock().unwrap().failing = None;
                let case = format!("{leftover} {effect:?} {failing} {put:?}");
                let now = images.get(&id).await.unwrap().expect(&case);
                let expected: &[&[u8]] = if put.is_ok() { &[b"new"] } else { &[b"old", b"new"] };
                assert!(expected.contains(&&now.bytes()[..]), "{case}");
                // The next replacement repairs it.
                images.put(&id, picture(b"newest")).await.unwrap();
                let stored = cloudflare.0.lock().unwrap().stored.clone();
                assert_eq!(
                    stored,
                    BTreeMap::from([("set-7".to_owned(), b"newest".to_vec())]),
                    "{case}"
                );
            }
        }
    }
}

#[tokio::test]
async fn default_image_does_not_replace_another() {
    let (server, cloudflare) = (MockServer::start().await, Cloudflare::default());
    Mock::given(any()).respond_with(cloudflare.clone()).mount(&server).await;
    let (images, id) = (images(&server).await, ImageId::Set(7));
    images.ensure(&id, picture(b"first")).await.unwrap();
    images.ensure(&id, picture(b"second")).await.unwrap();
    assert_eq!(&images.get(&id).await.unwrap().unwrap().bytes()[..], b"first");
    // A replacement that was interrupted.
    cloudflare.0.lock().unwrap().stored = BTreeMap::from([(spare_of(&id), b"next".to_vec())]);
    images.ensure(&id, picture(b"third")).await.unwrap();
    assert_eq!(&images.get(&id).await.unwrap().unwrap().bytes()[..], b"next");
    images.remove(&id).await.unwrap();
    assert_eq!(images.get(&id).await.unwrap(), None);
}

#[tokio::test]
async fn unexpected_response_is_an_error_and_removes_nothing() {
    for answer in [400, 401, 403, 429, 500, 503].map(ResponseTemplate::new) {
        let server = MockServer::start().await;
        Mock::given(method("POST")).respond_with(answer).mount(&server).await;
        images(&server)
            .await
            .put(&ImageId::Set(7), picture(b"new"))
            .await
            .unwrap_err();
        assert_eq!(received(&server).await, ["POST "]);
    }
    let server = MockServer::start().await;
    let slow = ResponseTemplate::new(200).set_delay(Duration::from_secs(5));
    Mock::given(method("POST")).respond_with(slow).mount(&server).await;
    for images in [images(&server).await, images_at(&start_truncating_server().await)] {
        let none = images.put(&ImageId::Set(7), picture(b"new")).await;
        assert!(
            matches!(none, Err(ImageError::Service(CallError::NoResponse(_)))),
            "{none:?}"
        );
    }
}

#[tokio::test]
async fn reads_and_removals_are_retried() {
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
    assert_eq!(received(&server).await.len(), 2 + 4);
    // A missing image is not an error.
    assert_eq!(images.get(&ImageId::Set(8)).await.unwrap(), None);
    images.remove(&ImageId::Set(8)).await.unwrap();
    assert_eq!(images.url(&ImageId::Set(7), 1).await.unwrap(), None);
}
