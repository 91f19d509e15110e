//! Tests of the rules that every object store must follow. If a store violates one, the other tests prove nothing.

#![allow(clippy::unwrap_used, reason = "helpers of tests do not count as tests")]
#![expect(
    clippy::disallowed_methods,
    reason = "a test configures its child processes by environment variables"
)]

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, Barrier};

use crate::support::s3::S3Server;
use bespoke_storage::{
    DirectoryStore, ETag, FaultyStore, Fetched, MemoryStore, Object, ObjectStore, PutCondition, Rates, StoreError,
};
use bytes::Bytes;

/// Checks a rule with every store. A new store is a new line here.
async fn on_all<F: Future<Output = ()>>(rule: impl Fn(Arc<dyn ObjectStore>) -> F) {
    rule(Arc::new(MemoryStore::new())).await;
    rule(Arc::new(FaultyStore::new(MemoryStore::new(), 1, Rates::default()))).await;
    let folder = tempfile::tempdir().unwrap();
    rule(Arc::new(
        DirectoryStore::open(folder.path().join("deep/bucket")).unwrap(),
    ))
    .await;
    let server = S3Server::start();
    rule(Arc::new(server.store())).await;
}

fn body(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

async fn found(store: &dyn ObjectStore, key: &str) -> Object {
    match store.get(key, None).await.unwrap() {
        Fetched::Found(object) => object,
        other => panic!("{key}: {other:?}"),
    }
}

#[tokio::test]
async fn stored_object_is_returned() {
    on_all(|store| async move {
        assert!(matches!(store.get("a", None).await, Ok(Fetched::Missing)));
        let first = store.put("a", body("one"), PutCondition::None).await.unwrap();
        let object = found(&*store, "a").await;
        assert_eq!((&object.body, &object.etag), (&body("one"), &first));
        assert!(object.last_modified_ms <= object.date_ms);
        assert!(object.date_ms > 1_700_000_000_000);
        let second = store.put("a", body("two"), PutCondition::None).await.unwrap();
        assert_ne!(first, second, "other bytes have another ETag");
        store.put("empty", Bytes::new(), PutCondition::None).await.unwrap();
        assert_eq!(found(&*store, "empty").await.body, Bytes::new());
        let large: Bytes = vec![7; 3_000_000].into();
        store
            .put("folder/large", large.clone(), PutCondition::CreateOnly)
            .await
            .unwrap();
        assert_eq!(found(&*store, "folder/large").await.body, large);
    })
    .await;
}

#[tokio::test]
async fn unchanged_object_is_returned_without_body() {
    on_all(|store| async move {
        let etag = store.put("a", body("one"), PutCondition::None).await.unwrap();
        assert!(matches!(store.get("a", Some(&etag)).await, Ok(Fetched::NotModified { date_ms }) if date_ms > 0));
        let newer = store.put("a", body("two"), PutCondition::None).await.unwrap();
        let Ok(Fetched::Found(object)) = store.get("a", Some(&etag)).await else {
            panic!("the object has changed")
        };
        assert_eq!((object.body, object.etag), (body("two"), newer));
        let foreign = ETag::new("foreign");
        assert!(matches!(store.get("a", Some(&foreign)).await, Ok(Fetched::Found(_))));
        assert!(matches!(store.get("none", Some(&etag)).await, Ok(Fetched::Missing)));
    })
    .await;
}

#[tokio::test]
async fn conditional_put_checks_its_condition() {
    on_all(|store| async move {
        let refused = |result| assert_eq!(result, Err(StoreError::PreconditionFailed));
        let strange = || PutCondition::Match(ETag::new("0123456789abcdef"));
        refused(store.put("a", body("x"), strange()).await);
        assert!(matches!(store.get("a", None).await, Ok(Fetched::Missing)));
        let one = store.put("a", body("one"), PutCondition::CreateOnly).await.unwrap();
        refused(store.put("a", body("x"), PutCondition::CreateOnly).await);
        refused(store.put("a", body("x"), strange()).await);
        assert_eq!(found(&*store, "a").await.etag, one);
        let two = store
            .put("a", body("two"), PutCondition::Match(one.clone()))
            .await
            .unwrap();
        refused(store.put("a", body("x"), PutCondition::Match(one)).await);
        assert_eq!(found(&*store, "a").await.body, body("two"));
        store.delete("a").await.unwrap();
        store.delete("a").await.unwrap();
        refused(store.put("a", body("x"), PutCondition::Match(two)).await);
        store.put("a", body("three"), PutCondition::CreateOnly).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn range_ends_with_the_object() {
    on_all(|store| async move {
        store.put("a", body("0123456789"), PutCondition::None).await.unwrap();
        for (offset, length, expected) in [
            (0, 4, "0123"),
            (8, 4, "89"),
            (10, 4, ""),
            (99, 4, ""),
            (3, u64::MAX, "3456789"),
        ] {
            let Ok(Fetched::Found(part)) = store.get_range("a", offset, length).await else {
                panic!("the object exists")
            };
            assert_eq!(part.body, body(expected), "{offset} {length}");
        }
        assert!(matches!(store.get_range("none", 0, 1).await, Ok(Fetched::Missing)));
    })
    .await;
}

#[tokio::test]
async fn list_is_ordered_and_limited_to_a_prefix() {
    on_all(|store| async move {
        for key in ["head", "chunk/b", "chunk/a", "chunks", "table/a"] {
            store.put(key, body("four"), PutCondition::None).await.unwrap();
        }
        let keys = |prefix: &'static str| {
            let store = Arc::clone(&store);
            async move {
                store
                    .list(prefix)
                    .await
                    .unwrap()
                    .into_iter()
                    .map(|line| line.key)
                    .collect::<Vec<_>>()
            }
        };
        assert_eq!(keys("chunk/").await, ["chunk/a", "chunk/b"]);
        assert_eq!(keys("chunk").await, ["chunk/a", "chunk/b", "chunks"]);
        assert_eq!(keys("").await, ["chunk/a", "chunk/b", "chunks", "head", "table/a"]);
        assert_eq!(keys("nothing/").await, Vec::<String>::new());
        let lines = store.list("head").await.unwrap();
        assert_eq!(lines[0].bytes, 4);
        assert_eq!(lines[0].last_modified_ms, found(&*store, "head").await.last_modified_ms);
    })
    .await;
}

#[tokio::test]
async fn invalid_key_is_refused() {
    on_all(|store| async move {
        for key in [
            "",
            "/etc/passwd",
            "../a",
            "a/../b",
            "a//b",
            "a/",
            ".lock",
            "a/.put-x",
            "a\0b",
            "a b",
        ] {
            let put = store.put(key, body("x"), PutCondition::None).await;
            assert!(matches!(put, Err(StoreError::Refused(_))), "{key:?}: {put:?}");
            assert!(
                matches!(store.get(key, None).await, Err(StoreError::Refused(_))),
                "{key:?}"
            );
            assert!(
                matches!(store.delete(key).await, Err(StoreError::Refused(_))),
                "{key:?}"
            );
        }
    })
    .await;
}

/// Races `WRITERS` threads on one condition for many rounds: exactly one may win each round, and its body must stay.
/// All bodies differ, like those of `head`, because a store may compute the ETag from the body.
async fn race(store: Arc<dyn ObjectStore>, condition: impl Fn(u32, &Option<ETag>) -> (String, PutCondition)) {
    const WRITERS: usize = 6;
    const ROUNDS: u32 = 25;
    let mut last = None;
    for round in 0..ROUNDS {
        let (key, condition) = condition(round, &last);
        let barrier = Arc::new(Barrier::new(WRITERS));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (store, barrier) = (Arc::clone(&store), Arc::clone(&barrier));
                let (key, condition) = (key.clone(), condition.clone());
                let body = format!("{round} {writer}");
                std::thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()
                        .unwrap();
                    barrier.wait();
                    runtime.block_on(store.put(&key, body.into(), condition))
                })
            })
            .collect();
        let results: Vec<_> = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
        let winners: Vec<_> = (0..WRITERS).filter(|writer| results[*writer].is_ok()).collect();
        assert_eq!(winners.len(), 1, "round {round}: {results:?}");
        assert!(
            results.iter().flatten().count()
                + results
                    .iter()
                    .filter(|r| **r == Err(StoreError::PreconditionFailed))
                    .count()
                == WRITERS
        );
        let object = found(&*store, &key).await;
        assert_eq!(object.body, format!("{round} {}", winners[0]));
        last = Some(object.etag);
    }
}

