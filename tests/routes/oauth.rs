//! Tests of `POST /signin/oauth/init` and `POST /signin/oauth`.

use bespoke_tests::support::{Answer, App};
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const MINUTE_MS: i64 = 60 * 1000;

/// An installation and a server in place of both providers. Each visitor has that address, verified.
struct ProvidersMock {
    app: App,
    provider: MockServer,
}

impl ProvidersMock {
    async fn with(email: &str) -> Self {
        let provider = MockServer::start().await;
        let url = provider.uri();
        let app = App::with(&[
            ("BACKEND_ENABLE_OAUTH_GITHUB", "yes"),
            ("BACKEND_OAUTH_GITHUB_CLIENT_ID", "us"),
            ("BACKEND_OAUTH_GITHUB_CLIENT_SECRET", "secret"),
            ("BACKEND_OAUTH_GITHUB_URL", &url),
            ("BACKEND_GITHUB_API_URL", &url),
            ("BACKEND_ENABLE_OAUTH_GOOGLE", "yes"),
            ("BACKEND_OAUTH_GOOGLE_CLIENT_ID", "us"),
            ("BACKEND_OAUTH_GOOGLE_CLIENT_SECRET", "secret"),
            ("BACKEND_OAUTH_GOOGLE_TOKEN_URL", &url),
            ("BACKEND_GOOGLE_PEOPLE_API_URL", &url),
        ])
        .await;
        let mock = Self { app, provider };
        let token = json!({ "access_token": "opened" });
        mock.mock_answer("POST", "/login/oauth/access_token", token).await;
        let emails = json!([{ "email": email, "primary": true, "verified": true }]);
        mock.mock_answer("GET", "/user/emails", emails).await;
        let user = json!({ "login": "Jane", "bio": "sews", "blog": "https://jane.example", "twitter_username": "", "avatar_url": "http://127.0.0.1/jane.png" });
        mock.mock_answer("GET", "/user", user).await;
        mock
    }

    async fn mock_answer(&self, verb: &str, at: &str, body: Value) {
        let answer = ResponseTemplate::new(200).set_body_json(body);
        Mock::given(method(verb))
            .and(path(at))
            .respond_with(answer)
            .mount(&self.provider)
            .await;
    }

    /// The state of a sign-in that has begun.
    async fn begin(&self, provider: &str) -> String {
        let body = json!({ "provider": provider, "language": "NL" });
        let begun = self
            .app
            .post("/signin/oauth/init")
            .json(&body)
            .send()
            .await
            .expect_status(200);
        let url = begun["authUrl"].as_str().unwrap();
        assert!(url.contains("code_challenge_method=S256"), "{url}");
        let state = url.split("state=").nth(1).unwrap();
        state.split('&').next().unwrap().to_owned()
    }

    async fn sign_in(&self, state: &str, more: Value) -> Answer {
        let mut body = json!({ "provider": "github", "state": state, "code": "the code" });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.app.post("/signin/oauth").json(&body).send().await
    }

    async fn request_count(&self) -> usize {
        self.provider.received_requests().await.unwrap().len()
    }
}

#[tokio::test]
async fn disabled_provider_is_rejected() {
    // The original crashed on a provider that is not a text.
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

#[tokio::test]
async fn invalid_fields_are_rejected() {
    let mock = ProvidersMock::with("jane@example.com").await;
    for language in [json!(null), json!(7), json!("xx"), json!({})] {
        let body = json!({ "provider": "GitHub", "language": language });
        let answer = mock.app.post("/signin/oauth/init").json(&body).send().await;
        answer.expect_error(403, "invalidLanguage");
    }
    let state = mock.begin("github").await;
    for bad in [
        json!(null),
        json!(7),
        json!("x"),
        json!("6f9619ff-8b86-4011-b42d-00c04fc964ff"),
    ] {
        mock.sign_in(&state, json!({ "state": bad }))
            .await
            .expect_error(403, "stateInvalid");
    }
    for bad in [json!(null), json!(7), json!(""), json!("x".repeat(10_000))] {
        mock.sign_in(&state, json!({ "code": bad }))
            .await
            .expect_error(403, "codeInvalid");
    }
    assert_eq!(mock.request_count().await, 0, "the provider is not called");
}

#[tokio::test]
async fn new_user_gets_an_account_without_consent() {
    let mock = ProvidersMock::with("Jane@Example.com").await;
    let state = mock.begin("github").await;
    let entered = mock.sign_in(&state, json!({})).await.expect_status(200);
    let account = &entered["account"];
    for (field, expected) in [
        ("email", json!("jane@example.com")),
        ("username", json!("Jane")),
        ("bio", json!("sews")),
        ("language", json!("nl")),
        ("consent", json!(0)),
        ("status", json!(0)),
        ("role", json!("user")),
    ] {
        assert_eq!(account[field], expected, "{field}");
    }
    let data =
        json!({ "githubEmail": "Jane@Example.com", "githubUsername": "Jane", "website": "https://jane.example" });
    assert_eq!(account["data"], data);
    let token = entered["token"].as_str().unwrap();
    let app = &mock.app;
    assert_eq!(app.get("/whoami/jwt").jwt(token).send().await.status, 451);
    let consent = json!({ "consent": 1 });
    app.patch("/consent/jwt")
        .jwt(token)
        .json(&consent)
        .send()
        .await
        .expect_status(200);
    app.get("/account/jwt").jwt(token).send().await.expect_status(200);

    // From now on the provider signs in to this account.
    let state = mock.begin("github").await;
    let again = mock.sign_in(&state, json!({})).await.expect_status(200);
    assert_eq!(again["account"]["id"], account["id"]);
}

#[tokio::test]
async fn taken_name_gets_a_plus() {
    let mock = ProvidersMock::with("jane@example.com").await;
    let other = mock.app.person("other").await;
    let name = json!({ "username": "jane" });
    mock.app
        .patch("/account/jwt")
        .jwt(&other.token)
        .json(&name)
        .send()
        .await
        .expect_status(200);
    let state = mock.begin("github").await;
    let entered = mock.sign_in(&state, json!({})).await.expect_status(200);
    assert_eq!(entered["account"]["username"], "Jane+");
}

#[tokio::test]
async fn state_works_once_for_its_provider_until_it_expires() {
    // The original accepted any state, any number of times.
    let mock = ProvidersMock::with("jane@freesewing.dev").await;
    mock.app.person("jane").await;
    let state = mock.begin("google").await;
    mock.sign_in(&state, json!({})).await.expect_error(403, "stateInvalid");
    let state = mock.begin("github").await;
    let (first, second) = tokio::join!(mock.sign_in(&state, json!({})), mock.sign_in(&state, json!({})));
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 403]);
    mock.sign_in(&state, json!({})).await.expect_error(403, "stateInvalid");
    let state = mock.begin("github").await;
    mock.app.clock.advance_ms(10 * MINUTE_MS);
    mock.sign_in(&state, json!({})).await.expect_error(403, "stateInvalid");
}

