//! No body, path, query or header causes a response of 500 or more, or ends the process, on any route. A generator with a fixed
//! seed derives the requests from the table of routes and the description; each response is compared with the description
//! as well.

use bespoke_tests::support::picture::RED;
use bespoke_tests::support::{Answer, App, Key, Person, functions, secrets};
use bespoke_web::openapi::document;
use bespoke_web::{Route, Scheme};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

/// Requests that one installation receives before the next one takes over, because some of them do harm.
const ROUND: usize = 250;
/// Requests of one test; there are four tests.
const REQUESTS: usize = 2_500;

/// Values for the variable parts of a path, percent-encoded where necessary.
const IDS: [&str; 18] = [
    "1",
    "2",
    "3",
    "0",
    "-1",
    "99999999999999999999",
    "12abc",
    "1.5",
    "%20",
    "%00",
    "%ff",
    "%",
    "..",
    "%2e%2e%2f",
    "jwt",
    "6f9619ff-8b86-4011-b42d-00c04fc964ff",
    "%F0%9F%90%80",
    "default-avatar",
];
const QUERIES: [&str; 12] = [
    "",
    "",
    "",
    "",
    "?limit=2",
    "?limit=0",
    "?limit=99999999999",
    "?after=1&limit=1",
    "?after=x",
    "?after=-1&after=2",
    "?expires=9999999999999&signature=x",
    "?%ff&&=%",
];
const NAMES: [&str; 12] = [
    "content-type",
    "content-encoding",
    "content-length",
    "if-none-match",
    "if-match",
    "origin",
    "x-request-id",
    "idempotency-key",
    "db-seq",
    "accept",
    "access-control-request-headers",
    "x-forwarded-for",
];

struct Hostile {
    runner: TestRunner,
    routes: Vec<(Route, Vec<String>)>,
}

/// The routes, and the described fields of their bodies.
fn routes() -> Vec<(Route, Vec<String>)> {
    let functions = functions();
    let description = document(&functions);
    let fields = |route: &Route| {
        let method = route.method.as_str().to_ascii_lowercase();
        let body = &description["paths"][&route.described_path][&method]["requestBody"];
        let schema = &body["content"]["application/json"]["schema"];
        let schema = match schema["$ref"].as_str() {
            Some(name) => description.pointer(name.trim_start_matches('#')).expect("a schema"),
            None => schema,
        };
        let names = schema["properties"].as_object();
        names.map(|names| names.keys().cloned().collect()).unwrap_or_default()
    };
    let all = functions
        .iter()
        .flat_map(|routes| routes.iter().cloned().collect::<Vec<_>>());
    all.map(|route| (fields(&route), route))
        .map(|(fields, route)| (route, fields))
        .collect()
}