#[tokio::test]
async fn concurrent_if_match_has_one_winner() {
    on_all(|store| {
        race(store, |_, last| {
            let condition = last.clone().map_or(PutCondition::CreateOnly, PutCondition::Match);
            ("head".to_owned(), condition)
        })
    })
    .await;
}

#[tokio::test]
async fn concurrent_create_has_one_winner() {
    on_all(|store| race(store, |round, _| (format!("new/{round}"), PutCondition::CreateOnly))).await;
}

#[tokio::test]
async fn directory_stores_share_their_folder() {
    let folder = tempfile::tempdir().unwrap();
    let one = DirectoryStore::open(folder.path()).unwrap();
    let two = DirectoryStore::open(folder.path()).unwrap();
    let etag = one.put("a/b", body("x"), PutCondition::CreateOnly).await.unwrap();
    assert_eq!(
        two.put("a/b", body("y"), PutCondition::CreateOnly).await,
        Err(StoreError::PreconditionFailed)
    );
    let newer = two
        .put("a/b", body("y"), PutCondition::Match(etag.clone()))
        .await
        .unwrap();
    assert!(matches!(one.get("a/b", Some(&etag)).await, Ok(Fetched::Found(_))));
    assert!(matches!(
        one.get("a/b", Some(&newer)).await,
        Ok(Fetched::NotModified { .. })
    ));
}

