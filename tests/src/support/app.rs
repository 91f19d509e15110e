//! The complete API in one process, on a bucket in memory, with a clock that the test sets.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bespoke_core::{Clock, Grant, KeySecret, Random, Timestamp, TokenAccount};
use bespoke_storage::{MemoryStore, ObjectStore};
use bespoke_web::config::Environment;
use bespoke_web::{Config, Context, Dependencies, Gateway, Overrides, Peer, Routes, StartError, SystemRandom};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{description, secrets};

/// The start of the test clock: 2026-01-01T00:00:00Z.
const START: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// The passphrase of all test installations.
pub const ENC_KEY: &str = "a passphrase for tests, and for nothing else";

/// The settings of all test installations: test mode, and cheap password hashes.
const SETTINGS: &[(&str, &str)] = &[
    ("BACKEND_ENC_KEY", ENC_KEY),
    ("BACKEND_ENABLE_TESTS", "yes"),
    ("BACKEND_PASSWORD_MEMORY_KIB", "8"),
    ("BACKEND_PASSWORD_ITERATIONS", "1"),
];

/// A clock that stands still until it is moved.
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// Moves the clock by milliseconds; a negative number moves it back.
    pub fn advance_ms(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// The random source of the system. It counts its calls: the encryption of a field makes one, so a test can tell how many fields were
/// encrypted.
#[derive(Default)]
pub struct CountedRandom(AtomicU64);

impl Random for CountedRandom {
    fn fill(&self, buffer: &mut [u8]) {
        self.0.fetch_add(1, Ordering::Relaxed);
        SystemRandom.fill(buffer);
    }
}

/// The routes of all functions.
pub fn functions() -> Vec<Routes> {
    all::routers()
}

/// One process that serves the complete API.
pub struct App {
    /// Its clock.
    pub clock: Arc<ManualClock>,
    random: Arc<CountedRandom>,
    gateway: Arc<Gateway>,
    bucket: MemoryStore,
    folder: TempDir,
}

impl App {
    /// A new installation.
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    /// A new installation with these settings in addition to those of all tests.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        Self::on(MemoryStore::new(), settings).await
    }

    /// A process on a bucket that others may use too.
    ///
    /// # Panics
    /// If it cannot start.
    pub async fn on(bucket: MemoryStore, settings: &[(&str, &str)]) -> Self {
        Self::try_on(bucket, settings).await.expect("the bucket opens")
    }

    /// Like [`Self::on`], for processes that may fail to start.
    ///
    /// # Errors
    /// Why it cannot start.
    pub async fn try_on(bucket: MemoryStore, settings: &[(&str, &str)]) -> Result<Self, StartError> {
        let store = Arc::new(bucket.clone());
        Self::over(store, bucket, settings).await
    }

    /// Like [`Self::try_on`], but this process accesses the bucket through `store`, which for example injects errors. `bucket` is for
    /// [`Self::another`].
    ///
    /// # Errors
    /// Why it cannot start.
    pub async fn over(
        store: Arc<dyn ObjectStore>,
        bucket: MemoryStore,
        settings: &[(&str, &str)],
    ) -> Result<Self, StartError> {
        let folder = tempfile::tempdir().expect("a folder");
        let overrides = Overrides {
            data_dir: Some(folder.path().into()),
            ..Overrides::default()
        };
        secrets::watch();
        let all = SETTINGS
            .iter()
            .chain(settings)
            .inspect(|(name, value)| secrets::plant_setting(name, value))
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let config = Config::load(Environment::of(all, overrides), &SystemRandom).expect("valid settings");
        let clock = Arc::new(ManualClock(AtomicI64::new(START.as_millis())));
        let mailer = bespoke_mail::mailer(&config.mail, None).expect("valid settings");
        let random = Arc::new(CountedRandom::default());
        let dependencies = Dependencies {
            clock: clock.clone(),
            random: random.clone(),
            mailer: Some(mailer),
            store: Some(store),
        };
        let context = Context::open(config, dependencies).await?;
        Ok(Self {
            clock,
            random,
            gateway: Arc::new(Gateway::new(context, functions())),
            bucket,
            folder,
        })
    }

    /// The same process, with additional routes of a test.
    #[must_use]
    pub fn beside(mut self, routes: Routes) -> Self {
        let all = functions().into_iter().chain([routes]);
        self.gateway = Arc::new(Gateway::new(self.context().clone(), all));
        self
    }

    /// The number of random values that the process has taken.
    pub fn random_values(&self) -> u64 {
        self.random.0.load(Ordering::Relaxed)
    }

    /// The gateway, for requests that are built by hand.
    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// Another process on the same bucket, with the settings of all tests.
    pub async fn another(&self) -> Self {
        self.another_with(&[]).await
    }

    /// Another process with these settings in addition.
    pub async fn another_with(&self, settings: &[(&str, &str)]) -> Self {
        Self::on(self.bucket.clone(), settings).await
    }

    /// The context, for access to stored data.
    pub fn context(&self) -> &Context {
        self.gateway.context()
    }

    /// The mails in the outbox folder, oldest first.
    pub fn mails(&self) -> Vec<String> {
        let Ok(files) = std::fs::read_dir(self.outbox()) else {
            return Vec::new();
        };
        let mut files: Vec<_> = files
            .map(|file| {
                file.and_then(|file| Ok((file.metadata()?.modified()?, file.path())))
                    .expect("a readable folder")
            })
            .collect();
        files.sort();
        files
            .iter()
            .map(|(_, path)| readable(std::fs::read_to_string(path).expect("a readable mail")))
            .collect()
    }

    /// Makes the delivery of mails fail from now on.
    pub fn block_mail(&self) {
        let _ = std::fs::remove_dir_all(self.outbox());
        std::fs::write(self.outbox(), "no folder").expect("a writable folder");
    }

    /// Makes the delivery of mails work again.
    pub fn unblock_mail(&self) {
        std::fs::remove_file(self.outbox()).expect("mails were blocked");
    }

    fn outbox(&self) -> PathBuf {
        self.folder.path().join("outbox")
    }

    /// The confirmation and the check in the link of the newest mail.
    pub fn newest_link(&self) -> (String, String) {
        let mail = self.mails().pop().expect("a mail");
        let query = mail.split_once("?id=").expect("a link").1;
        let (id, rest) = query.split_once("&check=").expect("a check");
        let check = rest.split(['&', '\r', '\n']).next().unwrap_or_default();
        secrets::plant(id);
        secrets::plant(check);
        (id.to_owned(), check.to_owned())
    }

    /// A request with that method and path.
    pub fn request(&self, method: &str, path: &str) -> Request<'_> {
        Request {
            app: self,
            builder: http::Request::builder().method(method).uri(path),
            body: Vec::new(),
        }
    }

    /// A GET request.
    pub fn get(&self, path: &str) -> Request<'_> {
        self.request("GET", path)
    }

    /// A POST request.
    pub fn post(&self, path: &str) -> Request<'_> {
        self.request("POST", path)
    }

    /// A PATCH request.
    pub fn patch(&self, path: &str) -> Request<'_> {
        self.request("PATCH", path)
    }

    /// A DELETE request.
    pub fn delete(&self, path: &str) -> Request<'_> {
        self.request("DELETE", path)
    }

    /// An account with the role `user`, signed up and confirmed over HTTP, with an API key of level 4.
    pub async fn person(&self, name: &str) -> Person {
        self.person_as(name, "user").await
    }

    /// An account with a role, whose API key has level 4, or that of the role if it is lower.
    pub async fn person_as(&self, name: &str, role: &str) -> Person {
        let email = format!("{name}@freesewing.dev");
        let body = json!({ "email": email, "language": "en", "test": true, "role": role });
        let signup = self.post("/signup").json(&body).send().await.expect_status(201);
        let confirm = format!(
            "/confirm/signup/{}",
            signup["confirmation"].as_str().expect("test mode")
        );
        let confirmed = self
            .post(&confirm)
            .json(&json!({ "consent": 2 }))
            .send()
            .await
            .expect_status(200);
        let mut person = Person {
            id: confirmed["account"]["id"].as_i64().expect("an id"),
            uuid: confirmed["account"]["uuid"].as_str().expect("a UUID").to_owned(),
            email,
            token: confirmed["token"].as_str().expect("a token").to_owned(),
            key: Key::default(),
        };
        person.key = self.key(&person, 4.min(level_of_role(role))).await;
        person
    }

    /// A token for an account, issued at that time.
    pub fn token_from(&self, person: &Person, issued: Timestamp) -> String {
        let account = TokenAccount {
            id: person.id,
            uuid: person.uuid.parse().expect("a UUID"),
            username: "somebody",
            role: "user",
            status: 1,
            tokens_from: issued,
        };
        self.context().tokens().issue(account, Grant::SignIn, issued)
    }

    /// A token with which `helper` acts as another account.
    pub async fn impersonate(&self, helper: &Person, whom: &Person) -> String {
        let path = format!("/admin/impersonate/{}/jwt", whom.uuid);
        let acting = self.get(&path).jwt(&helper.token).send().await.expect_status(200);
        acting["token"].as_str().expect("a token").to_owned()
    }

    /// Changes fields of the caller's own account.
    pub async fn change_account(&self, person: &Person, fields: &Value) {
        let change = self.patch("/account/jwt").jwt(&person.token).json(fields);
        change.send().await.expect_status(200);
    }

    /// Changes fields of an account as an administrator.
    pub async fn change_user(&self, admin: &Person, person: &Person, fields: &Value) {
        let change = self.patch(&format!("/admin/user/{}/jwt", person.id)).jwt(&admin.token);
        change.json(fields).send().await.expect_status(200);
    }

    /// The entries of the audit, newest first.
    pub async fn audit(&self, admin: &Person) -> Vec<Value> {
        let list = self.get("/admin/audit/jwt").jwt(&admin.token).send().await;
        list.expect_status(200)["audit"].as_array().expect("a list").clone()
    }

    /// A new key of an account, created over HTTP, that expires after a day.
    pub async fn key(&self, person: &Person, level: u8) -> Key {
        self.key_with(person, level, json!({})).await
    }

    /// A new key with additional fields.
    pub async fn key_with(&self, person: &Person, level: u8, more: Value) -> Key {
        let mut body = json!({ "name": "test", "level": level, "expiresIn": 86_400 });
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let made = self.post("/apikeys/jwt").jwt(&person.token).json(&body).send().await;
        if made.status != 201 {
            // Roles below level 4 cannot create keys.
            return Key::default();
        }
        let made = made.expect_status(201);
        let text = |field: &str| made["apikey"][field].as_str().expect("a text").to_owned();
        Key {
            id: text("key"),
            secret: text("secret"),
        }
    }
}

