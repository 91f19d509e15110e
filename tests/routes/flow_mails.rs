//! Tests of `POST /flows/translator-invite/{auth}` and `POST /flows/language-suggestion/{auth}`.

use bespoke_tests::support::App;
use serde_json::{Value, json};

const INVITE: &str = "/flows/translator-invite";
const SUGGEST: &str = "/flows/language-suggestion";
const HOUR_MS: i64 = 60 * 60 * 1000;

#[tokio::test]
async fn translator_is_invited_in_the_language() {
    let app = App::with(&[("BACKEND_CROWDIN_INVITE_NL", "c0de")]).await;
    let jane = app.person("jane").await;
    for method in ["jwt", "key"] {
        let path = format!("{INVITE}/{method}");
        let body = json!({ "language": "nl" });
        let sent = app.post(&path).auth(&jane, method).json(&body).send().await;
        assert_eq!(sent.expect_status(200), json!({ "result": "success" }));
    }
    let mails = app.mails();
    assert_eq!(mails.len(), 2);
    for part in [
        "To: jane@freesewing.dev",
        "Content-Language: nl",
        "https://translate.freesewing.org/project/freesewing/invite?h=c0de",
    ] {
        assert!(mails[0].contains(part), "{part}: {}", mails[0]);
    }
    // In the original, the link without an invitation ended in `undefined`.
    let body = json!({ "language": "de" });
    app.post("/flows/translator-invite/jwt")
        .jwt(&jane.token)
        .json(&body)
        .send()
        .await
        .expect_status(200);
    let mail = app
        .mails()
        .into_iter()
        .find(|mail| mail.contains("Content-Language: de"))
        .unwrap();
    let link = "https://translate.freesewing.org/project/freesewing";
    assert!(mail.lines().any(|line| line.trim_end() == link), "{mail}");
}

#[tokio::test]
async fn suggestion_mail_contains_no_secret() {
    // In the original, this mail contained all secrets of the account.
    let app = App::with(&[("BACKEND_OPERATOR_CONTACT", "maintainer@example.org")]).await;
    let jane = super::mfa::protected(&app).await.person;
    for method in ["jwt", "key"] {
        let path = format!("{SUGGEST}/{method}");
        let body = json!({ "language": "cn", "help": true, "notes": "<b>你好</b>" });
        let sent = app.post(&path).auth(&jane, method).json(&body).send().await;
        assert_eq!(sent.expect_status(200), json!({ "result": "success" }));
    }
    let mut mails = app.mails();
    mails.retain(|mail| mail.contains("To: maintainer@example.org"));
    assert_eq!(mails.len(), 2);
    let mail = &mails[0];
    for part in [
        "Content-Language: en",
        "\"language\": \"cn\"",
        "\"notes\": \"<b>你好</b>\"",
        "\"email\": \"jane@freesewing.dev\"",
        &format!("\"id\": {}", jane.id),
    ] {
        assert!(mail.contains(part), "{part}: {mail}");
    }
    for secret in ["mfa", "password", "initial", "role"] {
        assert!(!mail.contains(&format!("\"{secret}")), "{secret}: {mail}");
    }
    assert!(!mail.split("text/html").nth(1).unwrap().contains("<b>"), "{mail}");
}

#[tokio::test]
async fn invalid_language_is_rejected() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let send = async |path: &str, body: Value| {
        let path = format!("{path}/jwt");
        app.post(&path).jwt(&jane.token).json(&body).send().await
    };
    for path in [INVITE, SUGGEST] {
        send(path, json!({})).await.expect_error(400, "postBodyMissing");
        for nothing in [json!(null), json!(""), json!(0), json!(false)] {
            send(path, json!({ "language": nothing }))
                .await
                .expect_error(400, "languageMissing");
        }
    }
    for none in [
        json!("en"),
        json!("xx"),
        json!("NL"),
        json!(7),
        json!(["nl"]),
        json!({ "a": 1 }),
    ] {
        send(INVITE, json!({ "language": none }))
            .await
            .expect_error(400, "languageInvalid");
    }
    let huge = json!({ "language": "cn", "notes": "a".repeat(64 * 1024) });
    send(SUGGEST, huge).await.expect_error(413, "bodyTooLarge");
    assert_eq!(app.mails().len(), 0);
    send(SUGGEST, json!({ "language": ["cn", "jp"] }))
        .await
        .expect_status(200);
}

#[tokio::test]
async fn hourly_mails_are_limited_and_repeats_do_not_count() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let send = async |path: &str, key: &str| {
        let body = json!({ "language": "fr" });
        let request = app.post(path).jwt(&jane.token).json(&body);
        request.header("idempotency-key", key).send().await
    };
    for path in [INVITE, SUGGEST] {
        let path = &format!("{path}/jwt");
        for index in 0..20 {
            send(path, &index.to_string()).await.expect_status(200);
        }
        send(path, "3").await.expect_status(200);
        let refused = send(path, "next").await;
        assert_eq!(refused.header("retry-after"), "3600");
        refused.expect_error(429, "tooManyRequests");
    }
    assert_eq!(app.mails().len(), 40);
    let other = app.person("other").await;
    let body = json!({ "language": "fr" });
    app.post("/flows/translator-invite/jwt")
        .jwt(&other.token)
        .json(&body)
        .send()
        .await
        .expect_status(200);
    app.clock.advance_ms(HOUR_MS);
    send("/flows/translator-invite/jwt", "next").await.expect_status(200);
}

#[tokio::test]
async fn failed_mail_is_sent_later() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    app.block_mail();
    let body = json!({ "language": "cn", "notes": "kept" });
    app.post("/flows/language-suggestion/jwt")
        .jwt(&jane.token)
        .json(&body)
        .send()
        .await
        .expect_status(200);
    app.unblock_mail();
    app.clock.advance_ms(HOUR_MS);
    app.context().maintain(&[bespoke_web::maintenance::Task::Mail]).await;
    assert!(app.mails()[0].contains("\"notes\": \"kept\""));
}
