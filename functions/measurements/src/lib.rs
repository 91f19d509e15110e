//! The measurements, what designs need of them, and what is odd about those of a body. Nothing is stored here.

mod check;
mod designs;

use axum::response::Response;
use bespoke_core::measurement::{NAMES, Unit, adult, unit};
use bespoke_web::{Outcome, Public, Routes, ok, route};
use serde::Serialize;
use utoipa::ToSchema;

/// The routes of this function.
pub fn router() -> Routes {
    Routes::new("measurements")
        .with(route!(list))
        .with(route!(check::check).reads())
        .with(route!(designs::list))
        .with(route!(designs::read))
}

#[derive(Serialize, ToSchema)]
struct MeasurementList {
    result: Outcome,
    measurements: Vec<Measurement>,
}

/// One of the measurements.
#[derive(Serialize, ToSchema)]
struct Measurement {
    name: &'static str,
    /// `mm` or `degrees`.
    #[schema(pattern = "^(mm|degrees)$")]
    unit: &'static str,
    adult: Range,
}

/// From the least to the greatest among FreeSewing's adult models.
#[derive(Serialize, ToSchema)]
#[schema(as = AdultRange)]
struct Range {
    min: f64,
    max: f64,
}

/// List the measurements
#[utoipa::path(get, path = "/measurements", tag = "Measurements", operation_id = "listMeasurements",
    responses((status = 200, description = "All of them, in alphabetical order.", body = MeasurementList)))]
async fn list(_: Public) -> Response {
    let measurement = |name| {
        let adult = adult(name)?;
        Some(Measurement {
            name,
            unit: match unit(name)? {
                Unit::Millimetre => "mm",
                Unit::Degree => "degrees",
            },
            adult: Range {
                min: adult.least,
                max: adult.greatest,
            },
        })
    };
    ok(&MeasurementList {
        result: Outcome::Success,
        measurements: NAMES.into_iter().filter_map(measurement).collect(),
    })
}