#[tokio::test]
async fn confirmation_without_request_agrees_with_get() {
    on_all(async |store| {
        let old = store.put("a/b", body("x"), PutCondition::None).await.unwrap();
        assert_eq!(store.is_still("a/b", &old), None, "there was no GET yet");
        let found = store.get("a/b", Some(&old)).await;
        let asked = matches!(found, Ok(Fetched::NotModified { .. }));
        let new = store.put("a/b", body("y"), PutCondition::None).await.unwrap();
        assert!(asked && store.is_still("a/b", &old).is_none() && store.is_still("a/b", &new).is_none());
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let [one, two] = [(), ()].map(|()| DirectoryStore::open(folder.path()).unwrap());
    let old = one.put("a/b", body("x"), PutCondition::None).await.unwrap();
    one.get("a/b", Some(&old)).await.unwrap();
    assert!(one.is_still("a/b", &old).is_some(), "the GET opened the object");
    two.put("a/b", body("y"), PutCondition::None).await.unwrap();
    assert_eq!(one.is_still("a/b", &old), None, "another store replaced it");
    let newest = two.put("a/b", body("z"), PutCondition::None).await.unwrap();
    two.get("a/b", Some(&newest)).await.unwrap();
    two.delete("a/b").await.unwrap();
    assert_eq!(two.is_still("a/b", &newest), None);
}

#[tokio::test]
async fn temporary_file_is_not_listed_and_truncated_object_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let store = DirectoryStore::open(folder.path()).unwrap();
    store.put("chunk/a", body("x"), PutCondition::None).await.unwrap();
    std::fs::write(folder.path().join("chunk/.put-0123"), "half").unwrap();
    assert_eq!(store.list("").await.unwrap().len(), 1);
    std::fs::write(folder.path().join("chunk/a"), "short").unwrap();
    assert!(matches!(store.get("chunk/a", None).await, Err(StoreError::Damaged(_))));
}

#[tokio::test]
async fn folder_with_the_name_of_an_object_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let store = DirectoryStore::open(folder.path()).unwrap();
    std::fs::create_dir_all(folder.path().join("chunk/a/below")).unwrap();
    let is_damaged = |result| matches!(result, Err(StoreError::Damaged(_)));
    assert!(is_damaged(store.get("chunk/a", None).await.map(drop)));
    assert!(is_damaged(store.get_range("chunk/a", 0, 1).await.map(drop)));
    let created = store.put("chunk/a", body("x"), PutCondition::CreateOnly).await;
    assert_eq!(created, Err(StoreError::PreconditionFailed));
    let matching = PutCondition::Match(ETag::new(vec![0; 16]));
    assert!(is_damaged(store.put("chunk/a", body("x"), matching).await.map(drop)));
    store.put("chunk/a", body("x"), PutCondition::None).await.unwrap();
    assert_eq!(found(&store, "chunk/a").await.body, body("x"));
    // The content of the folder is kept.
    let names = std::fs::read_dir(folder.path().join("chunk")).unwrap();
    let paths: Vec<_> = names.map(|entry| entry.unwrap().path()).collect();
    assert!(paths.iter().any(|path| path.join("below").is_dir()), "{paths:?}");
}

const RACERS: u64 = 4;
const INCREMENTS: u64 = 40;

/// Starts another process of this test binary, which runs only the test `name`.
fn start(name: &str, folder: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", &format!("conformance::{name}"), "--ignored", "--nocapture"])
        .env("STORE_FOLDER", folder)
        .spawn()
        .unwrap()
}

#[tokio::test]
#[ignore = "run by its parent, as another process"]
async fn racing_process() {
    let Some(folder) = std::env::var_os("STORE_FOLDER").map(PathBuf::from) else {
        return;
    };
    let store = DirectoryStore::open(folder).unwrap();
    for _ in 0..INCREMENTS {
        loop {
            let (count, condition) = match store.get("counter", None).await.unwrap() {
                Fetched::Found(object) => {
                    let count: u64 = std::str::from_utf8(&object.body).unwrap().parse().unwrap();
                    (count, PutCondition::Match(object.etag))
                }
                _ => (0, PutCondition::CreateOnly),
            };
            match store.put("counter", (count + 1).to_string().into(), condition).await {
                Ok(_) => break,
                Err(StoreError::PreconditionFailed) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[tokio::test]
async fn conditional_put_is_atomic_between_processes() {
    let folder = tempfile::tempdir().unwrap();
    let racers: Vec<_> = (0..RACERS).map(|_| start("racing_process", folder.path())).collect();
    for mut racer in racers {
        assert!(racer.wait().unwrap().success());
    }
    let store = DirectoryStore::open(folder.path()).unwrap();
    assert_eq!(found(&store, "counter").await.body, (RACERS * INCREMENTS).to_string());
}
