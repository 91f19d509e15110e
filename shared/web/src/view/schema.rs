//! Schemas of types of other crates that do not describe themselves.

use bespoke_core::measurement::{NAMES, Unit, unit};
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Object, RefOr};
use utoipa::{PartialSchema, ToSchema};

/// The measurements of a body, by name.
pub struct Measurements;

impl PartialSchema for Measurements {
    fn schema() -> RefOr<Schema> {
        measurements().into()
    }
}

impl ToSchema for Measurements {}

fn measurements() -> Object {
    let mut measurements = ObjectBuilder::new()
        .description(Some("The measurements of a body: numbers above zero."))
        .additional_properties(Some(AdditionalProperties::FreeForm(false)))
        .examples([serde_json::json!({ "chest": 925, "neck": 340.5, "shoulderSlope": 13 })]);
    for name in NAMES {
        let unit = match unit(name) {
            Some(Unit::Degree) => "Degrees.",
            _ => "Millimetres.",
        };
        let number = Object::builder()
            .schema_type(Type::Number)
            .exclusive_minimum(Some(0))
            .description(Some(unit));
        measurements = measurements.property(name, number);
    }
    measurements.build()
}
