//! Tests of counted calls and limits: `/apikeys/:id/usage`, `/account/usage`, the header `RateLimit`, and 429.

use bespoke_tests::support::{App, Key};
use serde_json::json;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

#[tokio::test]
async fn calls_are_counted_by_key_and_day() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let reader = app.key_with(&jane, 4, json!({ "scopes": ["sets:read"] })).await;
    for _ in 0..3 {
        app.get("/sets/key").key(&reader).send().await.expect_status(200);
    }
    app.get("/account/key")
        .key(&reader)
        .send()
        .await
        .expect_error(403, "insufficientScope");
    app.clock.advance_ms(DAY_MS - 1);
    app.get("/sets/key").key(&reader).send().await.expect_status(200);
    let path = format!("/apikeys/{}/usage/jwt", reader.id);
    let usage = app.get(&path).jwt(&jane.token).send().await.expect_status(200);
    assert_eq!(
        usage,
        json!({ "result": "success", "usage": [{ "day": "2026-01-01", "calls": 5, "refused": 1 }], "calls": 5,
            "lastSeen": "2026-01-01T23:59:59.999Z" })
    );
    // Lists contain the same numbers, although the database does not contain them yet.
    let list = app.get("/apikeys/jwt").jwt(&jane.token).send().await.expect_status(200);
    let records = app
        .get(&format!("/users/{}/jwt", jane.id))
        .jwt(&jane.token)
        .send()
        .await;
    for list in [&list["apikeys"], &records.expect_status(200)["data"]["apikeys"]] {
        let mut keys = list.as_array().unwrap().iter();
        let key = keys.find(|key| key["id"] == reader.id).unwrap();
        assert_eq!(
            (&key["calls"], &key["lastSeen"]),
            (&json!(5), &json!("2026-01-01T23:59:59.999Z"))
        );
    }
    app.clock.advance_ms(1);
    let again = app.get("/sets/key").key(&reader).send().await;
    again.expect_error(401, "keyExpired");
    let one = app
        .get(&format!("{path}?days=1"))
        .jwt(&jane.token)
        .send()
        .await
        .expect_status(200);
    assert_eq!(one["usage"], json!([{ "day": "2026-01-02", "calls": 1, "refused": 1 }]));
    for wrong in ["0", "401", "x", "-1", "1.5", ""] {
        let wrong = app.get(&format!("{path}?days={wrong}")).jwt(&jane.token).send().await;
        wrong.expect_error(400, "daysInvalid");
    }
}

#[tokio::test]
async fn counts_of_other_processes_are_included_once() {
    let app = App::new().await;
    let other = app.another().await;
    let jane = app.person("jane").await;
    for process in [&app, &other] {
        for _ in 0..2 {
            process
                .get("/whoami/key")
                .key(&jane.key)
                .send()
                .await
                .expect_status(200);
        }
        process.clock.advance_ms(60_000);
        // The next response shows the counts.
        process
            .get("/whoami/key")
            .key(&jane.key)
            .send()
            .await
            .expect_status(200);
    }
    let path = format!("/apikeys/{}/usage/jwt", jane.key.id);
    let calls = || async {
        let usage = app.get(&path).jwt(&jane.token).send().await.expect_status(200);
        usage["calls"].as_i64().unwrap()
    };
    assert_eq!(calls().await, 6);
    assert!(app.context().database().usage().merge().await.unwrap() >= 2);
    assert_eq!(calls().await, 6);
    let list = other
        .get("/apikeys/jwt")
        .jwt(&jane.token)
        .send()
        .await
        .expect_status(200);
    assert_eq!(list["apikeys"][0]["calls"], 6);
    let account = other
        .get("/account/jwt")
        .jwt(&jane.token)
        .send()
        .await
        .expect_status(200);
    assert_eq!(account["account"]["keyCalls"], 6);
    assert!(account["account"]["lastSeen"].is_string());
}

#[tokio::test]
async fn counting_a_read_commits_nothing() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let seq = |answer: bespoke_tests::support::Answer| answer.header("db-seq").to_owned();
    let before = seq(app.get("/whoami/key").key(&jane.key).send().await);
    for _ in 0..3 {
        app.clock.advance_ms(60_000);
        assert_eq!(seq(app.get("/whoami/key").key(&jane.key).send().await), before);
    }
}

#[tokio::test]
async fn foreign_usage_is_refused() {
    let app = App::new().await;
    let (jane, joe, admin) = (
        app.person("jane").await,
        app.person("joe").await,
        app.person_as("root", "admin").await,
    );
    let path = format!("/apikeys/{}/usage", jane.key.id);
    for method in ["jwt", "key"] {
        let usage = app.get(&format!("{path}/{method}")).auth(&joe, method).send().await;
        usage.expect_error(403, "insufficientAccessLevel");
    }
    app.get(&format!("{path}/jwt"))
        .jwt(&admin.token)
        .send()
        .await
        .expect_status(200);
    app.get("/apikeys/6f9619ff-8b86-4011-b42d-00c04fc964ff/usage/jwt")
        .jwt(&jane.token)
        .send()
        .await
        .expect_missing();
}

