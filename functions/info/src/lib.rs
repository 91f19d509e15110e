//! The function `info`: health (`healthz`), readiness (`readyz`) and public counters. It also serves the gateway's `$default` route, with
//! 404 for unknown paths.

mod counters;

use axum::response::Response;
use bespoke_web::{Outcome, Public, Result, Routes, Session, ok, route};
use serde::Serialize;
use utoipa::ToSchema;

/// The routes of the `info` function, one of the deployable groups of routes.
pub fn router() -> Routes {
    Routes::new("info")
        .with(route!(healthz))
        .with(route!(readyz))
        .with(route!(counters::users))
        .with(route!(counters::stats))
        .with(route!(counters::authors))
}

#[derive(Serialize, ToSchema)]
struct Health {
    result: Outcome,
    /// Version of the software.
    version: &'static str,
}

/// Check that the process responds
#[utoipa::path(get, path = "/healthz", tag = "Service", operation_id = "health",
    responses((status = 200, description = "The process responds.", body = Health)))]
async fn healthz(_: Public) -> Response {
    ok(&Health {
        result: Outcome::Success,
        version: env!("CARGO_PKG_VERSION"),
    })
}

#[derive(Serialize, ToSchema)]
struct Readiness {
    result: Outcome,
    /// Version of the database, `<epoch>-<seq>`.
    #[schema(example = "1-42")]
    database: String,
}

/// Check that requests can read the database
#[utoipa::path(get, path = "/readyz", tag = "Service", operation_id = "readiness",
    responses((status = 200, description = "The database can be read.", body = Readiness)))]
async fn readyz(_: Public, session: Session) -> Result<Response> {
    let version = session.database().ready().await?;
    Ok(ok(&Readiness {
        result: Outcome::Success,
        database: version.to_string(),
    }))
}
