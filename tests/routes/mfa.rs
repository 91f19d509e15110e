//! Tests of `POST /account/mfa/{auth}`, and of signing in with a second factor.

use bespoke_core::{Clock, TotpSecret};
use bespoke_tests::support::{Answer, App, Person};
use serde_json::{Value, json};

const STEP_MS: i64 = 30_000;
const WINDOW_MS: i64 = 15 * 60 * 1000;
const PASSWORD: &str = "secret words";

pub(super) struct Protected {
    pub(super) person: Person,
    secret: TotpSecret,
    pub(super) scratch_codes: Vec<String>,
}

impl Protected {
    fn code(&self, app: &App) -> String {
        self.secret.code(app.clock.now()).unwrap()
    }

    /// A code that is not the current one.
    fn wrong_code(&self, app: &App) -> String {
        let right: u32 = self.code(app).parse().unwrap();
        format!("{:06}", (right + 1) % 1_000_000)
    }
}

async fn person_with_password(app: &App) -> Person {
    let person = app.person("jane").await;
    let body = json!({ "password": PASSWORD });
    app.change_account(&person, &body).await;
    person
}

async fn mfa(app: &App, person: &Person, body: Value) -> Answer {
    app.post("/account/mfa/jwt").jwt(&person.token).json(&body).send().await
}

async fn set_up(app: &App, person: &Person) -> TotpSecret {
    let answer = mfa(app, person, json!({ "mfa": true })).await.expect_status(200);
    TotpSecret::from_stored(answer["mfa"]["secret"].as_str().unwrap().to_owned())
}

pub(super) async fn protected(app: &App) -> Protected {
    let person = person_with_password(app).await;
    let secret = set_up(app, &person).await;
    let code = secret.code(app.clock.now());
    let body = json!({ "mfa": true, "secret": secret.expose(), "token": code });
    let answer = mfa(app, &person, body).await.expect_status(200);
    let codes = answer["scratchCodes"].as_array().unwrap().iter();
    Protected {
        person,
        secret,
        scratch_codes: codes.map(|code| code.as_str().unwrap().to_owned()).collect(),
    }
}

async fn sign_in(app: &App, code: &Value) -> Answer {
    let body = json!({ "username": "user-1", "password": PASSWORD, "token": code });
    app.post("/signin").json(&body).send().await
}

#[tokio::test]
async fn second_factor_is_set_up_used_and_removed() {
    let app = App::new().await;
    let person = person_with_password(&app).await;
    for body in [
        json!({ "mfa": "yes" }),
        json!({ "mfa": 1 }),
        json!({ "mfa": null }),
        json!({}),
    ] {
        mfa(&app, &person, body).await.expect_error(400, "invalidMfaSetting");
    }
    let set_up = mfa(&app, &person, json!({ "mfa": true })).await.expect_status(200);
    assert_eq!(set_up["result"], "success");
    let text = |name: &str| set_up["mfa"][name].as_str().unwrap().to_owned();
    let secret = text("secret");
    assert_eq!(
        text("otpauth"),
        format!(
            "otpauth://totp/FreeSewing:user%2D1?secret={secret}&period=30&digits=6&algorithm=SHA1&issuer=FreeSewing"
        )
    );
    assert!(text("qrcode").contains("class=\"qrcode\""));
    let code = TotpSecret::from_stored(secret.clone()).code(app.clock.now()).unwrap();
    let confirm = json!({ "mfa": true, "secret": secret, "token": code });
    let confirmed = mfa(&app, &person, confirm.clone()).await.expect_status(200);
    assert_eq!(
        (&confirmed["result"], &confirmed["account"]["mfaEnabled"]),
        (&json!("success"), &json!(true))
    );
    assert_eq!(confirmed["scratchCodes"].as_array().unwrap().len(), 8);
    mfa(&app, &person, json!({ "mfa": true }))
        .await
        .expect_error(400, "mfaActive");
    mfa(&app, &person, confirm).await.expect_error(400, "mfaActive");

    let body = json!({ "username": "user-1", "password": PASSWORD });
    app.post("/signin")
        .json(&body)
        .send()
        .await
        .expect_error(403, "mfaTokenRequired");
    sign_in(&app, &json!(1234)).await.expect_error(401, "signInFailed");
    let signed_in = sign_in(&app, &json!(code)).await.expect_status(200);
    assert_eq!(signed_in["account"]["mfaEnabled"], true);

    let remove = json!({ "mfa": false, "password": PASSWORD, "token": code });
    let removed = mfa(&app, &person, remove).await.expect_status(200);
    assert_eq!(removed["account"]["mfaEnabled"], false);
    assert_eq!(removed["scratchCodes"], Value::Null);
    app.post("/signin").json(&body).send().await.expect_status(200);
}

