//! `GET /designs` ([`list`]) and `GET /designs/{name}` ([`read`]): the designs with the measurements that they need.

use std::sync::Arc;

use axum::response::Response;
use bespoke_core::measurement;
use bespoke_database::designs;
use bespoke_web::{Error, Outcome, Params, Public, Result, Session, ok};
use serde::Serialize;
use utoipa::ToSchema;

/// A design and its measurements.
#[derive(Serialize, ToSchema)]
struct Design {
    name: String,
    /// Measurements that the design needs.
    required: Vec<String>,
    /// Measurements that improve the draft.
    optional: Vec<String>,
}

impl From<measurement::Design> for Design {
    fn from(design: measurement::Design) -> Self {
        Self {
            name: design.name,
            required: design.needs.required,
            optional: design.needs.optional,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DesignList {
    result: Outcome,
    designs: Vec<Design>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = DesignAnswer)]
pub(crate) struct DesignResponse {
    result: Outcome,
    design: Design,
}

/// List the designs with their measurements
#[utoipa::path(get, path = "/designs", tag = "Measurements", operation_id = "listDesigns",
    responses((status = 200, description = "All designs, by name.", body = DesignList)))]
pub(crate) async fn list(_: Public, session: Session) -> Result<Response> {
    let designs = session.read(|db| Ok(designs::all(db)?)).await?;
    Ok(ok(&DesignList {
        result: Outcome::Success,
        designs: designs.into_iter().map(Into::into).collect(),
    }))
}

/// Read the measurements of a design
#[utoipa::path(get, path = "/designs/{name}", tag = "Measurements", operation_id = "readDesign",
    params(("name" = String, Path, description = "Name of the design.", example = "aaron")),
    responses(
        (status = 200, description = "The design.", body = DesignResponse),
        (status = 404, description = "There is no such design."),
    ))]
pub(crate) async fn read(_: Public, session: Session, params: Params) -> Result<Response> {
    let name = params.get("name").to_ascii_lowercase();
    let design = session.read(|db| Ok(designs::by_name(db, &name)?)).await?;
    Ok(ok(&DesignResponse {
        result: Outcome::Success,
        design: Arc::unwrap_or_clone(design.ok_or_else(Error::not_found)?).into(),
    }))
}
