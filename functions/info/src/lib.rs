//! Health and readiness; and, as the function of the gateway's `$default` route, the 404 of every unknown one.

use axum::response::Response;
use bespoke_web::{Outcome, Public, Result, Routes, Session, ok};
use serde::Serialize;

/// The routes of this function.
pub fn router() -> Routes {
    Routes::new("info").get("/healthz", healthz).get("/readyz", readyz)
}

#[derive(Serialize)]
struct Health {
    result: Outcome,
    version: &'static str,
}

/// The process answers.
async fn healthz(_: Public) -> Response {
    ok(&Health {
        result: Outcome::Success,
        version: env!("CARGO_PKG_VERSION"),
    })
}

#[derive(Serialize)]
struct Readiness {
    result: Outcome,
    database: String,
}

/// The bucket answers too; gives the version of the database.
async fn readyz(_: Public, session: Session) -> Result<Response> {
    let version = session.database().ping().await?;
    Ok(ok(&Readiness {
        result: Outcome::Success,
        database: version.to_string(),
    }))
}