#[tokio::test]
async fn set_up_is_confirmed_by_its_secret_and_code() {
    let app = App::new().await;
    let person = person_with_password(&app).await;
    let older = set_up(&app, &person).await;
    let secret = set_up(&app, &person).await;
    let code = |secret: &TotpSecret| json!(secret.code(app.clock.now()));
    for (secret, code) in [
        (json!(older.expose()), code(&older)),
        (json!(secret.expose()), code(&older)),
        (json!(secret.expose()), json!("1234")),
        (json!(secret.expose()), json!(["a"])),
        (json!(7), code(&secret)),
        (json!("x".repeat(5_000)), json!("x".repeat(5_000))),
    ] {
        let body = json!({ "mfa": true, "secret": secret, "token": code });
        mfa(&app, &person, body).await.expect_error(403, "mfaTokenInvalid");
    }
    // A second factor that is not confirmed yet is not required.
    let body = json!({ "username": "user-1", "password": PASSWORD });
    app.post("/signin").json(&body).send().await.expect_status(200);
    let number: u64 = secret.code(app.clock.now()).unwrap().parse().unwrap();
    let body = json!({ "mfa": true, "secret": secret.expose(), "token": number });
    mfa(&app, &person, body).await.expect_status(200);
}

#[tokio::test]
async fn removal_requires_password_and_code() {
    let app = App::new().await;
    let jane = protected(&app).await;
    let (code, wrong) = (jane.code(&app), jane.wrong_code(&app));
    for (body, status, error) in [
        (json!({ "mfa": false }), 400, "mfaTokenMissing"),
        (json!({ "mfa": false, "token": "" }), 400, "mfaTokenMissing"),
        (json!({ "mfa": false, "token": code }), 400, "passwordMissing"),
        (
            json!({ "mfa": false, "token": code, "password": "x" }),
            401,
            "authenticationFailed",
        ),
        // The original crashed here.
        (
            json!({ "mfa": false, "token": code, "password": { "a": 1 } }),
            401,
            "authenticationFailed",
        ),
        (
            json!({ "mfa": false, "token": wrong, "password": PASSWORD }),
            401,
            "authenticationFailed",
        ),
    ] {
        mfa(&app, &jane.person, body).await.expect_error(status, error);
    }
    let body = json!({ "mfa": false, "token": jane.scratch_codes[0], "password": PASSWORD });
    mfa(&app, &jane.person, body).await.expect_status(200);
    // The other scratch codes are deleted with it.
    let secret = set_up(&app, &jane.person).await;
    let body = json!({ "mfa": true, "secret": secret.expose(), "token": secret.code(app.clock.now()) });
    mfa(&app, &jane.person, body).await.expect_status(200);
    sign_in(&app, &json!(jane.scratch_codes[1]))
        .await
        .expect_error(401, "signInFailed");
    let stranger = app.person("stranger").await;
    let body = json!({ "mfa": false, "token": "123456", "password": PASSWORD });
    mfa(&app, &stranger, body)
        .await
        .expect_error(401, "authenticationFailed");
}

#[tokio::test]
async fn second_factor_requires_a_level_4_key() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let three = app.key(&person, 3).await;
    for (key, status) in [(&three, 403), (&person.key, 200)] {
        let answer = app
            .post("/account/mfa/key")
            .key(key)
            .json(&json!({ "mfa": true }))
            .send()
            .await;
        assert_eq!(answer.status, status);
    }
}

#[tokio::test]
async fn code_signs_in_once_in_its_period() {
    // In the original, a code worked repeatedly within its period.
    let app = App::new().await;
    let jane = protected(&app).await;
    let code = jane.code(&app);
    sign_in(&app, &json!(code)).await.expect_status(200);
    sign_in(&app, &json!(code)).await.expect_error(401, "signInFailed");
    app.clock.advance_ms(STEP_MS);
    sign_in(&app, &json!(code)).await.expect_error(401, "signInFailed");
    // A code may be a text or a number. The original refused numbers.
    let number: u64 = jane.code(&app).parse().unwrap();
    sign_in(&app, &json!(number)).await.expect_status(200);
    for wrong in [
        json!(jane.wrong_code(&app)),
        json!({ "a": 1 }),
        json!([true]),
        json!(-1),
        json!(1.5),
    ] {
        sign_in(&app, &wrong).await.expect_error(401, "signInFailed");
    }
    for missing in [json!(""), json!(null), json!(0), json!(false)] {
        sign_in(&app, &missing).await.expect_error(403, "mfaTokenRequired");
    }
}

