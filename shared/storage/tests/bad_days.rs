//! Tests of failures of the environment, such as a full disk or a wrong clock: each is an error that names the
//! remedy, never a wrong result, and causes no permanent damage.

#![allow(clippy::unwrap_used, reason = "helpers of tests do not count as tests")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::support::s3::{BUCKET, S3Server, settings};
use crate::support::{
    COUNTERS, LocalFolder, VirtualClock, add, add_in_transaction, count, directory, id, memory, open, total,
};
use bespoke_storage::{
    DirectoryStore, Engine, Error, Freshness, ObjectStore, Options, PutCondition, S3Store, StorageClock, StoreError,
    rusqlite,
};
use tracing::span::{self, Attributes, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Starts a server that always sends the same response.
fn server_with_response(answer: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let answer = answer.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 16_384];
            // The first bytes of the request suffice, and the client may have disconnected.
            let _ = stream.read(&mut request);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    endpoint
}

fn error_response(status: &str, headers: &str, code: &str) -> String {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>words of it</Message></Error>");
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nDate: Sat, 21 Nov 2026 05:00:00 GMT\r\nContent-Type: application/xml\r\nConnection: close\r\n\
         Content-Length: {length}\r\n{headers}\r\n{body}"
    )
}

#[tokio::test]
async fn rejected_request_names_the_remedy() {
    let local = LocalFolder::new();
    for (status, headers, code, advice) in [
        ("403 Forbidden", "", "AccessDenied", "allow s3:GetObject"),
        ("403 Forbidden", "", "InvalidAccessKeyId", "correct AWS_ACCESS_KEY_ID"),
        (
            "403 Forbidden",
            "",
            "SignatureDoesNotMatch",
            "correct AWS_ACCESS_KEY_ID",
        ),
        ("400 Bad Request", "", "ExpiredToken", "renew them"),
        (
            "403 Forbidden",
            "",
            "RequestTimeTooSkewed",
            "the clock of this machine is wrong",
        ),
        (
            "301 Moved",
            "x-amz-bucket-region: eu-west-3\r\n",
            "PermanentRedirect",
            "is in region eu-west-3: set AWS_REGION",
        ),
        ("400 Bad Request", "", "AuthorizationHeaderMalformed", "set AWS_REGION"),
        ("404 Not Found", "", "NoSuchBucket", "create it"),
        ("501 Not Implemented", "", "NotImplemented", "use another"),
        ("418 Teapot", "", "Short", "418 Short: words of it"),
    ] {
        let endpoint = server_with_response(&error_response(status, headers, code));
        let store = S3Store::open(settings(&endpoint)).unwrap();
        let put = store.put("head", "x".into(), PutCondition::CreateOnly).await;
        assert!(
            matches!(&put, Err(StoreError::Refused(text)) if text.contains(advice)),
            "{put:?}"
        );
        let error = Engine::open(Arc::new(store), local.options()).await.err().unwrap();
        let text = error.to_string();
        assert!(
            matches!(error, Error::Refused(_)) && text.contains(advice) && text.contains(code),
            "{text}"
        );
    }
}

