//! The function `measurements`: the known measurements, the measurements of each design, and checks of measurements. Its routes store
//! nothing.

mod check;
mod designs;

use axum::response::Response;
use bespoke_core::measurement::{NAMES, Unit, adult, unit};
use bespoke_web::{Outcome, Public, Routes, ok, route};
use serde::Serialize;
use utoipa::ToSchema;

/// The routes of the `measurements` function, one of the deployable groups of routes.
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

/// A known measurement.
#[derive(Serialize, ToSchema)]
struct Measurement {
    name: &'static str,
    /// `mm` or `degrees`.
    #[schema(pattern = "^(mm|degrees)$")]
    unit: &'static str,
    adult: Range,
}

/// Smallest and largest value among FreeSewing's adult models.
#[derive(Serialize, ToSchema)]
#[schema(as = AdultRange)]
struct Range {
    min: f64,
    max: f64,
}

/// List the measurements
#[utoipa::path(get, path = "/measurements", tag = "Measurements", operation_id = "listMeasurements",
    responses((status = 200, description = "All measurements, in alphabetical order.", body = MeasurementList)))]
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
