//! The records that the walker's requests name, and the callers that were created so far.

use std::collections::HashMap;

use bespoke_tests::support::picture::RED;
use bespoke_tests::support::{App, Person};
use bespoke_web::Route;
use serde_json::{Value, json};

use super::callers::{Caller, Kind};

/// A marker in every private record of the owner.
pub(super) const SECRET: &str = "for the owner alone";

/// An account with one private record of each kind. The ids are UUIDs.
pub(super) struct Owner {
    pub(super) person: Person,
    /// A key that no caller uses.
    key: String,
    pub(super) set: String,
    pattern: String,
    bookmark: String,
}

impl Owner {
    async fn new(app: &App, name: &str) -> Self {
        let person = app.person(name).await;
        let make = async |kind: &str, body: Value| {
            let made = app
                .post(&format!("/{kind}s/jwt"))
                .jwt(&person.token)
                .json(&body)
                .send()
                .await;
            made.expect_status(201)[kind]["uuid"]
                .as_str()
                .expect("a UUID")
                .to_owned()
        };
        let set = make("set", json!({ "name": SECRET, "measies": { "chest": 930 } })).await;
        let pattern = make("pattern", json!({ "design": "aaron", "settings": {}, "notes": SECRET })).await;
        let bookmark = make("bookmark", json!({ "title": SECRET, "url": "/docs", "type": "doc" })).await;
        let key = app.key_with(&person, 1, json!({ "name": SECRET })).await.id;
        Self {
            person,
            key,
            set,
            pattern,
            bookmark,
        }
    }
}

/// Records of curators.
struct Curated {
    set: String,
    pack: String,
    suggested_set: String,
    suggested_pack: String,
}

impl Curated {
    async fn new(app: &App, curator: &Person, owner: &Owner) -> Self {
        let make = async |path: &str, person: &Person, body: Value| {
            let made = app.post(path).jwt(&person.token).json(&body).send().await;
            assert!([200, 201].contains(&made.status), "{path}: {}", made.text());
            made.json()
        };
        let text = |value: &Value| value.as_str().expect("a UUID").to_owned();
        let set = make("/curated-sets/jwt", curator, json!({ "nameEn": "n", "measies": {} })).await;
        let pack = json!({ "design": "aaron", "nameEn": "n", "options": {} });
        let pack = make("/option-packs/jwt", curator, pack).await;
        let suggestion = json!({ "set": owner.set, "height": 166, "name": "n", "img": RED });
        let suggested_set = make("/curated-sets/suggest/jwt", &owner.person, suggestion).await;
        let suggestion = json!({ "design": "aaron", "options": { "a": 1 }, "notes": "n" });
        let suggested_pack = make("/option-packs/suggest/jwt", &owner.person, suggestion).await;
        Self {
            set: text(&set["curatedSet"]["uuid"]),
            pack: text(&pack["optionPack"]["uuid"]),
            suggested_set: text(&suggested_set["submission"]["id"]),
            suggested_pack: text(&suggested_pack["submission"]["id"]),
        }
    }
}

pub(super) struct World {
    admin: Person,
    curator: Person,
    owner: Owner,
    curated: Curated,
    callers: HashMap<Kind, Caller>,
    /// Number of accounts created so far, because each needs its own name.
    accounts: usize,
}

impl World {
    pub(super) async fn new(app: &App) -> Self {
        let admin = app.person_as("root", "admin").await;
        let curator = app.person_as("keeper", "curator").await;
        let owner = Owner::new(app, "owner").await;
        let curated = Curated::new(app, &curator, &owner).await;
        Self {
            admin,
            curator,
            owner,
            curated,
            callers: HashMap::new(),
            accounts: 0,
        }
    }

    pub(super) fn owner(&self) -> &Owner {
        &self.owner
    }

    /// The path of a route, with the ids of the owner's records.
    pub(super) fn path(&self, route: &Route) -> String {
        let (owner, curated) = (&self.owner, &self.curated);
        let id = match &route.path.split('/').collect::<Vec<_>>()[1..] {
            ["apikeys", ..] => &owner.key,
            ["patterns", ..] => &owner.pattern,
            ["bookmarks", ..] => &owner.bookmark,
            ["admin" | "users", ..] => &owner.person.uuid,
            ["curated-sets", "from", ..] | ["suggested-sets", ..] => &curated.suggested_set,
            ["curated-sets", ..] => &curated.set,
            ["option-packs", ..] => &curated.pack,
            ["suggested-packs", ..] => &curated.suggested_pack,
            ["images", ..] => "blog-a-day-out",
            _ => &owner.set,
        };
        let path = route
            .path
            .replace("{id}", id)
            .replace("{check}", "0123456789abcdef")
            .replace("{ehash}", "0123456789abcdef")
            .replace("{folder}", "css")
            .replace("{file}", "index.html")
            .replace("{provider}", "github")
            .replace("{name}", "aaron")
            .replace("{slug}", "a-day-out");
        if route.path.starts_with("/sets/lookup/") {
            format!("{path}?name={}", SECRET.replace(' ', "%20"))
        } else {
            path
        }
    }

    /// The caller of that kind, created at its first use.
    pub(super) async fn caller(&mut self, app: &App, kind: &Kind) -> Caller {
        if let Some(caller) = self.callers.get(kind) {
            return caller.clone();
        }
        self.accounts += 1;
        let unique = format!("caller-{}", self.accounts);
        let caller = Caller::of(app, *kind, &self.owner, &self.admin, &unique).await;
        self.callers.insert(*kind, caller.clone());
        caller
    }

    /// Replaces the records and the caller after a call that may have deleted them.
    pub(super) async fn note_success(&mut self, app: &App, route: &Route, kind: &Kind) {
        if route.path.starts_with("/consent/") {
            self.callers.remove(kind);
        }
        let ends = route.method == http::Method::DELETE
            || ["/rotate/", "/restrict/"].iter().any(|part| route.path.contains(part));
        if !ends {
            return;
        }
        self.callers.remove(kind);
        self.callers.retain(|kind, _| !kind.depends_on_owner());
        self.accounts += 1;
        self.owner = Owner::new(app, &format!("owner-{}", self.accounts)).await;
        self.curated = Curated::new(app, &self.curator, &self.owner).await;
    }
}