impl Drop for App {
    /// A test that succeeds has logged no secret.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            secrets::check();
        }
    }
}

/// The decoded mail. Both of its parts are encoded, or none is.
fn readable(mail: String) -> String {
    if mail.contains("Content-Transfer-Encoding: quoted-printable") {
        let decoded = quoted_printable::decode(&mail, quoted_printable::ParseMode::Robust).expect("a mail");
        String::from_utf8(decoded).expect("a text")
    } else {
        mail
    }
}

fn level_of_role(role: &str) -> u8 {
    bespoke_core::Role::from_name(role).level().number()
}

/// An account.
pub struct Person {
    /// Integer id.
    pub id: i64,
    /// UUID.
    pub uuid: String,
    /// Address.
    pub email: String,
    /// A valid token.
    pub token: String,
    /// A key of level 4, or of the level of the role if it is lower.
    pub key: Key,
}

/// An API key.
#[derive(Clone, Default)]
pub struct Key {
    /// UUID.
    pub id: String,
    /// Secret.
    pub secret: String,
}

impl Key {
    /// A well-formed key that does not exist.
    pub fn unknown() -> Self {
        Self {
            id: (&SystemRandom as &dyn Random).uuid().to_string(),
            secret: KeySecret::generate(&SystemRandom).expose().to_owned(),
        }
    }

