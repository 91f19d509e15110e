//! Upper limits of the results of `bench/run`: an HTTP server with a bare axum route, and with routes that read and write a plain SQLite
//! database.
//!
//! `ceiling <folder>` listens on a free loopback port, prints the port, and runs until it is killed.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use rusqlite::Connection;
use tokio::net::TcpListener;

/// The same allocator as in `bespoke`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Typical size of a set with all its measurements as JSON, in bytes.
const BODY_BYTES: u32 = 1_400;
/// Number of rows in the table.
const ROWS: i64 = 10_000;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let connection = Arc::new(Mutex::new(create_database(Path::new(&folder))?));
    let (reader, writer) = (Arc::clone(&connection), connection);
    let body = format!("{{\"text\":\"{}\"}}", "x".repeat(BODY_BYTES as usize));
    let router = Router::new()
        .route("/bare", get(move || async { json(body) }))
        .route(
            "/read/{id}",
            get(move |id: axum::extract::Path<i64>| async move { read(&reader, id.0) }),
        )
        .route(
            "/commit",
            post(move |text: String| async move {
                let written = tokio::task::spawn_blocking(move || commit(&writer, &text)).await;
                written.ok().flatten().ok_or(StatusCode::INTERNAL_SERVER_ERROR)
            }),
        );
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listens {}", listener.local_addr()?);
    axum::serve(listener, router).await?;
    Ok(())
}

fn json(body: String) -> Response {
    ([(CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response()
}

/// Creates a database with [`ROWS`] rows. It is as durable as that of the API: a commit is on the disk before the response is sent.
fn create_database(folder: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(folder.join("plain.sqlite"))?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE sets (id INTEGER PRIMARY KEY, text TEXT);",
    )?;
    let fill = "INSERT INTO sets (text) WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?1)
        SELECT hex(zeroblob(?2)) FROM numbers";
    // `hex` returns two characters for each byte.
    connection.execute(fill, (ROWS, BODY_BYTES / 2))?;
    Ok(connection)
}

fn read(connection: &Mutex<Connection>, id: i64) -> Result<Response, StatusCode> {
    let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
    let read = connection
        .prepare_cached("SELECT text FROM sets WHERE id = ?1")
        .and_then(|mut statement| statement.query_row([id], |row| row.get(0)));
    read.map(json).map_err(|_| StatusCode::NOT_FOUND)
}

/// Returns the id of the new row.
fn commit(connection: &Mutex<Connection>, text: &str) -> Option<String> {
    let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
    let mut insert = connection.prepare_cached("INSERT INTO sets (text) VALUES (?1)").ok()?;
    insert.insert([text]).ok().map(|id| id.to_string())
}
