//! Each sample gets the same response from the function's own binary, from `bespoke serve` with all functions, and from
//! `bespoke invoke`. Each of the three works on a copy of the same installation.

use serde_json::Value;

use super::event::{SAMPLES, Sample};
use super::installation::{Installation, Settings, invoke};
use super::invoke::printed;

/// The origin of a browser in the samples.
const ORIGIN: &str = "https://freesewing.example";

async fn same(function: &str) {
    let origin = Installation::demonstration().await;
    let serve = origin.serve(&[]).await;
    let writer = serve.writer().await;
    serve.stop().await;

    let with_demonstration = |sample: &Sample| (sample.event(), sample.status);
    compare(function, &origin, &[], with_demonstration).await;
    let with_writer = |sample: &Sample| (sample.event_with(&writer), sample.status_of_writer);
    compare(function, &origin, &[("BACKEND_CORS_ORIGINS", ORIGIN)], with_writer).await;
}

/// Compares the samples of a function, or all samples for the function that serves all routes. `bespoke invoke` selects the function by
/// the path, so its responses cannot be compared with those of that function.
async fn compare(function: &str, origin: &Installation, settings: Settings<'_>, of: impl Fn(&Sample) -> (Value, u16)) {
    let serves_all = function == "all";
    let copies = [origin.copy(), origin.copy(), origin.copy()];
    let serve = copies[0].serve(settings).await;
    // The port is part of its URL, and so of tokens and links.
    let settings = &[settings, &[("BACKEND_URL", &serve.url)]].concat();
    let lambda = copies[1].function(function, "a", settings).await;
    let mut compared = 0;
    for sample in SAMPLES
        .iter()
        .filter(|sample| serves_all || sample.function() == function)
    {
        let (event, status) = of(sample);
        let served = serve.answer(&event).await;
        assert_eq!(served.status, status, "{}: {served:?}", sample.name);
        if event["headers"].get("x-request-id").is_some() {
            assert_eq!(served.headers["x-request-id"], event["headers"]["x-request-id"]);
        }
        let (served, answered) = (served.masked(), invoke(&lambda, event.clone()).await.masked());
        assert_eq!(
            answered, served,
            "{}: the function on the left, serve on the right",
            sample.name
        );
        compared += 1;
        if serves_all {
            continue;
        }
        let invoked = printed(&copies[2], &["invoke", "-"], settings, Some(&event))
            .await
            .masked();
        assert_eq!(
            invoked, served,
            "{}: invoke on the left, serve on the right",
            sample.name
        );
    }
    assert!(compared >= 6, "{function} has too few samples");
}

#[tokio::test]
async fn account() {
    same("account").await;
}

#[tokio::test]
async fn all() {
    same("all").await;
}

#[tokio::test]
async fn apikeys() {
    same("apikeys").await;
}

#[tokio::test]
async fn info() {
    same("info").await;
}

#[tokio::test]
async fn sets() {
    same("sets").await;
}

#[tokio::test]
async fn admin() {
    same("admin").await;
}

#[tokio::test]
async fn bookmarks() {
    same("bookmarks").await;
}

#[tokio::test]
async fn confirmations() {
    same("confirmations").await;
}

#[tokio::test]
async fn curated_sets() {
    same("curated-sets").await;
}

#[tokio::test]
async fn console() {
    same("console").await;
}

#[tokio::test]
async fn docs() {
    same("docs").await;
}

#[tokio::test]
async fn flows() {
    same("flows").await;
}

#[tokio::test]
async fn images() {
    same("images").await;
}

#[tokio::test]
async fn measurements() {
    same("measurements").await;
}

#[tokio::test]
async fn option_packs() {
    same("option-packs").await;
}

#[tokio::test]
async fn patterns() {
    same("patterns").await;
}

#[tokio::test]
async fn subscribers() {
    same("subscribers").await;
}