    /// The value of the `Authorization` header.
    pub fn authorization(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.id, self.secret)))
    }
}

/// A request under construction.
#[must_use]
pub struct Request<'a> {
    app: &'a App,
    builder: http::request::Builder,
    body: Vec<u8>,
}

impl Request<'_> {
    /// Adds a token.
    pub fn jwt(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Adds an API key.
    pub fn key(self, key: &Key) -> Self {
        self.header("authorization", &key.authorization())
    }

    /// Adds the credential of an account that a path with this last segment requires: a token for `jwt`, an API key for `key`.
    pub fn auth(self, person: &Person, last_segment: &str) -> Self {
        match last_segment {
            "jwt" => self.jwt(&person.token),
            _ => self.key(&person.key),
        }
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if name.eq_ignore_ascii_case("authorization") {
            secrets::plant_credentials(value);
        }
        self.builder = self.builder.header(name, value);
        self
    }

    /// Sets the address of the client.
    pub fn from_ip(mut self, address: &str) -> Self {
        let peer = Peer(address.parse().expect("an address"));
        self.builder = self.builder.extension(peer);
        self
    }

    /// Adds a JSON body.
    pub fn json(self, body: &Value) -> Self {
        secrets::plant_sent(body);
        self.body("application/json", body.to_string())
    }

    /// Adds any body.
    pub fn body(self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut request = self.header("content-type", content_type);
        request.body = body.into();
        request
    }

    /// Sends the request, and waits until its mails are delivered.
    pub async fn send(self) -> Answer {
        let request = self.builder.body(self.body.into()).expect("a valid request");
        let route = self.app.gateway.route_of(request.method(), request.uri());
        let method = request.method().clone();
        let response = self.app.gateway.handle(request).await;
        self.app.context().finish_mail().await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a complete body").to_bytes();
        let answer = Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: body.into(),
        };
        // HEAD is not described: it gets the route of GET.
        if let Some(route) = route.filter(|route| route.method == method) {
            description::check(&route, &answer);
        }
        if let Some(body) = json_of(&answer.body) {
            secrets::plant_answered(&body);
        }
        answer
    }
}

