//! Tests of `GET|PATCH /account/{auth}` and `POST /available/username/{auth}`.

use bespoke_tests::support::{App, Person};
use serde_json::json;

#[tokio::test]
async fn each_writable_field_is_changed_and_returned() {
    let app = App::new().await;
    let person = app.person("jane").await;
    for method in ["jwt", "key"] {
        for (field, value) in [
            ("bio", json!(format!("I sew by {method} 🧵"))),
            ("consent", json!(1)),
            ("control", json!(5)),
            ("imperial", json!(method == "jwt")),
            ("compare", json!(method == "key")),
            ("newsletter", json!(method == "jwt")),
            ("language", json!(if method == "jwt" { "nl" } else { "uk" })),
            ("username", json!(format!("JANE {method}"))),
        ] {
            let path = format!("/account/{method}");
            let answer = app
                .patch(&path)
                .auth(&person, method)
                .json(&json!({ field: value }))
                .send()
                .await;
            let answer = answer.expect_status(200);
            assert_eq!(
                (&answer["result"], &answer["ignored"]),
                (&json!("success"), &json!([])),
                "{field}"
            );
            assert_eq!(answer["account"][field], value);
            let read = app.get(&path).auth(&person, method).send().await.expect_status(200);
            assert_eq!(read["account"], answer["account"]);
        }
        let read = app
            .get("/account/jwt")
            .jwt(&person.token)
            .send()
            .await
            .expect_status(200);
        assert_eq!(read["account"]["lusername"], format!("jane {method}"));
    }
}

#[tokio::test]
async fn data_is_merged_in_order() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let patch = async |data| {
        let answer = app
            .patch("/account/jwt")
            .jwt(&person.token)
            .json(&json!({ "data": data }))
            .send()
            .await;
        answer.expect_status(200)["account"]["data"].to_string()
    };
    let first = patch(json!({ "githubUsername": "jane", "githubEmail": "jane@example.com" })).await;
    assert_eq!(first, r#"{"githubUsername":"jane","githubEmail":"jane@example.com"}"#);
    let second = patch(json!({ "note": { "b": 1, "a": [2] }, "githubUsername": "jd" })).await;
    assert_eq!(
        second,
        r#"{"githubUsername":"jd","githubEmail":"jane@example.com","note":{"b":1,"a":[2]}}"#
    );
}

