//! Tests with malformed and hostile credentials on routes that accept an API key.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bespoke_core::KeySecret;
use bespoke_tests::support::{App, Key};
use bespoke_web::SystemRandom;
use serde_json::json;

fn basic(text: &str) -> String {
    format!("Basic {}", STANDARD.encode(text))
}

#[tokio::test]
async fn scheme_ignores_case_and_repeated_header_is_rejected() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let good = basic(&format!("{}:{}", jane.key.id, jane.key.secret));
    let value = good.strip_prefix("Basic ").unwrap();
    for scheme in ["basic", "BASIC", "bAsIc"] {
        let request = app
            .get("/whoami/key")
            .header("authorization", &format!("{scheme}  {value} "));
        request.send().await.expect_status(200);
    }
    // Two headers could be read differently by two parties.
    for second in [good.as_str(), "Basic bm86Ym9keQ==", "Bearer x", ""] {
        for (first, second) in [(good.as_str(), second), (second, good.as_str())] {
            let request = app.get("/whoami/key").header("authorization", first);
            let refused = request.header("authorization", second).send().await;
            refused.expect_error(401, "unauthorized");
        }
    }
}

#[tokio::test]
async fn only_the_exact_secret_is_accepted() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let Key { id, secret } = &jane.key;
    let long = "x".repeat(8 * 1024);
    let wrong = [
        format!("{id}:{secret}\n"),
        format!("{id}:\r\n{secret}"),
        format!("{id}:{secret} "),
        format!("{id}:{secret}{secret}"),
        format!("{id}\0:{secret}"),
        format!("{id}:{long}"),
        format!("{id}:fsk_{long}"),
        format!("{long}:{secret}"),
        format!("{id}:"),
        format!(":{secret}"),
        ":".to_owned(),
        format!("{id}:{}", secret.to_uppercase()),
        format!("{id}:{}", secret.replace("fsk_", "")),
        format!("{id}:{}", KeySecret::generate(&SystemRandom).expose()),
        format!("{id}:{}", "0".repeat(64)),
    ];
    for credentials in wrong {
        let refused = app.get("/whoami/key").header("authorization", &basic(&credentials));
        refused.send().await.expect_error(401, "unauthorized");
    }
    // A colon ends the secret, as in the original, so no second secret can hide in it.
    let request = app
        .get("/whoami/key")
        .header("authorization", &basic(&format!("{id}:{secret}:more")));
    request.send().await.expect_status(200);
    let folded = format!("Basic {}\t", STANDARD.encode(format!("{id}:{secret}")));
    let request = app.get("/whoami/key").header("authorization", &folded);
    request.send().await.expect_status(200);
}

#[test]
fn secret_scanner_finds_committed_keys_only() {
    let rules = include_str!("../../docs/gitleaks.toml");
    let pattern = rules.split("regex = '''").nth(1).unwrap().split("'''").next().unwrap();
    let pattern = regex::Regex::new(pattern).unwrap();
    for _ in 0..1_000 {
        let secret = KeySecret::generate(&SystemRandom);
        let line = format!("curl -u 'id:{}' https://example.org", secret.expose());
        assert_eq!(pattern.find(&line).unwrap().as_str(), secret.expose());
    }
    for text in [
        "fsk_",
        "fsk_short",
        &format!("fsk_{}", "x".repeat(50)),
        &format!("xfsk_{}", "x".repeat(49)),
    ] {
        assert!(!pattern.is_match(text), "{text}");
    }
}

#[tokio::test]
async fn clock_set_back_neither_revokes_nor_revives_keys() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let ended = app.key(&jane, 1).await;
    let path = format!("/apikeys/{}/jwt", ended.id);
    app.delete(&path).jwt(&jane.token).send().await.expect_status(204);
    app.clock.advance_ms(-3_600_000);
    app.get("/whoami/key").key(&jane.key).send().await.expect_status(200);
    let refused = app.get("/whoami/key").key(&ended).send().await;
    refused.expect_error(401, "keyRevoked");
}

#[tokio::test]
async fn unknown_keys_cause_no_commit_and_leave_no_data() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let seq = async || {
        let answer = app.get("/whoami/jwt").jwt(&jane.token).send().await;
        answer.header("db-seq").to_owned()
    };
    let before = seq().await;
    for number in 0..1_000 {
        let refused = app.get("/whoami/key").key(&Key::unknown()).send().await;
        // After 120 refusals the key is no longer looked up.
        assert_eq!(refused.status, if number < 120 { 401 } else { 429 }, "{number}");
    }
    assert_eq!(seq().await, before);
    let counted = app.context().database().usage().unmerged().await.unwrap();
    assert!(counted.iter().all(|usage| usage.user_id == jane.id), "{counted:?}");
    assert!(counted.iter().map(|usage| usage.calls).sum::<i64>() <= 3);
}

#[tokio::test]
async fn minute_limit_is_per_process_and_day_limit_is_shared() {
    let settings = [("BACKEND_LIMIT_CALLERS", "4"), ("BACKEND_APIKEY_CALLS_PER_DAY", "6")];
    let bucket = bespoke_storage::MemoryStore::new();
    let (one, other) = (
        App::on(bucket.clone(), &settings).await,
        App::on(bucket, &settings).await,
    );
    let jane = one.person("jane").await;
    let key = one.key_with(&jane, 4, json!({ "expiresIn": 200_000 })).await;
    let call = async |app: &App| app.get("/whoami/key").key(&key).send().await;
    one.clock.advance_ms(60_000);
    for _ in 0..4 {
        call(&one).await.expect_status(200);
    }
    call(&one).await.expect_error(429, "tooManyRequests");
    // The other process has its own bucket for the minute, and the same quota for the day.
    call(&other).await.expect_status(200);
    one.context().database().usage().put(one.context().now()).await.unwrap();
    other.context().database().usage().merge().await.unwrap();
    call(&other).await.expect_error(429, "quotaExceeded");
}