/// Parses a body. `str::parse` is not generic here, so it is compiled as a part of `serde_json`, which is optimized in development. The generic
/// `serde_json::from_slice` would be compiled in this crate, which is not.
fn json_of(body: &[u8]) -> Option<Value> {
    std::str::from_utf8(body).ok()?.parse().ok()
}

/// A response.
#[derive(Debug)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Headers.
    pub headers: http::HeaderMap,
    /// Body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("a text")
    }

    /// The body as JSON; null if it is empty.
    pub fn json(&self) -> Value {
        if self.body.is_empty() {
            Value::Null
        } else {
            json_of(&self.body).expect("a JSON body")
        }
    }

    /// A header, empty if it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("a text"))
    }

    /// The body, after checking the status.
    ///
    /// # Panics
    /// If the status differs.
    #[track_caller]
    pub fn expect_status(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        if self.header("content-type").starts_with("application/json") {
            self.json()
        } else {
            Value::Null
        }
    }

    /// Checks that this is an error in the envelope.
    ///
    /// # Panics
    /// If it is anything else.
    #[track_caller]
    pub fn expect_error(self, status: u16, code: &str) {
        assert_eq!(
            self.header("content-type"),
            "application/json; charset=utf-8",
            "{}",
            self.text()
        );
        let mut body = self.json();
        // Some errors also name the invalid field.
        if let Some(fields) = body.as_object_mut()
            && let Some(field) = fields.remove("field")
        {
            assert!(field.is_string() && fields.remove("reason").is_some_and(|reason| reason.is_string()));
        }
        assert_eq!(
            (self.status, body),
            (status, json!({ "result": "error", "error": code }))
        );
    }

    /// Checks that this is 400 with an error code, the path of the invalid field, and the reason.
    ///
    /// # Panics
    /// If it is another response.
    #[track_caller]
    pub fn expect_invalid(self, code: &str, field: &str, reason: &str) {
        assert_eq!(
            (self.status, self.json()),
            (
                400,
                json!({ "result": "error", "error": code, "field": field, "reason": reason })
            )
        );
    }

    /// Checks that this is the 404 of a missing record: no body, no Content-Type.
    ///
    /// # Panics
    /// If it is anything else.
    #[track_caller]
    pub fn expect_missing(self) {
        assert_eq!(
            (self.status, self.header("content-type"), self.text().as_str()),
            (404, "", "")
        );
    }
}