#[tokio::test]
async fn invalid_fields_are_listed_and_the_rest_is_stored() {
    let app = App::new().await;
    let person = app.person("jane").await;
    app.person("other").await;
    let body = json!({ "bio": 7, "consent": 4, "control": 6, "language": "xx", "compare": "yes", "imperial": 1,
        "newsletter": null, "data": [1], "password": "", "username": "a", "role": "admin", "status": -2, "id": 99,
        "email": "eve", "signOutEverywhere": 1, "unheardOf": true, "test": true });
    let answer = app
        .patch("/account/jwt")
        .jwt(&person.token)
        .json(&body)
        .send()
        .await
        .expect_status(200);
    let mut expected: Vec<_> = body.as_object().unwrap().keys().filter(|key| *key != "test").collect();
    let mut ignored: Vec<_> = answer["ignored"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    expected.sort();
    ignored.sort_unstable();
    assert_eq!(ignored, expected);
    assert_eq!(
        (&answer["account"]["role"], &answer["account"]["email"]),
        (&json!("user"), &json!(person.email))
    );

    let body = json!({ "bio": "kept", "username": " USER-2 " });
    let answer = app
        .patch("/account/jwt")
        .jwt(&person.token)
        .json(&body)
        .send()
        .await
        .expect_status(200);
    // In the original, a name that differed only in letter case discarded the complete update.
    assert_eq!(
        (&answer["ignored"], &answer["account"]["bio"]),
        (&json!(["username"]), &json!("kept"))
    );
    assert_eq!(answer["account"]["username"], "user-1");
    let empty = app
        .patch("/account/jwt")
        .jwt(&person.token)
        .send()
        .await
        .expect_status(200);
    assert_eq!(empty["account"], answer["account"]);
}

#[tokio::test]
async fn ambiguous_user_names_are_refused() {
    // The original accepted such names, so lookups found the wrong account.
    let app = App::new().await;
    let person = app.person("jane").await;
    for name in [
        "1",
        "eve@example.com",
        "6f9619ff-8b86-4011-b42d-00c04fc964ff",
        "  ",
        "a\nb",
        "user-10",
        "user-lO",
        "admin\u{332}",
        &"x".repeat(65),
        &"\u{130}".repeat(500_000),
    ] {
        let body = json!({ "username": name });
        let answer = app
            .patch("/account/jwt")
            .jwt(&person.token)
            .json(&body)
            .send()
            .await
            .expect_status(200);
        assert_eq!(answer["ignored"], json!(["username"]), "{name}");
    }
    let own = app
        .patch("/account/jwt")
        .jwt(&person.token)
        .json(&json!({ "username": "USER-1" }))
        .send()
        .await;
    assert_eq!(own.expect_status(200)["account"]["username"], "USER-1");
    let eve = app.person("eve").await;
    for (name, is_free) in [
        ("Paypal Lee", true),
        ("Paypal  Lee", false),
        ("user-1", false),
        ("user-2", true),
    ] {
        let who = if is_free && name != "user-2" { &person } else { &eve };
        let change = app
            .patch("/account/jwt")
            .jwt(&who.token)
            .json(&json!({ "username": name }));
        let ignored = change.send().await.expect_status(200)["ignored"].clone();
        assert_eq!(ignored == json!([]), is_free, "{name}");
    }
}

#[tokio::test]
async fn password_change_keeps_tokens() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let sign_in = async |password: &str| {
        app.post("/signin")
            .json(&json!({ "username": person.email, "password": password }))
            .send()
            .await
            .status
    };
    for (method, password) in [("jwt", "first"), ("key", "second")] {
        let path = format!("/account/{method}");
        app.patch(&path)
            .auth(&person, method)
            .json(&json!({ "password": password }))
            .send()
            .await
            .expect_status(200);
        assert_eq!(sign_in(password).await, 200);
    }
    assert_eq!(sign_in("first").await, 401);
    app.get("/account/jwt")
        .jwt(&person.token)
        .send()
        .await
        .expect_status(200);
    assert_eq!(
        app.mails()
            .iter()
            .filter(|mail| mail.contains("password was changed"))
            .count(),
        2
    );
    // The current password is optional; if it is sent, it is verified.
    let change = async |current| {
        let body = json!({ "password": "third", "currentPassword": current });
        app.patch("/account/jwt").jwt(&person.token).json(&body).send().await
    };
    change(json!("first")).await.expect_error(401, "authenticationFailed");
    change(json!(7)).await.expect_error(401, "authenticationFailed");
    assert_eq!(sign_in("second").await, 200);
    change(json!("second")).await.expect_status(200);
    assert_eq!(sign_in("third").await, 200);
}

#[tokio::test]
async fn notices_of_password_changes_are_limited() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let notices = || {
        let mails = app.mails();
        mails
            .iter()
            .filter(|mail| mail.contains("password was changed"))
            .count()
    };
    let change = async |number: usize| {
        let body = json!({ "password": format!("password {number}") });
        let call = app.patch("/account/jwt").jwt(&person.token).json(&body);
        call.send().await.expect_status(200);
    };
    for number in 0..5 {
        change(number).await;
    }
    assert_eq!(notices(), 3);
    app.clock.advance_ms(60 * 60 * 1000);
    change(5).await;
    assert_eq!(notices(), 4);
}

#[tokio::test]
async fn password_and_consent_require_level_4() {
    // In the original, a key of level 3 could change both.
    let app = App::new().await;
    let person = app.person("jane").await;
    let key = app.key(&person, 3).await;
    for body in [json!({ "password": "taken over" }), json!({ "consent": 0 })] {
        app.patch("/account/key")
            .key(&key)
            .json(&body)
            .send()
            .await
            .expect_error(403, "insufficientAccessLevel");
    }
    app.patch("/account/key")
        .key(&key)
        .json(&json!({ "bio": "fine" }))
        .send()
        .await
        .expect_status(200);
}

