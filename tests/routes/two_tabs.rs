//! Tests of `If-Match`: the second of two tabs overwrites nothing. Also tests `units` of lengths in requests.

use bespoke_tests::support::App;
use serde_json::json;

#[tokio::test]
async fn outdated_tab_gets_412() {
    let app = App::new().await;
    let person = app.person("jane").await;
    for (kind, body) in [
        ("set", json!({ "name": "Jane", "measies": { "chest": 930 } })),
        ("pattern", json!({ "name": "Jane", "design": "aaron", "settings": {} })),
    ] {
        let made = app
            .post(&format!("/{kind}s/jwt"))
            .jwt(&person.token)
            .json(&body)
            .send()
            .await;
        let made = made.expect_status(201);
        let path = format!("/{kind}s/{}/jwt", made[kind]["id"]);
        let read = async || app.get(&path).jwt(&person.token).send().await;
        let write = async |tag: &str, name: &str| {
            let patch = app.patch(&path).jwt(&person.token).header("if-match", tag);
            patch.json(&json!({ "name": name })).send().await
        };
        let tag = read().await.header("etag").to_owned();
        let first = write(&tag, "first").await;
        let next = first.header("etag").to_owned();
        first.expect_status(200);
        write(&tag, "second").await.expect_error(412, "preconditionFailed");
        assert_eq!(read().await.json()[kind]["name"], "first");
        write(&next, "third").await.expect_status(200);
        write("*", "fourth").await.expect_status(200);
        for garbage in ["", "x", "\"\"", "W/", &tag.replace("W/", "w/"), &"x".repeat(4000)] {
            write(garbage, "never").await.expect_error(412, "preconditionFailed");
        }
        let now = read().await;
        assert_eq!(now.json()[kind]["name"], "fourth");
        let unchanged = app
            .get(&path)
            .jwt(&person.token)
            .header("if-none-match", now.header("etag"));
        assert_eq!(unchanged.send().await.status, 304);
        // A missing permission is reported first.
        let eve = app.person(&format!("eve-{kind}")).await;
        let theirs = app
            .patch(&path)
            .jwt(&eve.token)
            .header("if-match", "x")
            .json(&json!({ "name": "x" }));
        theirs.send().await.expect_error(403, "insufficientAccessLevel");
    }
}

#[tokio::test]
async fn units_of_lengths_are_converted() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let body = json!({ "name": "Jane", "measies": { "chest": 36.5, "shoulderSlope": 13 }, "units": "in" });
    let made = app
        .post("/sets/jwt")
        .jwt(&person.token)
        .json(&body)
        .send()
        .await
        .expect_status(201);
    assert_eq!(made["set"]["measies"], json!({ "chest": 927.1, "shoulderSlope": 13 }));
    let path = format!("/sets/{}/jwt", made["set"]["id"]);
    let patch = async |body| {
        app.patch(&path)
            .jwt(&person.token)
            .json(&body)
            .send()
            .await
            .expect_status(200)
    };
    let changed = patch(json!({ "units": "cm", "measies": { "neck": 36, "shoulderSlope": 14 } })).await;
    let measies = json!({ "chest": 927.1, "shoulderSlope": 14, "neck": 360 });
    assert_eq!(
        (&changed["set"]["measies"], &changed["ignored"]),
        (&measies, &json!([]))
    );
    let unknown = json!({ "units": "ell", "measies": { "neck": 1 } });
    let unknown = app.patch(&path).jwt(&person.token).json(&unknown).send().await;
    unknown.expect_error(400, "unitsInvalid");
    let read = app.get(&path).jwt(&person.token).send().await.expect_status(200);
    assert_eq!(read["set"]["measies"], measies);
}
