//! Tests of several processes on one bucket, and of the state after one is killed.

use std::os::unix::process::ExitStatusExt;

use serde_json::{Value, json};

use super::installation::{Installation, call, signed_up};

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

#[tokio::test]
async fn acknowledged_write_and_its_mail_survive_a_kill() {
    let installation = Installation::empty();
    let account = installation.function("account", "first", &[]).await;
    let body = json!({ "email": "jane@example.com", "language": "en" });
    let signup = call(&account, "POST", "/signup", "", &body, 201).await;
    assert_eq!(signup, json!({ "result": "created", "email": "jane@example.com" }));
    let exit = account.kill().await;
    assert_eq!(exit.status.signal(), Some(9), "{exit:?}");

    let maintenance = installation.function("maintenance", "maintenance", &[]).await;
    for _ in 0..2 {
        maintenance.invoke(json!({ "tasks": ["mail"] })).await.unwrap();
    }
    let mails = installation.mails();
    assert_eq!(mails.len(), 1);
    assert!(mails[0].contains("To: jane@example.com\r\n"), "{}", mails[0]);
    let link = mails[0].split("/confirm/signup?id=").nth(1).expect("a link");
    let (id, check) = link.split_once("&check=").expect("a check");
    let check: String = check.chars().take_while(char::is_ascii_hexdigit).collect();

    // A process with the folder of the killed one.
    let account = installation.function("account", "first", &[]).await;
    let body = json!({ "consent": 2, "check": check });
    let confirmed = call(&account, "POST", &format!("/confirm/signup/{id}"), "", &body, 200).await;
    let exit = account.kill().await;
    assert_eq!(exit.status.signal(), Some(9), "{exit:?}");

    // A process with nothing but the bucket.
    let account = installation.function("account", "second", &[]).await;
    let read = call(
        &account,
        "GET",
        "/account/jwt",
        text(&confirmed["token"]),
        &Value::Null,
        200,
    )
    .await;
    assert_eq!(read["account"]["email"], "jane@example.com");
    assert_eq!(read["account"]["status"], 1);
    call(&account, "POST", &format!("/confirm/signup/{id}"), "", &body, 404).await;
}

#[tokio::test]
async fn processes_see_writes_of_others_immediately() {
    let installation = Installation::empty();
    let account = installation.function("account", "account", &[]).await;
    let (sets, more_sets) = tokio::join!(
        installation.function("sets", "sets", &[]),
        installation.function("sets", "more sets", &[])
    );
    // Both have a copy of the database from before the account was created.
    for function in [&sets, &more_sets] {
        call(function, "GET", "/sets/jwt", "no token", &Value::Null, 401).await;
    }
    let token = &signed_up(&account, "jane").await;

    let made = call(
        &sets,
        "POST",
        "/sets/jwt",
        token,
        &json!({ "name": "one", "measies": { "chest": 900 } }),
        201,
    )
    .await;
    let path = format!("/sets/{}/jwt", made["set"]["id"]);
    let seen = call(&more_sets, "GET", &path, token, &Value::Null, 200).await;
    assert_eq!(seen["set"], made["set"]);
    let change = json!({ "measies": { "chest": 910 } });
    call(&more_sets, "PATCH", &path, token, &change, 200).await;
    let seen = call(&sets, "GET", &path, token, &Value::Null, 200).await;
    assert_eq!(seen["set"]["measies"], json!({ "chest": 910 }));

    call(&account, "PATCH", "/consent/jwt", token, &json!({ "consent": 0 }), 200).await;
    call(&sets, "GET", &path, token, &Value::Null, 401).await;
    call(&account, "PATCH", "/consent/jwt", token, &json!({ "consent": 1 }), 200).await;
    call(&more_sets, "DELETE", &path, token, &Value::Null, 204).await;
    call(&sets, "GET", &path, token, &Value::Null, 404).await;
}

#[tokio::test]
async fn concurrent_writes_of_processes_are_all_kept() {
    const WRITES: usize = 12;
    let installation = Installation::empty();
    let account = installation.function("account", "account", &[]).await;
    let sets = installation.function("sets", "sets", &[]).await;
    let token = &signed_up(&account, "jane").await;
    let accounts = async {
        for number in 0..WRITES {
            signed_up(&account, &format!("writer-{number}")).await;
        }
    };
    let creations = async {
        for number in 0..WRITES {
            let body = json!({ "name": format!("set {number}") });
            call(&sets, "POST", "/sets/jwt", token, &body, 201).await;
        }
    };
    tokio::join!(accounts, creations);

    let list = call(&sets, "GET", "/sets/jwt", token, &Value::Null, 200).await;
    let names: Vec<_> = list["sets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|set| text(&set["name"]))
        .collect();
    assert_eq!(
        names,
        (0..WRITES).map(|number| format!("set {number}")).collect::<Vec<_>>()
    );
    // Jane has the first id.
    for id in 2..WRITES + 2 {
        call(&account, "GET", &format!("/users/{id}"), token, &Value::Null, 200).await;
    }
    let next = format!("/users/{}", WRITES + 2);
    call(&account, "GET", &next, token, &Value::Null, 404).await;
}