#[tokio::test]
async fn inconclusive_response_differs_from_busy() {
    for (answer, is_busy) in [
        (error_response("503 Slow Down", "", "SlowDown"), true),
        (error_response("409 Conflict", "", "ConditionalRequestConflict"), true),
        (error_response("500 Internal Server Error", "", "InternalError"), false),
        (error_response("400 Bad Request", "", "RequestTimeout"), false),
        (String::new(), false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort".to_owned(), false),
    ] {
        let store = S3Store::open(settings(&server_with_response(&answer))).unwrap();
        if !answer.contains("200 OK") {
            let put = store.put("head", "x".into(), PutCondition::CreateOnly).await;
            let is_expected = match &put {
                Err(StoreError::Busy(_)) => is_busy,
                Err(StoreError::Unknown(_)) => !is_busy,
                _ => false,
            };
            assert!(is_expected, "{answer}: {put:?}");
        }
        let get = store.get("head", None).await;
        assert!(
            matches!(get, Err(StoreError::Busy(_) | StoreError::Unknown(_))),
            "{answer}: {get:?}"
        );
    }
}

/// Counts the errors in the log.
#[derive(Clone, Default)]
struct Errors(Arc<AtomicU32>);

impl Subscriber for Errors {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::ERROR
    }

    fn new_span(&self, _: &Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn busy_bucket_is_returned_and_not_logged() {
    let errors = Errors::default();
    let _logging = tracing::subscriber::set_default(errors.clone());
    let store = S3Store::open(settings(&server_with_response(&error_response(
        "503 Busy",
        "",
        "ServiceUnavailable",
    ))))
    .unwrap();
    assert!(matches!(store.get("head", None).await, Err(StoreError::Busy(_))));
    let put = store.put("head", "x".into(), PutCondition::CreateOnly).await;
    assert!(matches!(put, Err(StoreError::Busy(_))));
    assert_eq!(errors.0.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn condition_on_a_missing_object_fails() {
    let store = S3Store::open(settings(&server_with_response(&error_response(
        "404 Not Found",
        "",
        "NoSuchKey",
    ))))
    .unwrap();
    let put = store.put("head", "x".into(), PutCondition::CreateOnly).await;
    assert_eq!(put, Err(StoreError::PreconditionFailed));
}

#[tokio::test]
async fn missing_or_unreachable_bucket_is_named() {
    let server = S3Server::start();
    let mut elsewhere = settings(&server.endpoint);
    elsewhere.bucket = "another".to_owned();
    let local = LocalFolder::new();
    let store = S3Store::open(elsewhere).unwrap();
    let error = Engine::open(Arc::new(store), local.options())
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("there is no bucket another: create it"), "{error}");
    let store = Arc::new(server.store());
    drop(server);
    let get = store.get("head", None).await;
    assert!(
        matches!(&get, Err(StoreError::Unknown(text)) if text.contains("onnect")),
        "{get:?}"
    );
}

#[tokio::test]
async fn presigned_url_returns_the_object_until_it_expires() {
    let server = S3Server::start();
    let store = server.store();
    store
        .put("exports/a", "its content".into(), PutCondition::None)
        .await
        .unwrap();
    let url = store.presigned_get("exports/a", 60_000).await.unwrap().unwrap();
    let path = url.strip_prefix(&server.endpoint).unwrap();
    assert!(
        path.starts_with(&format!("/{BUCKET}/some/prefix/exports/a?")) && path.contains("X-Amz-Expires=60"),
        "{url}"
    );
    let mut stream = std::net::TcpStream::connect(server.endpoint.strip_prefix("http://").unwrap()).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("its content"), "{answer}");
    assert_eq!(memory().presigned_get("exports/a", 1).await.unwrap(), None);
}

#[tokio::test]
async fn removed_local_folder_is_created_again() {
    for store in [memory(), directory()] {
        let local = LocalFolder::new();
        let (engine, other) = (open(&store, &local).await, open(&store, &local).await);
        add(&engine, "a", 1).await.unwrap();
        std::fs::remove_dir_all(local.path()).unwrap();
        assert_eq!(total(&engine).await, 1);
        add(&engine, "a", 1).await.unwrap();
        add(&other, "a", 1).await.unwrap();
        assert_eq!((total(&engine).await, total(&other).await), (3, 3));
        std::fs::remove_dir_all(local.path()).unwrap();
        add(&engine, "a", 1).await.unwrap();
        assert_eq!((total(&other).await, total(&engine).await), (4, 4));
        // The folders are locked again, so the next start does not remove them.
        let third = open(&store, &local).await;
        assert_eq!(local.copies(), 3);
        add(&engine, "a", 1).await.unwrap();
        assert_eq!(total(&third).await, 5);
    }
}

#[tokio::test]
async fn removed_bucket_folder_is_an_error_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(DirectoryStore::open(folder.path().join("bucket")).unwrap());
    let local = LocalFolder::new();
    let engine = Engine::open(store, local.options()).await.unwrap();
    add(&engine, "a", 1).await.unwrap();
    std::fs::rename(folder.path().join("bucket"), folder.path().join("elsewhere")).unwrap();
    let text = add(&engine, "a", 1).await.unwrap_err().to_string();
    assert!(text.contains("`head` is missing: put back"), "{text}");
    let text = engine
        .read(Freshness::Strict, |c| count(c, "a"))
        .await
        .unwrap_err()
        .to_string();
    assert!(text.contains("`head` is missing: put back"), "{text}");
    std::fs::rename(folder.path().join("elsewhere"), folder.path().join("bucket")).unwrap();
    add(&engine, "a", 1).await.unwrap();
    assert_eq!(total(&engine).await, 2);
}

#[tokio::test]
async fn wrong_clock_loses_and_duplicates_no_write() {
    const YEARS_MS: u64 = 10 * 365 * 24 * 60 * 60 * 1_000;
    let (folder, local, clock) = (tempfile::tempdir().unwrap(), LocalFolder::new(), VirtualClock::new());
    let random = Arc::new(bespoke_storage::random::SystemStorageRandom);
    let shared = Arc::clone(&clock) as Arc<dyn StorageClock>;
    let store: Arc<dyn ObjectStore> =
        Arc::new(DirectoryStore::open_with(folder.path().join("bucket"), shared, random).unwrap());
    let once = |engine: Engine| async move {
        let write = engine.write::<i64, Error>(id("once"), |c| Ok(add_in_transaction(c, "once", 1)?));
        write.await.unwrap().replayed
    };
    let engine = Engine::open(Arc::clone(&store), Options::new(local.path(), COUNTERS))
        .await
        .unwrap();
    add(&engine, "a", 1).await.unwrap();
    // A writer uses the store's time of its last revalidation, so it has to revalidate after each jump.
    clock.advance(YEARS_MS);
    assert_eq!(total(&engine).await, 1);
    assert!(!once(engine.clone()).await);
    assert!(once(engine.clone()).await);
    engine.collect_garbage().await.unwrap();
    engine.compact(bespoke_storage::Compact::Always).await.unwrap();
    clock.turn_back(YEARS_MS);
    assert_eq!(total(&engine).await, 2);
    for _ in 0..3 {
        add(&engine, "a", 1).await.unwrap();
    }
    engine.collect_garbage().await.unwrap();
    engine.compact(bespoke_storage::Compact::Always).await.unwrap();
    assert_eq!(total(&open(&store, &local).await).await, 5);
    let sql = "SELECT count(*) FROM _commits WHERE id = 'once'";
    let left = engine.read::<i64, Error>(Freshness::Strict, |c| Ok(c.query_row(sql, [], |row| row.get(0))?));
    assert_eq!(left.await.unwrap().value, 0, "a row from the future is purged");
}

/// A write that exceeds the limit of the process.
fn too_much(c: &rusqlite::Connection) -> Result<(), Error> {
    c.execute_batch("CREATE TABLE much (x); INSERT INTO much VALUES (randomblob(9000000))")?;
    Ok(())
}

#[tokio::test]
#[ignore = "run by its parent, as another process with small files"]
async fn process_with_a_file_size_limit() {
    let folder = tempfile::tempdir().unwrap();
    let stores: [Arc<dyn ObjectStore>; 2] = [
        memory(),
        Arc::new(DirectoryStore::open(folder.path().join("bucket")).unwrap()),
    ];
    for store in stores {
        let local = LocalFolder::new();
        // Without a deadline in the near future, the test would not end.
        let options = Options {
            write_deadline_ms: u64::MAX / 2_000,
            ..local.options()
        };
        let engine = Engine::open(Arc::clone(&store), options).await.unwrap();
        add(&engine, "a", 1).await.unwrap();
        for n in 0..3 {
            let full = engine.write(id(&format!("full {n}")), too_much).await.unwrap_err();
            assert!(
                matches!(&full, Error::Local(_)) && full.to_string().contains("disk full"),
                "{full}"
            );
            add(&engine, "a", 1).await.unwrap();
        }
        assert_eq!((total(&engine).await, total(&open(&store, &local).await).await), (4, 4));
    }
    let store = DirectoryStore::open(folder.path().join("bucket")).unwrap();
    let put = store
        .put("chunk/a", vec![0; 9_000_000].into(), PutCondition::CreateOnly)
        .await;
    assert!(
        matches!(&put, Err(StoreError::Refused(text)) if text.contains("make room")),
        "{put:?}"
    );
    assert_eq!(store.list("chunk/").await.unwrap(), []);
}

#[test]
fn full_disk_is_an_error_at_once_and_loses_no_write() {
    let limited =
        "trap '' XFSZ; ulimit -f 4096; exec \"$0\" --exact bad_days::process_with_a_file_size_limit --ignored";
    let ended = Command::new("sh")
        .arg("-c")
        .arg(limited)
        .arg(std::env::current_exe().unwrap())
        .output()
        .unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
}
