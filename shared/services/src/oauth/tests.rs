//! Tests of the requests to OAuth providers, and of the validation of their responses.

use std::time::Duration;

use wiremock::matchers::{body_partial_json, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

fn settings(server: &str) -> OauthSettings {
    OauthSettings {
        client_id: "us".into(),
        client_secret: Token::new("secret".into()),
        callback_site: "https://bespoke.example".into(),
        authorize_url: format!("{server}/authorize"),
        token_url: format!("{server}/token"),
        api_url: server.into(),
    }
}

async fn mock_answer(server: &MockServer, at: &str, answer: ResponseTemplate) {
    let ask = Mock::given(method("GET"))
        .and(path(at))
        .and(header("authorization", "Bearer opened"));
    ask.respond_with(answer).mount(server).await;
}

fn json_answer(body: Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

async fn identify_at(provider: Provider, server: &MockServer) -> Result<ProviderIdentity, OauthError> {
    let http = Arc::new(Http::new(250));
    identify(provider, &settings(&server.uri()), &http, "the code", "the verifier").await
}

async fn server_with_token() -> MockServer {
    let server = MockServer::start().await;
    let expected = json!({
        "client_id": "us",
        "client_secret": "secret",
        "code": "the code",
        "code_verifier": "the verifier",
        "grant_type": "authorization_code",
    });
    let exchange = Mock::given(method("POST"))
        .and(path("/token"))
        .and(body_partial_json(expected));
    exchange
        .respond_with(json_answer(json!({ "access_token": "opened" })))
        .mount(&server)
        .await;
    server
}

#[test]
fn authorize_url_is_encoded_and_has_only_a_digest() {
    let url = authorize_url(
        Provider::Google,
        &settings("https://accounts.example"),
        "the state",
        "verifier",
    )
    .unwrap();
    let url = Url::parse(&url).unwrap();
    let get = |name: &str| url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
    assert_eq!(get("state"), "the state");
    assert_eq!(get("redirect_uri"), "https://bespoke.example/signin/callback/google");
    assert_eq!(get("code_challenge_method"), "S256");
    assert_eq!(get("code_challenge"), "iMnq5o6zALKXGivsnlom_0F5_WYda32GHkxlV7mq7hQ");
    assert!(get("scope").contains("userinfo.email") && !url.as_str().contains(' '));
    assert!(!url.as_str().contains("=verifier"));
    let url = authorize_url(Provider::GitHub, &settings("https://github.example"), "s", "v").unwrap();
    assert!(url.contains("scope=read%3Auser+user%3Aemail"), "{url}");
}

#[tokio::test]
async fn only_the_verified_primary_address_at_github_counts() {
    let user = json!({ "login": "jane", "email": "public@example.com", "blog": "https://jane.example", "bio": null, "avatar_url": null });
    for (emails, expected) in [
        (
            json!([{ "email": "jane@example.com", "primary": true, "verified": true }]),
            Some("jane@example.com"),
        ),
        (
            json!([{ "email": "victim@example.com", "primary": true, "verified": false }]),
            None,
        ),
        (
            json!([{ "email": "second@example.com", "primary": false, "verified": true }]),
            None,
        ),
        (json!([]), None),
    ] {
        let server = server_with_token().await;
        mock_answer(&server, "/user/emails", json_answer(emails)).await;
        mock_answer(&server, "/user", json_answer(user.clone())).await;
        match (identify_at(Provider::GitHub, &server).await, expected) {
            (Ok(identity), Some(email)) => {
                assert_eq!((identity.email.as_str(), identity.name.as_str()), (email, "jane"));
                assert!(identity.data.contains(&("website", "https://jane.example".to_owned())));
            }
            (Err(OauthError::Unverified), None) => {}
            (other, _) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn only_the_verified_primary_address_at_google_counts() {
    let person = |metadata: Value| {
        json!({
            "emailAddresses": [{ "metadata": metadata, "value": "jane@example.com" }],
            "names": [{ "metadata": { "primary": true }, "displayName": "Jane" }],
            "photos": [{ "metadata": { "primary": true }, "url": "https://example.com/jane.png" }],
        })
    };
    for (body, works) in [
        (person(json!({ "primary": true, "verified": true })), true),
        (person(json!({ "primary": true })), false),
        (person(json!({ "verified": true })), false),
        (json!({}), false),
    ] {
        let server = server_with_token().await;
        mock_answer(&server, "/v1/people/me", json_answer(body)).await;
        let result = identify_at(Provider::Google, &server).await;
        assert_eq!(result.is_ok(), works, "{result:?}");
        if let Ok(identity) = result {
            assert_eq!(
                (identity.name.as_str(), identity.email.as_str()),
                ("Jane", "jane@example.com")
            );
            assert_eq!(identity.picture.as_deref(), Some("https://example.com/jane.png"));
        }
    }
}

#[tokio::test]
async fn invalid_code_is_distinguished_from_failed_provider() {
    let slow = json_answer(json!({ "access_token": "opened" })).set_delay(Duration::from_secs(5));
    for (answer, code) in [
        (json_answer(json!({ "error": "bad_verification_code" })), true),
        (
            ResponseTemplate::new(400).set_body_json(json!({ "error": "invalid_grant" })),
            true,
        ),
        (
            ResponseTemplate::new(400).set_body_json(json!({ "error": "invalid_client" })),
            false,
        ),
        (ResponseTemplate::new(401), false),
        (ResponseTemplate::new(503), false),
        (ResponseTemplate::new(200).set_body_string("garbage"), false),
        (json_answer(json!({})), false),
        (slow, false),
    ] {
        let server = MockServer::start().await;
        Mock::given(method("POST")).respond_with(answer).mount(&server).await;
        let error = identify_at(Provider::GitHub, &server).await.unwrap_err();
        assert_eq!(matches!(error, OauthError::Code), code, "{error:?}");
        assert!(matches!(error, OauthError::Code | OauthError::Call(_)), "{error:?}");
    }
    let http = Arc::new(Http::new(250));
    let hangs_up = settings(&crate::http::tests::start_truncating_server().await);
    for provider in [Provider::GitHub, Provider::Google] {
        let error = identify(provider, &hangs_up, &http, "the code", "the verifier").await;
        assert!(
            matches!(error, Err(OauthError::Call(CallError::NoResponse(_)))),
            "{error:?}"
        );
    }
}