#[tokio::test]
async fn unverified_address_or_invalid_code_is_rejected() {
    // The original crashed on failures of the provider, and accepted unverified addresses.
    let unverified = json!([{ "email": "jane@freesewing.dev", "primary": true, "verified": false }]);
    for (verb, at, status, body, expected) in [
        ("GET", "/user/emails", 200, unverified, (403, "emailNotVerified")),
        (
            "POST",
            "/login/oauth/access_token",
            200,
            json!({ "error": "bad_verification_code" }),
            (403, "codeInvalid"),
        ),
        (
            "POST",
            "/login/oauth/access_token",
            500,
            json!({}),
            (503, "serviceUnavailable"),
        ),
        ("GET", "/user", 401, json!({}), (503, "serviceUnavailable")),
    ] {
        let mock = ProvidersMock::with("jane@freesewing.dev").await;
        mock.app.person("jane").await;
        let answer = ResponseTemplate::new(status).set_body_json(body);
        let instead = Mock::given(method(verb)).and(path(at)).respond_with(answer);
        instead.with_priority(1).mount(&mock.provider).await;
        let state = mock.begin("github").await;
        let (status, code) = expected;
        mock.sign_in(&state, json!({})).await.expect_error(status, code);
        let again = mock.sign_in(&state, json!({})).await;
        again.expect_error(403, "stateInvalid");
    }
}

#[tokio::test]
async fn withdrawn_consent_and_block_prevent_sign_in() {
    let mock = ProvidersMock::with("jane@freesewing.dev").await;
    let app = &mock.app;
    let (jane, admin) = (app.person("jane").await, app.person_as("root", "admin").await);
    let none = json!({ "consent": 0 });
    app.patch("/consent/jwt")
        .jwt(&jane.token)
        .json(&none)
        .send()
        .await
        .expect_status(200);
    let state = mock.begin("github").await;
    mock.sign_in(&state, json!({}))
        .await
        .expect_error(451, "consentLacking");
    let path = format!("/admin/user/{}/jwt", jane.id);
    let blocked = json!({ "consent": 1, "status": -2 });
    app.patch(&path)
        .jwt(&admin.token)
        .json(&blocked)
        .send()
        .await
        .expect_status(200);
    let state = mock.begin("github").await;
    mock.sign_in(&state, json!({})).await.expect_error(403, "statusLacking");
}

#[tokio::test]
async fn second_factor_is_required_and_provider_called_once() {
    // The original did not ask for the second factor.
    let mock = ProvidersMock::with("jane@freesewing.dev").await;
    let app = &mock.app;
    let jane = super::mfa::protected(app).await;
    let state = mock.begin("github").await;
    mock.sign_in(&state, json!({}))
        .await
        .expect_error(403, "mfaTokenRequired");
    let asked = mock.request_count().await;
    mock.sign_in(&state, json!({ "code": "another" }))
        .await
        .expect_error(403, "stateInvalid");
    mock.sign_in(&state, json!({ "token": "000000000" }))
        .await
        .expect_error(401, "signInFailed");
    let code = json!({ "token": jane.scratch_codes[0] });
    let entered = mock.sign_in(&state, code.clone()).await.expect_status(200);
    assert_eq!(
        (&entered["account"]["id"], mock.request_count().await),
        (&json!(jane.person.id), asked)
    );
    mock.sign_in(&state, code).await.expect_error(403, "stateInvalid");
}
