//! `/healthz`, `/readyz`, and unknown routes

use bespoke_tests::support::App;

#[tokio::test]
async fn health_covers_process_and_bucket() {
    let app = App::new().await;
    assert_eq!(app.get("/healthz").send().await.expect_status(200)["result"], "success");
    let before = app.get("/readyz").send().await.expect_status(200)["database"].clone();
    app.person("jane").await;
    let after = app.get("/readyz").send().await.expect_status(200)["database"].clone();
    assert_ne!(before, after);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_404_in_the_envelope() {
    let app = App::new().await;
    for (method, path) in [
        ("GET", "/nope"),
        ("POST", "/nope/jwt"),
        ("PUT", "/sets/1/jwt"),
        ("GET", "/sets"),
        ("GET", "/sets/1"),
        ("GET", "/signup"),
        ("GET", "//sets/jwt"),
        ("GET", "/sets//jwt"),
        ("GET", "/sets/jwt/more"),
        ("TRACE", "/healthz"),
        ("GET", "/whoami"),
        ("GET", "/consent/key"),
        ("GET", "/.json"),
    ] {
        app.request(method, path).send().await.expect_error(404, "notFound");
    }
}
