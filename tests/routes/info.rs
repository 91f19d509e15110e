//! Tests of `/healthz`, `/readyz` and unknown routes.

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
async fn unknown_paths_are_404_and_other_methods_405_in_the_envelope() {
    let app = App::new().await;
    for (method, path) in [
        ("GET", "/nope"),
        ("POST", "/nope/jwt"),
        ("GET", "/sets"),
        ("GET", "/sets/1"),
        ("GET", "//sets/jwt"),
        ("GET", "/sets//jwt"),
        ("GET", "/sets/jwt/more"),
        ("GET", "/whoami"),
        ("GET", "/consent/key"),
        ("GET", "/.json"),
    ] {
        app.request(method, path).send().await.expect_error(404, "notFound");
    }
    for (method, path, allow) in [
        ("PUT", "/sets/1/jwt", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("GET", "/signup", "OPTIONS, POST"),
        ("TRACE", "/healthz", "GET, HEAD, OPTIONS"),
        ("POST", "/Sets/1.JSON/", "GET, HEAD, OPTIONS"),
    ] {
        let response = app.request(method, path).send().await;
        assert_eq!(response.header("allow"), allow, "{method} {path}");
        response.expect_error(405, "methodNotAllowed");
    }
}
