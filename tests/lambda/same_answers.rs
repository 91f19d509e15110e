//! Test that each sample gets the same response from the function's own binary, from `bespoke serve` with all functions, and from
//! `bespoke invoke`. Each of the three works on a copy of the same installation.

use serde_json::Value;

use super::event::{SAMPLES, Sample};
use super::installation::{Installation, Settings, invoke};
use super::invoke::run_invoke;

/// The origin of a browser in the samples.
const ORIGIN: &str = "https://freesewing.example";

async fn compare_hosts(function: &str) {
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
        let invoked = run_invoke(&copies[2], &["invoke", "-"], settings, Some(&event))
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
    compare_hosts("account").await;
}

#[tokio::test]
async fn all() {
    compare_hosts("all").await;
}

#[tokio::test]
async fn apikeys() {
    compare_hosts("apikeys").await;
}

#[tokio::test]
async fn info() {
    compare_hosts("info").await;
}

#[tokio::test]
async fn sets() {
    compare_hosts("sets").await;
}

#[tokio::test]
async fn admin() {
    compare_hosts("admin").await;
}

#[tokio::test]
async fn bookmarks() {
    compare_hosts("bookmarks").await;
}

#[tokio::test]
async fn confirmations() {
    compare_hosts("confirmations").await;
}

#[tokio::test]
async fn curated_sets() {
    compare_hosts("curated-sets").await;
}

#[tokio::test]
async fn console() {
    compare_hosts("console").await;
}

#[tokio::test]
async fn docs() {
    compare_hosts("docs").await;
}

#[tokio::test]
async fn flows() {
    compare_hosts("flows").await;
}

#[tokio::test]
async fn images() {
    compare_hosts("images").await;
}

#[tokio::test]
async fn measurements() {
    compare_hosts("measurements").await;
}

#[tokio::test]
async fn option_packs() {
    compare_hosts("option-packs").await;
}

#[tokio::test]
async fn patterns() {
    compare_hosts("patterns").await;
}

#[tokio::test]
async fn subscribers() {
    compare_hosts("subscribers").await;
}
