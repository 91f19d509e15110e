//! Eight processes write at once, and one after the other is killed: what was acknowledged is there, once.

#![allow(clippy::unwrap_used, reason = "helpers of tests count as no test themselves")]
#![expect(
    clippy::disallowed_methods,
    reason = "a process that a test starts is told by the environment what to do"
)]

mod support;

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use bespoke_storage::{DirectoryStore, Engine, Error, Freshness, ObjectStore, Options, S3Store};
use support::s3::{S3Server, settings};
use support::{COUNTERS, add};

const PROCESSES: usize = 8;
/// Acknowledgements between two kills.
const KILL_EVERY: usize = 12;
const KILLS: usize = 6;

/// The store that a process is told to write to: a folder, or the address of a server.
async fn store_at(place: &str) -> Arc<dyn ObjectStore> {
    if place.starts_with("http://") {
        Arc::new(S3Store::open(settings(place)).unwrap())
    } else {
        Arc::new(DirectoryStore::open(place).unwrap())
    }
}

#[tokio::test]
#[ignore = "run by its parent, as another process"]
async fn one_of_the_crowd() {
    let Ok(place) = std::env::var("STORE_PLACE") else {
        return;
    };
    let copies = std::env::var_os("COPIES").unwrap();
    let engine = Engine::open(store_at(&place).await, Options::new(copies, COUNTERS))
        .await
        .unwrap();
    for n in 0.. {
        let row = format!("{} {n}", std::process::id());
        add(&engine, &row, 1).await.unwrap();
        println!("\nacknowledged {row}");
    }
}

/// Starts one more; what it says goes to `heard`, with its number.
fn start(number: usize, place: &str, copies: &Path, heard: &Sender<(usize, String)>) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "one_of_the_crowd", "--ignored", "--nocapture"])
        .env("STORE_PLACE", place)
        .env("COPIES", copies)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (lines, heard) = (BufReader::new(child.stdout.take().unwrap()).lines(), heard.clone());
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if let Some(row) = line.strip_prefix("acknowledged ") {
                heard.send((number, row.to_owned())).unwrap();
            }
        }
    });
    child
}

/// Has a crowd write, kills some, and returns every row that was acknowledged.
fn acknowledged(place: &str, copies: &Path) -> Vec<String> {
    let (sender, heard): (_, Receiver<(usize, String)>) = channel();
    let mut crowd: Vec<_> = (0..PROCESSES)
        .map(|number| start(number, place, copies, &sender))
        .collect();
    let mut rows = Vec::new();
    for _ in 0..KILLS {
        // The one that has just been heard: in the middle of its next write.
        let mut last = 0;
        for _ in 0..KILL_EVERY {
            let (number, row) = heard.recv().unwrap();
            rows.push(row);
            last = number;
        }
        crowd[last].kill().unwrap();
        crowd[last].wait().unwrap();
        crowd[last] = start(last, place, copies, &sender);
    }
    for mut child in crowd {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    drop(sender);
    rows.extend(heard.iter().map(|(_, row)| row));
    rows
}

async fn check(place: &str) {
    let folder = tempfile::tempdir().unwrap();
    let rows = acknowledged(place, folder.path());
    assert!(rows.len() >= KILLS * KILL_EVERY);
    let options = Options::new(folder.path(), COUNTERS);
    let engine = Engine::open(store_at(place).await, options).await.unwrap();
    let all = engine.read::<HashMap<String, i64>, Error>(Freshness::Strict, |c| {
        let mut all = c.prepare("SELECT name, n FROM counter")?;
        Ok(all
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?)
    });
    let all = all.await.unwrap().value;
    assert!(all.values().all(|n| *n == 1), "a write took place twice: {all:?}");
    for row in &rows {
        assert!(all.contains_key(row), "{row} was acknowledged, and is not there");
    }
    // Each that was killed may have had one write under way.
    assert!(all.len() <= rows.len() + PROCESSES + KILLS);
}

#[tokio::test]
async fn a_crowd_on_a_directory_loses_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    check(folder.path().join("bucket").to_str().unwrap()).await;
}

#[tokio::test]
async fn a_crowd_on_s3_loses_and_doubles_nothing() {
    let server = S3Server::start();
    check(&server.endpoint).await;
}
