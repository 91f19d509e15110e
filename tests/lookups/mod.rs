//! Tests of programs that look up measurements: the command and the examples, as processes next to a server.

mod command;
mod examples;

use bespoke_core::measurement::MODEL_SETS;
use bespoke_tests::support::Server;
use serde_json::json;
use tempfile::{TempDir, tempdir};

/// A server with an account that has a complete set, a set without the hips, and a key that reads only the first.
pub(crate) struct Installation {
    server: Server,
    folder: TempDir,
    pub(crate) whole: String,
    pub(crate) half: String,
    /// `<key>:<secret>`, for all sets and for one.
    pub(crate) keys: [String; 2],
}

impl Installation {
    pub(crate) fn new() -> Self {
        let folder = tempdir().unwrap();
        let server = Server::start(&folder.path().join("data"));
        let token = server.sign_up("jane@freesewing.dev");
        let make = |kind: &str, body| {
            let (status, answer) = server.call("POST", &format!("/{kind}/jwt"), &token, &body);
            assert_eq!(status, 201, "{answer}");
            answer
        };
        let mut measies = MODEL_SETS[3].1.clone();
        let set = |name, measies| make("sets", json!({ "name": name, "measies": measies }))["set"]["uuid"].clone();
        let whole = set("Whole", measies.clone());
        measies.remove("hips");
        let half = set("Half", measies);
        let one = format!("set:{}:read", whole.as_str().unwrap());
        let key = |scope: &str| {
            let made = make(
                "apikeys",
                json!({ "name": "k", "level": 1, "expiresIn": 60, "scopes": [scope] }),
            );
            let text = |field| made["apikey"][field].as_str().unwrap();
            format!("{}:{}", text("key"), text("secret"))
        };
        Self {
            keys: [key("sets:read"), key(&one)],
            whole: whole.as_str().unwrap().to_owned(),
            half: half.as_str().unwrap().to_owned(),
            server,
            folder,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port)
    }
}
