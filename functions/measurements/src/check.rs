//! `POST /measurements/check`: [`check`] validates measurements, and warns of implausible ones.

use axum::response::Response;
use bespoke_core::measurement::sanitise;
use bespoke_web::content::lookup::{LookupQuery, LookupResponse};
use bespoke_web::content::measurements::{Units, complete, unknown_units};
use bespoke_web::{Body, Error, JsonObject, Public, Result, Session, ok};
use serde_json::Value;
use utoipa::ToSchema;

/// Body of `POST /measurements/check`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct Check {
    #[schema(value_type = bespoke_web::view::schema::Measurements)]
    measurements: JsonObject,
    /// The design to check the measurements for.
    design: Option<String>,
    /// Unit of lengths in the request and the response: `mm` (default), `cm` or `in`. `metric` and `imperial` mean millimetres.
    #[schema(pattern = "^(mm|cm|in|metric|imperial)$")]
    units: Option<String>,
}

/// Check measurements
///
/// Stores nothing. The response is that of a lookup, without unknown measurements.
#[utoipa::path(post, path = "/measurements/check", tag = "Measurements", operation_id = "checkMeasurements",
    request_body = Check,
    responses(
        (status = 200, description = "The measurements, and problems with them.", body = LookupResponse),
        (status = 400, description = "`postBodyMissing`, `measurementsMissing`: the field is missing. \
            `measurementsInvalid`: a measurement is not a number, not positive, or more than 10,000 mm or 90 degrees. \
            `unitsUnknown`, `designUnknown`: unknown name."),
    ))]
pub(crate) async fn check(_: Public, session: Session, body: Body) -> Result<Response> {
    let mut body = body.required()?;
    let measurements = body
        .remove("measurements")
        .ok_or(Error::bad_request("measurementsMissing"))?;
    let units = Units::parse(body.get("units")).ok_or_else(|| unknown_units("unitsUnknown"))?;
    let query = LookupQuery {
        design: text(&body, "design").ok_or(Error::bad_request("designUnknown"))?,
        units: Some(units.length.name().to_owned()),
        only: Some("all".to_owned()),
    };
    let stored = complete(measurements, units.length)?;
    let lookup = session.read(|db| query.read(db)).await?;
    Ok(ok(&lookup.into_response(None, sanitise(stored))))
}

/// Returns an optional string field: `Some(None)` if it is missing, `None` if it is not a string.
fn text(body: &JsonObject, field: &str) -> Option<Option<String>> {
    match body.get(field) {
        None | Some(Value::Null) => Some(None),
        Some(Value::String(text)) => Some(Some(text.clone())),
        Some(_) => None,
    }
}