#[tokio::test]
async fn headers_show_the_rest_and_excess_calls_are_refused() {
    let app = App::with(&[("BACKEND_LIMIT_CALLERS", "5"), ("BACKEND_LIMIT_PUBLIC_READS", "7")]).await;
    let jane = app.person("jane").await;
    app.clock.advance_ms(60_000);
    let first = app.get("/whoami/key").key(&jane.key).send().await;
    assert_eq!(
        first.header("ratelimit-policy"),
        r#""day";q=100000;w=86400, "key";q=5;w=60, "account";q=5;w=60"#
    );
    assert!(
        first
            .header("ratelimit")
            .contains(r#""key";r=4;t=12, "account";r=4;t=12"#)
    );
    for _ in 0..4 {
        app.get("/whoami/key").key(&jane.key).send().await.expect_status(200);
    }
    let refused = app.get("/whoami/key").key(&jane.key).send().await;
    assert_eq!(refused.header("retry-after"), "12");
    refused.expect_error(429, "tooManyRequests");
    // With a token it is the same account.
    app.get("/account/jwt")
        .jwt(&jane.token)
        .send()
        .await
        .expect_error(429, "tooManyRequests");
    app.clock.advance_ms(12_000);
    app.get("/account/jwt").jwt(&jane.token).send().await.expect_status(200);
    for left in (0..7).rev() {
        let read = app.get("/healthz").from_ip("192.0.2.1").send().await;
        assert!(read.header("ratelimit").starts_with(&format!(r#""reads";r={left};"#)));
    }
    app.get("/healthz")
        .from_ip("192.0.2.1")
        .send()
        .await
        .expect_error(429, "tooManyRequests");
    app.get("/healthz").from_ip("192.0.2.2").send().await.expect_status(200);
}

#[tokio::test]
async fn public_writes_have_a_burst_of_two_minutes() {
    let app = App::with(&[("BACKEND_LIMIT_PUBLIC_WRITES", "2")]).await;
    let try_to = || {
        app.post("/signin")
            .json(&json!({ "username": "x", "password": "y" }))
            .from_ip("192.0.2.1")
            .send()
    };
    for _ in 0..4 {
        try_to().await.expect_error(401, "signInFailed");
    }
    try_to().await.expect_error(429, "tooManyRequests");
    app.clock.advance_ms(30_000);
    try_to().await.expect_error(401, "signInFailed");
}

#[tokio::test]
async fn checks_of_measurements_count_as_reads() {
    let app = App::with(&[
        ("BACKEND_LIMIT_PUBLIC_WRITES", "1"),
        ("BACKEND_LIMIT_PUBLIC_READS", "3"),
    ])
    .await;
    let check = || {
        app.post("/measurements/check")
            .json(&json!({ "measurements": { "chest": 930 } }))
            .from_ip("192.0.2.1")
            .send()
    };
    for _ in 0..3 {
        check().await.expect_status(200);
    }
    check().await.expect_error(429, "tooManyRequests");
}

#[tokio::test]
async fn daily_quota_is_restored_the_next_day() {
    let app = App::with(&[("BACKEND_APIKEY_CALLS_PER_DAY", "3")]).await;
    let jane = app.person("jane").await;
    for _ in 0..3 {
        app.get("/whoami/key").key(&jane.key).send().await.expect_status(200);
    }
    let refused = app.get("/whoami/key").key(&jane.key).send().await;
    assert_eq!(refused.header("retry-after"), "86400");
    refused.expect_error(429, "quotaExceeded");
    // A token is not a key, and another key has its own calls.
    app.get("/account/jwt").jwt(&jane.token).send().await.expect_status(200);
    let other = app.key_with(&jane, 1, json!({ "expiresIn": 200_000 })).await;
    app.get("/whoami/key").key(&other).send().await.expect_status(200);
    app.clock.advance_ms(DAY_MS);
    app.get("/whoami/key").key(&other).send().await.expect_status(200);
}

#[tokio::test]
async fn processes_share_the_daily_quota() {
    let settings = &[("BACKEND_APIKEY_CALLS_PER_DAY", "20")];
    let app = App::with(settings).await;
    let jane = app.person("jane").await;
    let other = app.another_with(settings).await;
    let calls = (0..60).map(|number| {
        let process = if number % 2 == 0 { &app } else { &other };
        process.get("/whoami/key").key(&jane.key).send()
    });
    let answers = futures_util::future::join_all(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 20);
    // Neither a report of the calls nor its merge frees a call.
    for _ in 0..3 {
        app.clock.advance_ms(60_000);
        for process in [&app, &other] {
            process.context().put_usage().await;
            process.context().database().usage().merge().await.unwrap();
            let call = process.get("/whoami/key").key(&jane.key).send().await;
            call.expect_error(429, "quotaExceeded");
        }
    }
}

#[tokio::test]
async fn reservations_near_a_large_quota_are_few() {
    let settings = &[
        ("BACKEND_APIKEY_CALLS_PER_DAY", "3000"),
        ("BACKEND_LIMIT_CALLERS", "100000"),
    ];
    let app = App::with(settings).await;
    let jane = app.person("jane").await;
    let call = async || app.get("/whoami/key").key(&jane.key).send().await;
    let (mut commits, mut seen) = (0, String::new());
    for served in 1..=3_000 {
        let answer = call().await;
        commits += usize::from(std::mem::replace(&mut seen, answer.header("db-seq").to_owned()) != seen);
        let left = format!(r#""day";r={};"#, 3_000 - served);
        assert!(
            answer.header("ratelimit").contains(&left),
            "{left} {}",
            answer.header("ratelimit")
        );
        answer.expect_status(200);
    }
    assert!((50..100).contains(&commits), "{commits}");
    call().await.expect_error(429, "quotaExceeded");
}

#[tokio::test]
async fn wrong_keys_are_limited_per_address() {
    let app = App::with(&[("BACKEND_LIMIT_PUBLIC_WRITES", "5")]).await;
    let jane = app.person("jane").await;
    let from = "192.0.2.1";
    app.get("/whoami/key")
        .key(&jane.key)
        .from_ip(from)
        .send()
        .await
        .expect_status(200);
    let wrong = (0..50).map(|_| {
        let key = Key::unknown();
        let request = app.get("/whoami/key").key(&key).from_ip(from);
        request.send()
    });
    let answers = futures_util::future::join_all(wrong).await;
    let looked_up = answers.iter().filter(|answer| answer.status == 401).count();
    let refused = answers.iter().filter(|answer| answer.status == 429).count();
    assert_eq!((looked_up, refused), (10, 40));
    // A key that this process has verified still works there, and other addresses are not limited.
    app.get("/whoami/key")
        .key(&jane.key)
        .from_ip(from)
        .send()
        .await
        .expect_status(200);
    let elsewhere = app.get("/whoami/key").key(&Key::unknown()).from_ip("192.0.2.2");
    elsewhere.send().await.expect_error(401, "unauthorized");
    app.clock.advance_ms(60_000);
    let later = app.get("/whoami/key").key(&Key::unknown()).from_ip(from);
    later.send().await.expect_error(401, "unauthorized");
}

#[tokio::test]
async fn administrator_changes_the_daily_quota() {
    let app = App::with(&[("BACKEND_APIKEY_CALLS_PER_DAY", "3")]).await;
    let (jane, admin) = (app.person("jane").await, app.person_as("root", "admin").await);
    let path = format!("/admin/user/{}/jwt", jane.id);
    let change = async |quota: serde_json::Value| {
        let request = app.patch(&path).jwt(&admin.token).json(&json!({ "quota": quota }));
        request.send().await.expect_status(200)
    };
    let per_day = async || {
        let usage = app
            .get("/account/usage/jwt")
            .jwt(&jane.token)
            .send()
            .await
            .expect_status(200);
        usage["limits"].clone()
    };
    let call = async || app.get("/whoami/key").key(&jane.key).send().await;
    assert_eq!(per_day().await, json!({ "callsPerMinute": 1_200, "callsPerDay": 3 }));
    assert_eq!(change(json!(4)).await["quota"], 4);
    assert_eq!(per_day().await["callsPerDay"], 4);
    for _ in 0..4 {
        call().await.expect_status(200);
    }
    call().await.expect_error(429, "quotaExceeded");
    change(json!("100")).await;
    call().await.expect_status(200);
    change(json!(0)).await;
    call().await.expect_error(429, "quotaExceeded");
    for wrong in [json!(-1), json!(1.5), json!("many"), json!(1_000_000_001), json!([])] {
        assert_eq!(change(wrong).await["ignored"], json!(["quota"]));
    }
    assert_eq!(change(serde_json::Value::Null).await["quota"], serde_json::Value::Null);
    assert_eq!(per_day().await["callsPerDay"], 3);
}

#[tokio::test]
async fn administrator_lists_the_busiest_accounts() {
    let app = App::new().await;
    let (jane, john) = (app.person("jane").await, app.person("john").await);
    let admin = app.person_as("root", "admin").await;
    let usage = async |query: &str| {
        let request = app.get(&format!("/admin/usage/jwt{query}")).jwt(&admin.token);
        request.send().await
    };
    for (person, calls) in [(&jane, 1), (&john, 5)] {
        for _ in 0..calls {
            app.get("/whoami/key").key(&person.key).send().await.expect_status(200);
        }
    }
    app.get("/whoami/jwt").jwt(&jane.token).send().await.expect_status(200);
    let refused = app.get("/admin/audit/key").key(&john.key).send().await;
    refused.expect_error(403, "insufficientAccessLevel");
    let all = usage("").await.expect_status(200);
    let of_john = json!({ "key": john.key.id, "name": "test", "userId": john.id, "username": "user-2", "calls": 6, "refused": 1 });
    assert_eq!(all["keys"][0], of_john);
    assert_eq!(all["keys"][1]["calls"], 1);
    assert_eq!(
        all["users"][0],
        json!({ "userId": john.id, "username": "user-2", "calls": 7, "refused": 1 })
    );
    let merged = async || {
        app.clock.advance_ms(60_000);
        app.get("/whoami/jwt").jwt(&admin.token).send().await;
        app.context().database().usage().merge().await.unwrap();
    };
    merged().await;
    assert_eq!(
        usage("").await.expect_status(200)["keys"],
        all["keys"],
        "a count was applied twice"
    );
    // A revoked key has no name, and a deleted account is missing.
    let path = format!("/apikeys/{}/jwt", john.key.id);
    app.delete(&path).jwt(&john.token).send().await.expect_status(204);
    assert_eq!(
        usage("").await.expect_status(200)["keys"][0]["name"],
        serde_json::Value::Null
    );
    app.clock.advance_ms(8 * DAY_MS);
    let later = app.person_as("late", "admin").await.token;
    let quiet = app
        .get("/admin/usage/jwt?days=7")
        .jwt(&later)
        .send()
        .await
        .expect_status(200);
    assert_eq!(quiet["keys"], json!([]));
    let month = app
        .get("/admin/usage/jwt?days=30")
        .jwt(&later)
        .send()
        .await
        .expect_status(200);
    assert_eq!(month["users"][0]["username"], "user-2");
    app.get("/admin/usage/jwt?days=x")
        .jwt(&later)
        .send()
        .await
        .expect_error(400, "daysInvalid");
}

#[tokio::test]
async fn disabled_limits_send_no_headers() {
    let app = App::with(&[("BACKEND_RATE_LIMITS", "off"), ("BACKEND_LIMIT_CALLERS", "1")]).await;
    let jane = app.person("jane").await;
    for _ in 0..3 {
        let answer = app.get("/whoami/key").key(&jane.key).send().await;
        assert_eq!((answer.status, answer.header("ratelimit")), (200, ""));
    }
}

#[tokio::test]
async fn usage_is_listed_by_key_and_for_tokens() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let john = app.person("john").await;
    let reader = app.key_with(&jane, 1, json!({ "scopes": ["account:read"] })).await;
    let call = async |path: &str| app.get(path).key(&reader).send().await;
    call("/account/key").await.expect_status(200);
    call("/sets/key").await.expect_error(403, "insufficientScope");
    app.get("/account/jwt").jwt(&john.token).send().await.expect_status(200);
    app.clock.advance_ms(DAY_MS / 2);
    let usage = call("/account/usage/key").await.expect_status(200);
    let day = |calls, refused| json!([{ "day": "2026-01-01", "calls": calls, "refused": refused }]);
    assert_eq!(
        usage["keys"],
        json!([
            { "id": jane.key.id, "key": jane.key.id, "name": "test", "usage": [], "calls": 0, "lastSeen": null },
            { "id": reader.id, "key": reader.id, "name": "test", "usage": day(3, 1), "calls": 3,
                "lastSeen": "2026-01-01T12:00:00.000Z" },
        ])
    );
    // The two keys were created with the token.
    assert_eq!(
        usage["tokens"],
        json!({ "usage": day(2, 0), "calls": 2, "lastSeen": "2026-01-01T00:00:00.000Z" })
    );
    let by_token = app
        .get("/account/usage/jwt?days=1")
        .jwt(&jane.token)
        .send()
        .await
        .expect_status(200);
    assert_eq!(
        (&by_token["keys"], &by_token["tokens"]["calls"]),
        (&usage["keys"], &json!(3))
    );
    for wrong in ["0", "401", "x", ""] {
        let path = format!("/account/usage/jwt?days={wrong}");
        app.get(&path)
            .jwt(&jane.token)
            .send()
            .await
            .expect_error(400, "daysInvalid");
    }
    let none = app.key(&jane, 0).await;
    app.get("/account/usage/key")
        .key(&none)
        .send()
        .await
        .expect_error(403, "insufficientAccessLevel");
}
