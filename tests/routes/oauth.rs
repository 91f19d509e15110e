//! Tests of `POST /signin/oauth/init` and `POST /signin/oauth`.

use bespoke_tests::support::{Answer, App};
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const MINUTE_MS: i64 = 60 * 1000;

/// An installation and a server in place of both providers. Each visitor has that address, verified.
struct Outside {
    app: App,
    provider: MockServer,
}

impl Outside {
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
        let outside = Self { app, provider };
        let token = json!({ "access_token": "opened" });
        outside.answers("POST", "/login/oauth/access_token", token).await;
        let emails = json!([{ "email": email, "primary": true, "verified": true }]);
        outside.answers("GET", "/user/emails", emails).await;
        let user = json!({ "login": "Jane", "bio": "sews", "blog": "https://jane.example", "twitter_username": "", "avatar_url": "http://127.0.0.1/jane.png" });
        outside.answers("GET", "/user", user).await;
        outside
    }

    async fn answers(&self, verb: &str, at: &str, body: Value) {
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

    async fn come_back(&self, state: &str, more: Value) -> Answer {
        let mut body = json!({ "provider": "github", "state": state, "code": "the code" });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.app.post("/signin/oauth").json(&body).send().await
    }

    async fn asked(&self) -> usize {
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
    let outside = Outside::with("jane@example.com").await;
    for language in [json!(null), json!(7), json!("xx"), json!({})] {
        let body = json!({ "provider": "GitHub", "language": language });
        let answer = outside.app.post("/signin/oauth/init").json(&body).send().await;
        answer.expect_error(403, "invalidLanguage");
    }
    let state = outside.begin("github").await;
    for bad in [
        json!(null),
        json!(7),
        json!("x"),
        json!("6f9619ff-8b86-4011-b42d-00c04fc964ff"),
    ] {
        outside
            .come_back(&state, json!({ "state": bad }))
            .await
            .expect_error(403, "stateInvalid");
    }
    for bad in [json!(null), json!(7), json!(""), json!("x".repeat(10_000))] {
        outside
            .come_back(&state, json!({ "code": bad }))
            .await
            .expect_error(403, "codeInvalid");
    }
    assert_eq!(outside.asked().await, 0, "the provider is not called");
}

#[tokio::test]
async fn new_user_gets_an_account_without_consent() {
    let outside = Outside::with("Jane@Example.com").await;
    let state = outside.begin("github").await;
    let entered = outside.come_back(&state, json!({})).await.expect_status(200);
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
    let app = &outside.app;
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
    let state = outside.begin("github").await;
    let again = outside.come_back(&state, json!({})).await.expect_status(200);
    assert_eq!(again["account"]["id"], account["id"]);
}

#[tokio::test]
async fn taken_name_gets_a_plus() {
    let outside = Outside::with("jane@example.com").await;
    let other = outside.app.person("other").await;
    let name = json!({ "username": "jane" });
    outside
        .app
        .patch("/account/jwt")
        .jwt(&other.token)
        .json(&name)
        .send()
        .await
        .expect_status(200);
    let state = outside.begin("github").await;
    let entered = outside.come_back(&state, json!({})).await.expect_status(200);
    assert_eq!(entered["account"]["username"], "Jane+");
}

#[tokio::test]
async fn state_works_once_for_its_provider_until_it_expires() {
    // The original accepted any state, any number of times.
    let outside = Outside::with("jane@freesewing.dev").await;
    outside.app.person("jane").await;
    let state = outside.begin("google").await;
    outside
        .come_back(&state, json!({}))
        .await
        .expect_error(403, "stateInvalid");
    let state = outside.begin("github").await;
    let (first, second) = tokio::join!(
        outside.come_back(&state, json!({})),
        outside.come_back(&state, json!({}))
    );
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 403]);
    outside
        .come_back(&state, json!({}))
        .await
        .expect_error(403, "stateInvalid");
    let state = outside.begin("github").await;
    outside.app.clock.advance_ms(10 * MINUTE_MS);
    outside
        .come_back(&state, json!({}))
        .await
        .expect_error(403, "stateInvalid");
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
        let outside = Outside::with("jane@freesewing.dev").await;
        outside.app.person("jane").await;
        let answer = ResponseTemplate::new(status).set_body_json(body);
        let instead = Mock::given(method(verb)).and(path(at)).respond_with(answer);
        instead.with_priority(1).mount(&outside.provider).await;
        let state = outside.begin("github").await;
        let (status, code) = expected;
        outside.come_back(&state, json!({})).await.expect_error(status, code);
        let again = outside.come_back(&state, json!({})).await;
        again.expect_error(403, "stateInvalid");
    }
}

#[tokio::test]
async fn withdrawn_consent_and_block_prevent_sign_in() {
    let outside = Outside::with("jane@freesewing.dev").await;
    let app = &outside.app;
    let (jane, admin) = (app.person("jane").await, app.person_as("root", "admin").await);
    let none = json!({ "consent": 0 });
    app.patch("/consent/jwt")
        .jwt(&jane.token)
        .json(&none)
        .send()
        .await
        .expect_status(200);
    let state = outside.begin("github").await;
    outside
        .come_back(&state, json!({}))
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
    let state = outside.begin("github").await;
    outside
        .come_back(&state, json!({}))
        .await
        .expect_error(403, "statusLacking");
}

#[tokio::test]
async fn second_factor_is_required_and_provider_called_once() {
    // The original did not ask for the second factor.
    let outside = Outside::with("jane@freesewing.dev").await;
    let app = &outside.app;
    let jane = super::mfa::protected(app).await;
    let state = outside.begin("github").await;
    outside
        .come_back(&state, json!({}))
        .await
        .expect_error(403, "mfaTokenRequired");
    let asked = outside.asked().await;
    outside
        .come_back(&state, json!({ "code": "another" }))
        .await
        .expect_error(403, "stateInvalid");
    outside
        .come_back(&state, json!({ "token": "000000000" }))
        .await
        .expect_error(401, "signInFailed");
    let code = json!({ "token": jane.scratch_codes[0] });
    let entered = outside.come_back(&state, code.clone()).await.expect_status(200);
    assert_eq!(
        (&entered["account"]["id"], outside.asked().await),
        (&json!(jane.person.id), asked)
    );
    outside.come_back(&state, code).await.expect_error(403, "stateInvalid");
}