/// Any JSON value, including values with a meaning for some route.
fn value() -> impl Strategy<Value = Value> {
    let meaningful = prop::sample::select(vec![
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(1),
        json!(-1),
        json!(3),
        json!(1.5),
        json!(1e300),
        json!(-0.0),
        json!(u64::MAX),
        json!(""),
        json!("en"),
        json!("jane@freesewing.dev"),
        json!("1"),
        json!("aaron"),
        json!("doc"),
        json!("/x"),
        json!(RED),
        json!("data:image/png;base64,AAAA"),
        json!("6f9619ff-8b86-4011-b42d-00c04fc964ff"),
        json!("curator"),
        json!({}),
        json!([]),
        json!({ "chest": 930, "neck": null, "measurements": { "waist": "x" } }),
        json!(["sets:read"]),
        json!("\u{0}\u{feff}\u{1f980}"),
        json!("x".repeat(2000)),
    ]);
    let any = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from)
    ];
    let leaf = prop_oneof![3 => meaningful, 1 => any];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map("[a-zA-Z]{0,12}", inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

impl Hostile {
    fn new(seed: u8) -> Self {
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
        Self {
            runner: TestRunner::new_with_rng(Config::default(), rng),
            routes: routes(),
        }
    }

    fn any<T: std::fmt::Debug>(&mut self, strategy: impl Strategy<Value = T>) -> T {
        strategy.new_tree(&mut self.runner).expect("a value").current()
    }

    fn below(&mut self, bound: usize) -> usize {
        self.any(0..bound)
    }

    /// A path of the route: with ids of all kinds, sometimes in other letter case or with a slash.
    fn path(&mut self, route: &Route, known: &[String]) -> String {
        let mut path = String::new();
        let mut rest = route.path.as_str();
        while let Some((fixed, behind)) = rest.split_once('{') {
            path.push_str(fixed);
            let id = match self.below(3) {
                0 => IDS[self.below(IDS.len())].to_owned(),
                1 if self.below(20) == 0 => "x".repeat(3000),
                _ => known[self.below(known.len())].clone(),
            };
            path.push_str(&id);
            rest = behind.split_once('}').map_or("", |(_, behind)| behind);
        }
        path.push_str(rest);
        if self.below(20) == 0 {
            path = path.to_uppercase();
        }
        if self.below(20) == 0 {
            path.push('/');
        }
        path.push_str(QUERIES[self.below(QUERIES.len())]);
        path
    }

    /// A body: usually an object with fields of the route.
    fn body(&mut self, fields: &[String]) -> Vec<u8> {
        match self.below(12) {
            0 => Vec::new(),
            1 => self.any(prop::collection::vec(any::<u8>(), 0..64)),
            2 => self.any(value()).to_string().into(),
            _ => {
                let mut body = serde_json::Map::new();
                for field in fields {
                    if self.below(4) > 0 {
                        body.insert(field.clone(), self.any(value()));
                    }
                }
                let other = self.any("[a-zA-Z]{1,10}");
                body.insert(other, self.any(value()));
                Value::Object(body).to_string().into()
            }
        }
    }

    async fn send(&mut self, app: &App, people: &[(Person, Key)], known: &[String]) -> (String, Answer) {
        let index = self.below(self.routes.len());
        let (route, fields) = self.routes[index].clone();
        let path = self.path(&route, known);
        let mut request = app.request(route.method.as_str(), &path);
        let content_type = match self.below(10) {
            0 => "text/plain",
            1 => "application/json; charset=latin1",
            _ => "application/json",
        };
        let body = self.body(&fields);
        request = request.body(content_type, body);
        let (person, key) = &people[self.below(people.len())];
        request = match (route.scheme, self.below(12)) {
            (_, 0) => request,
            (_, 1) => request.header("authorization", &self.any("(Bearer|Basic|Bearer:)? ?[!-~]{0,40}")),
            (Some(Scheme::Jwt), _) => request.jwt(&person.token),
            (Some(Scheme::Key), _) => request.key(key),
            (None, _) => request,
        };
        if self.below(4) == 0 {
            // Headers that a client could send, such as a second Content-Type or a second length of the body.
            let name = NAMES[self.below(NAMES.len())];
            let value = self.any("(gzip|W/\"x\"|\\*|1-1|https://a\\.b|[!-~]{0,30})");
            request = request.header(name, &value);
        }
        let what = format!("{} {path}", route.method);
        (what, request.send().await)
    }
}

/// Accounts of each kind, with a key of their highest level, and ids of their records.
async fn installation() -> (App, Vec<(Person, Key)>, Vec<String>) {
    let app = App::with(&[("BACKEND_RATE_LIMITS", "off")]).await;
    let (mut people, mut known) = (Vec::new(), Vec::new());
    for (name, role, level) in [
        ("jane", "user", 4),
        ("curator", "curator", 5),
        ("help", "support", 8),
        ("root", "admin", 9),
        ("second", "admin", 9),
    ] {
        let person = app.person_as(name, role).await;
        let key = app.key(&person, level).await;
        for (kind, body) in [
            ("set", json!({ "name": "s", "measies": { "chest": 930 }, "img": RED })),
            ("pattern", json!({ "design": "aaron", "settings": {}, "public": true })),
            ("bookmark", json!({ "title": "t", "url": "/x", "type": "doc" })),
        ] {
            let made = app
                .post(&format!("/{kind}s/jwt"))
                .jwt(&person.token)
                .json(&body)
                .send()
                .await
                .expect_status(201);
            known.push(made[kind]["uuid"].as_str().expect("a UUID").to_owned());
            known.push(made[kind]["id"].to_string());
        }
        known.push(person.uuid.clone());
        known.push(key.id.clone());
        people.push((person, key));
    }
    let body = json!({ "set": 1, "height": 1, "name": "n", "img": RED });
    let suggested = app
        .post("/curated-sets/suggest/jwt")
        .jwt(&people[0].0.token)
        .json(&body)
        .send()
        .await;
    known.push(
        suggested.expect_status(200)["submission"]["id"]
            .as_str()
            .expect("a UUID")
            .to_owned(),
    );
    known.push("set-1".to_owned());
    (app, people, known)
}

async fn attack(seed: u8) {
    let mut hostile = Hostile::new(seed);
    let mut by_class = [0; 6];
    for _ in 0..REQUESTS / ROUND {
        let (app, people, known) = installation().await;
        for _ in 0..ROUND {
            let (what, answer) = hostile.send(&app, &people, &known).await;
            assert!(answer.status < 500, "{what}: {} {}", answer.status, answer.text());
            by_class[usize::from(answer.status / 100)] += 1;
        }
        app.get("/readyz").send().await.expect_status(200);
        drop(app);
        secrets::forget();
    }
    // Attacks that are all refused would prove little.
    assert!(
        by_class[2] > REQUESTS / 10 && by_class[4] > REQUESTS / 10,
        "{by_class:?}"
    );
}

#[tokio::test]
async fn first_2500_requests_cause_no_server_error() {
    attack(1).await;
}

#[tokio::test]
async fn second_2500_requests_cause_no_server_error() {
    attack(2).await;
}

#[tokio::test]
async fn third_2500_requests_cause_no_server_error() {
    attack(3).await;
}

#[tokio::test]
async fn fourth_2500_requests_cause_no_server_error() {
    attack(4).await;
}
