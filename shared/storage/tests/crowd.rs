//! Test with eight processes that write at once while some are killed: each acknowledged write is in the database
//! once.

#![allow(clippy::unwrap_used, reason = "helpers of tests do not count as tests")]
#![expect(
    clippy::disallowed_methods,
    reason = "a test configures its child processes by environment variables"
)]

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::support::s3::{S3Server, settings};
use crate::support::{COUNTERS, add};
use bespoke_storage::{DirectoryStore, Engine, Error, Freshness, ObjectStore, Options, S3Store};

const PROCESSES: usize = 8;
/// The number of acknowledgements between two kills.
const KILL_EVERY: usize = 12;
const KILLS: usize = 6;

/// Opens the store of a process: a folder, or the bucket of a server.
async fn store_at(place: &str) -> Arc<dyn ObjectStore> {
    if place.starts_with("http://") {
        Arc::new(S3Store::open(settings(place)).unwrap())
    } else {
        Arc::new(DirectoryStore::open(place).unwrap())
    }
}

#[tokio::test]
#[ignore = "run by its parent, as another process"]
async fn writing_process() {
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

/// Starts a process. Sends its number and each row that it acknowledges to `acknowledgements`.
fn start(number: usize, place: &str, copies: &Path, acknowledgements: &Sender<(usize, String)>) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crowd::writing_process", "--ignored", "--nocapture"])
        .env("STORE_PLACE", place)
        .env("COPIES", copies)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (lines, acknowledgements) = (
        BufReader::new(child.stdout.take().unwrap()).lines(),
        acknowledgements.clone(),
    );
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if let Some(row) = line.strip_prefix("acknowledged ") {
                acknowledgements.send((number, row.to_owned())).unwrap();
            }
        }
    });
    child
}

/// Starts the processes, kills some, and returns the acknowledged rows.
fn acknowledged(place: &str, copies: &Path) -> Vec<String> {
    let (sender, acknowledgements): (_, Receiver<(usize, String)>) = channel();
    let mut crowd: Vec<_> = (0..PROCESSES)
        .map(|number| start(number, place, copies, &sender))
        .collect();
    let mut rows = Vec::new();
    for _ in 0..KILLS {
        // Kills the process that has just acknowledged a write, during its next one.
        let mut last = 0;
        for _ in 0..KILL_EVERY {
            let (number, row) = acknowledgements.recv().unwrap();
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
    rows.extend(acknowledgements.iter().map(|(_, row)| row));
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
    assert!(all.values().all(|n| *n == 1), "a write was applied twice: {all:?}");
    for row in &rows {
        assert!(all.contains_key(row), "{row} was acknowledged and is missing");
    }
    // Each killed process may have had one write in flight.
    assert!(all.len() <= rows.len() + PROCESSES + KILLS);
}

#[tokio::test]
async fn killed_processes_on_a_directory_lose_no_write() {
    let folder = tempfile::tempdir().unwrap();
    check(folder.path().join("bucket").to_str().unwrap()).await;
}

#[tokio::test]
async fn killed_processes_on_s3_lose_no_write() {
    let server = S3Server::start();
    check(&server.endpoint).await;
}
