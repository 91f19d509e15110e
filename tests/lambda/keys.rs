//! Tests of the passphrase of an installation in AWS Secrets Manager, and of its rotation while functions serve.

use bespoke_tests::support::Key;
use serde_json::{Value, json};
use wiremock::matchers::body_partial_json;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::event::event;
use super::installation::{Installation, call, invoke, signed_up};

const FIRST: &str = "the first passphrase";
const SECOND: &str = "the second passphrase";

/// Secrets Manager with one secret: the texts of its versions by label.
async fn set_versions(server: &MockServer, versions: &[(&str, &str)]) {
    server.reset().await;
    for (label, text) in versions {
        Mock::given(body_partial_json(json!({ "SecretId": "Key", "VersionStage": label })))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!({ "SecretString": text })))
            .mount(server)
            .await;
    }
    let missing = json!({ "__type": "ResourceNotFoundException" });
    Mock::given(body_partial_json(json!({ "SecretId": "Key" })))
        .respond_with(ResponseTemplate::new(400).set_body_json(missing))
        .with_priority(9)
        .mount(server)
        .await;
}

/// The settings of a function that reads its passphrase from the Secrets Manager at `url`.
fn settings(url: &str) -> [(&str, &str); 5] {
    [
        ("BACKEND_ENC_KEY_SECRET", "Key"),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", url),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ]
}

#[tokio::test]
async fn rotation_of_the_passphrase_needs_no_deployment() {
    let server = MockServer::start().await;
    let url = server.uri();
    let settings = settings(&url);
    let eager = [&settings[..], &[("BACKEND_ENC_KEY_MAX_AGE_S", "0")]].concat();
    let installation = Installation::empty();
    let none = &Value::Null;

    set_versions(&server, &[("AWSCURRENT", FIRST)]).await;
    let account = installation.function("account", "account", &eager).await;
    let sets = installation.function("sets", "sets", &eager).await;
    let jane = signed_up(&account, "jane").await;
    call(&sets, "POST", "/sets/jwt", &jane, &json!({ "name": "one" }), 201).await;

    // All functions know the next passphrase before one of them uses it.
    set_versions(&server, &[("AWSCURRENT", FIRST), ("AWSPENDING", SECOND)]).await;
    call(&sets, "GET", "/sets/jwt", &jane, none, 200).await;
    // A function that does not read the secret again in this test.
    let late = installation.function("sets", "late", &settings).await;
    call(&late, "GET", "/sets/jwt", &jane, none, 200).await;

    set_versions(
        &server,
        &[("AWSCURRENT", SECOND), ("AWSPENDING", SECOND), ("AWSPREVIOUS", FIRST)],
    )
    .await;
    let tess = signed_up(&account, "tess").await;
    call(&sets, "GET", "/sets/jwt", &jane, none, 401).await;
    let made = call(&sets, "POST", "/sets/jwt", &tess, &json!({ "name": "two" }), 201).await;
    let apikeys = installation.function("apikeys", "apikeys", &settings).await;
    let body = json!({ "name": "tess", "level": 4, "expiresIn": 3600 });
    let key = call(&apikeys, "POST", "/apikeys/jwt", &tess, &body, 201).await;
    let text = |name: &str| key["apikey"][name].as_str().unwrap().to_owned();
    let key = Key {
        id: text("key"),
        secret: text("secret"),
    };
    // The late function decrypts rows of the next passphrase.
    let mut read = event("GET", &format!("/sets/{}/key", made["set"]["id"]), "", none);
    read["headers"]["authorization"] = key.authorization().into();
    let read = invoke(&late, read).await.expect(200);
    assert_eq!(read["set"]["name"], "two");
    let users = installation.bespoke(&["user", "list", "--json"], &settings, None).await;
    assert_eq!((users.code, users.stderr.as_str()), (Some(0), ""));
    assert!(users.stdout.contains("jane@freesewing.dev") && users.stdout.contains("tess@freesewing.dev"));

    let rotated = installation.bespoke(&["rotate-keys"], &settings, None).await;
    assert_eq!(rotated.code, Some(0), "{}", rotated.stderr);
    set_versions(&server, &[("AWSCURRENT", SECOND)]).await;
    let own = call(&account, "GET", "/account/jwt", &tess, none, 200).await;
    assert_eq!(own["account"]["email"], "tess@freesewing.dev");

    // Running functions need the service only for a rotation.
    server.reset().await;
    call(&account, "GET", "/account/jwt", &tess, none, 200).await;
    let failed = installation.bespoke(&["stats"], &settings, None).await;
    assert_eq!(failed.code, Some(1));
    assert!(
        failed
            .stderr
            .contains("the secret Key, which BACKEND_ENC_KEY_SECRET names, cannot be read"),
        "{}",
        failed.stderr
    );
}

#[tokio::test]
async fn function_with_an_old_passphrase_rereads_the_secret() {
    let server = MockServer::start().await;
    let url = server.uri();
    let settings = settings(&url);
    let installation = Installation::empty();
    set_versions(&server, &[("AWSCURRENT", FIRST)]).await;
    let account = installation.function("account", "account", &settings).await;
    signed_up(&account, "jane").await;
    set_versions(&server, &[("AWSCURRENT", SECOND), ("AWSPREVIOUS", FIRST)]).await;
    let rotated = installation.bespoke(&["rotate-keys"], &settings, None).await;
    assert_eq!(rotated.code, Some(0), "{}", rotated.stderr);

    let body = json!({ "email": "jane@freesewing.dev", "language": "en" });
    let refused = call(&account, "POST", "/signup", "", &body, 503).await;
    assert_eq!(refused["error"], "serviceUnavailable");
    assert!(
        account.log().contains("the database was made with other keys"),
        "{}",
        account.log()
    );
    call(&account, "POST", "/signup", "", &body, 201).await;
    signed_up(&account, "tess").await;
    let users = installation.bespoke(&["user", "list", "--json"], &settings, None).await;
    assert_eq!(
        users.stdout.matches("jane@freesewing.dev").count(),
        1,
        "{}",
        users.stdout
    );
}

#[tokio::test]
async fn passphrase_comes_from_a_setting_or_a_secret() {
    let installation = Installation::empty();
    let both = [("BACKEND_ENC_KEY_SECRET", "Key"), ("BACKEND_ENC_KEY", FIRST)];
    let refused = installation.bespoke(&["stats"], &both, None).await;
    assert_eq!(refused.code, Some(1));
    assert!(
        refused
            .stderr
            .contains("BACKEND_ENC_KEY: must not be set together with BACKEND_ENC_KEY_SECRET"),
        "{}",
        refused.stderr
    );
}