#[tokio::test]
async fn user_name_is_taken_or_free() {
    let app = App::new().await;
    let person = app.person("jane").await;
    for method in ["jwt", "key"] {
        let ask = async |username| {
            let path = format!("/available/username/{method}");
            app.post(&path)
                .auth(&person, method)
                .json(&json!({ "username": username }))
                .send()
                .await
        };
        for taken in ["user-1", "USER-1", " user-1", "a", "", "12"] {
            let expected = json!({ "result": "success", "username": taken, "available": false });
            assert_eq!(ask(json!(taken)).await.expect_status(200), expected);
        }
        ask(json!("free name")).await.expect_missing();
        // The original crashed on these.
        ask(json!(null)).await.expect_error(400, "usernameMissing");
        ask(json!(7)).await.expect_error(400, "usernameMissing");
    }
}

#[tokio::test]
async fn user_name_that_looks_like_another_is_refused() {
    let app = App::new().await;
    let (jane, mallory) = (app.person("jane").await, app.person("mallory").await);
    let rename = async |person: &Person, name: &str| {
        let body = json!({ "username": name });
        let request = app.patch("/account/jwt").jwt(&person.token).json(&body);
        let response = request.send().await.expect_status(200);
        (response["account"]["username"].clone(), response["ignored"].clone())
    };
    assert_eq!(rename(&jane, "Paypal Lee").await, (json!("Paypal Lee"), json!([])));
    // A Cyrillic letter, a digit, and a capital I.
    for name in ["P\u{430}ypal Lee", "paypa1 lee", "PaypaI Lee", "PAYPA1 LEE"] {
        assert_eq!(rename(&mallory, name).await.1, json!(["username"]), "{name}");
        let body = json!({ "username": name });
        let request = app.post("/available/username/jwt").jwt(&mallory.token).json(&body);
        request.send().await.expect_status(200);
    }
    // A name may look like the present name of its own account.
    assert_eq!(rename(&jane, "Paypa1 Lee").await, (json!("Paypa1 Lee"), json!([])));
    assert_eq!(rename(&jane, "Jane").await.1, json!([]));
    assert_eq!(rename(&mallory, "PaypaI Lee").await, (json!("PaypaI Lee"), json!([])));
}

#[tokio::test]
async fn concurrent_claims_of_a_user_name_have_one_winner() {
    let app = App::new().await;
    let other = app.another().await;
    let (jane, john) = (app.person("jane").await, app.person("john").await);
    let body = json!({ "username": "wanted" });
    let (one, two) = tokio::join!(
        app.patch("/account/jwt").jwt(&jane.token).json(&body).send(),
        other.patch("/account/jwt").jwt(&john.token).json(&body).send()
    );
    let won = [one, two].map(|answer| answer.expect_status(200)["account"]["username"] == "wanted");
    assert_eq!(won.iter().filter(|won| **won).count(), 1);
}

#[tokio::test]
async fn texts_are_limited() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let patch = async |body: serde_json::Value| {
        app.patch("/account/jwt")
            .jwt(&person.token)
            .json(&body)
            .send()
            .await
            .expect_status(200)
    };
    assert_eq!(
        patch(json!({ "bio": "x".repeat(64 * 1024) })).await["ignored"],
        json!([])
    );
    assert_eq!(
        patch(json!({ "bio": "x".repeat(64 * 1024 + 1) })).await["ignored"],
        json!(["bio"])
    );
    assert_eq!(
        patch(json!({ "data": { "a": "x".repeat(200 * 1024) } })).await["ignored"],
        json!([])
    );
    // Together with the stored data it would be too large.
    let refused = patch(json!({ "data": { "b": "x".repeat(100 * 1024) }, "control": 3 })).await;
    assert_eq!(refused["ignored"], json!(["data"]));
    assert_eq!(
        (&refused["account"]["data"]["b"], &refused["account"]["control"]),
        (&json!(null), &json!(3))
    );
}
