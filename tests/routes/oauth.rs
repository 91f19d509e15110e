//! `POST /signin/oauth/init` and `POST /signin/oauth`

use bespoke_tests::support::App;
use serde_json::json;

#[tokio::test]
async fn no_provider_is_enabled_whatever_is_asked_for() {
    // Defect D8: what was no text ended the process.
    let app = App::new().await;
    for path in ["/signin/oauth/init", "/signin/oauth"] {
        for provider in [
            json!("github"),
            json!("Google"),
            json!("x"),
            json!(null),
            json!(7),
            json!({}),
        ] {
            let body = json!({ "provider": provider, "language": "en", "state": "s", "code": "c" });
            app.post(path)
                .json(&body)
                .send()
                .await
                .expect_error(403, "invalidProvider");
        }
        app.post(path).send().await.expect_error(403, "invalidProvider");
    }
}