#[tokio::test]
async fn each_scratch_code_signs_in_once_in_any_spelling() {
    let app = App::new().await;
    let jane = protected(&app).await;
    for (index, code) in jane.scratch_codes.iter().enumerate() {
        let typed = match index % 3 {
            0 => code.clone(),
            1 => code.to_uppercase(),
            _ => code.replace('-', ""),
        };
        sign_in(&app, &json!(typed)).await.expect_status(200);
        sign_in(&app, &json!(code)).await.expect_error(401, "signInFailed");
    }
}

#[tokio::test]
async fn secret_and_scratch_codes_are_encrypted() {
    let app = App::new().await;
    let jane = protected(&app).await;
    let mut folders = vec![app.context().config().local_dir.clone()];
    let mut stored = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => stored.extend(std::fs::read(path).unwrap()),
            }
        }
    }
    let has = |needle: &str| {
        let mut windows = stored.windows(needle.len());
        windows.any(|window| window.eq_ignore_ascii_case(needle.as_bytes()))
    };
    assert!(has("user-1"), "the database is in these objects");
    assert!(!has(jane.secret.expose()));
    for code in &jane.scratch_codes {
        assert!(!has(code) && !has(&code.replace('-', "")));
    }
}

#[tokio::test]
async fn concurrent_uses_of_a_code_have_one_winner() {
    let app = App::new().await;
    let other = app.another().await;
    let jane = protected(&app).await;
    for code in [jane.code(&app), jane.scratch_codes[0].clone()] {
        let code = json!(code);
        let (one, two) = tokio::join!(sign_in(&app, &code), sign_in(&other, &code));
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 401]);
    }
}

#[tokio::test]
async fn sign_in_link_requires_the_code_and_stays_open() {
    let app = App::new().await;
    let jane = protected(&app).await;
    for in_path in [true, false] {
        app.clock.advance_ms(STEP_MS);
        let body = json!({ "username": "user-1" });
        app.post("/signinlink").json(&body).send().await.expect_status(200);
        let (id, check) = app.newest_link();
        let send = async |token: Value| match in_path {
            true => {
                let path = format!("/signinlink/{id}/{check}");
                app.post(&path).json(&json!({ "token": token })).send().await
            }
            false => {
                let body = json!({ "check": check, "token": token });
                app.post(&format!("/signinlink/{id}")).json(&body).send().await
            }
        };
        send(Value::Null).await.expect_error(403, "mfaTokenRequired");
        send(json!(jane.wrong_code(&app)))
            .await
            .expect_error(401, "signInFailed");
        send(json!(jane.code(&app))).await.expect_status(200);
        send(json!(jane.scratch_codes[0])).await.expect_missing();
    }
}

#[tokio::test]
async fn wrong_codes_are_limited() {
    let app = App::new().await;
    let jane = protected(&app).await;
    app.clock.advance_ms(STEP_MS);
    for _ in 0..10 {
        sign_in(&app, &json!(jane.wrong_code(&app)))
            .await
            .expect_error(401, "signInFailed");
    }
    for code in [jane.code(&app), jane.scratch_codes[0].clone()] {
        sign_in(&app, &json!(code)).await.expect_error(401, "signInFailed");
        let body = json!({ "mfa": false, "password": PASSWORD, "token": code });
        mfa(&app, &jane.person, body)
            .await
            .expect_error(401, "authenticationFailed");
    }
    // From other networks the owner still signs in.
    let body = json!({ "username": "user-1", "password": PASSWORD, "token": jane.code(&app) });
    let elsewhere = app.post("/signin").from_ip("198.51.100.7").json(&body).send().await;
    elsewhere.expect_status(200);
    app.clock.advance_ms(WINDOW_MS);
    sign_in(&app, &json!(jane.code(&app))).await.expect_status(200);
}

#[tokio::test]
async fn password_guesses_at_removal_are_limited() {
    let app = App::new().await;
    let jane = protected(&app).await;
    for _ in 0..10 {
        let body = json!({ "mfa": false, "password": "guess", "token": jane.code(&app) });
        mfa(&app, &jane.person, body)
            .await
            .expect_error(401, "authenticationFailed");
    }
    let body = json!({ "mfa": false, "password": PASSWORD, "token": jane.code(&app) });
    mfa(&app, &jane.person, body)
        .await
        .expect_error(401, "authenticationFailed");
}

#[tokio::test]
async fn concurrent_guesses_at_removal_are_verified_ten_times() {
    let app = App::new().await;
    let jane = protected(&app).await.person;
    let guess = json!({ "mfa": false, "password": "guess", "token": "123456" });
    let before = app.context().password_runs();
    let guesses = (0..40).map(|_| mfa(&app, &jane, guess.clone()));
    let answers = futures_util::future::join_all(guesses).await;
    assert!(answers.iter().all(|answer| answer.status == 401));
    assert_eq!(app.context().password_runs() - before, 10);
}
