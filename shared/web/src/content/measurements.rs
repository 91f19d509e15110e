//! [`MeasurementChanges`]: parses measurements in requests, and [`Units`], in which they are sent.

use bespoke_core::measurement::{LengthUnit, MAX_LENGTH_MM, MAX_SLOPE_DEGREES, Unit, is_plausible, is_valid, unit};
use serde_json::Value;

use crate::body::JsonObject;
use crate::response::{Error, Result};

/// The names of the field with measurements: that of the API, and that of documents such as `GET /sets/{id}.json`, which clients send back.
const FIELDS: [&str; 2] = ["measies", "measurements"];

/// The meaning of the field `units` in a request with measurements.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Units {
    /// The unit of lengths in the request.
    pub length: LengthUnit,
    /// Whether the owner prefers imperial units; `None` if `units` does not tell.
    pub imperial: Option<bool>,
}

impl Units {
    /// Parses `units`. `mm`, `cm` and `in` are units of the sent lengths. `metric` and `imperial` are a preference of the owner, and the sent
    /// lengths are in millimetres. Returns `None` for any other value.
    pub fn parse(value: Option<&Value>) -> Option<Self> {
        let preference = |imperial| Self {
            imperial: Some(imperial),
            ..Self::default()
        };
        match value {
            None | Some(Value::Null) => Some(Self::default()),
            Some(Value::String(name)) => match name.as_str() {
                "metric" => Some(preference(false)),
                "imperial" => Some(preference(true)),
                name => name.parse().ok().map(|length| Self { length, imperial: None }),
            },
            Some(_) => None,
        }
    }

    /// Takes `units` out of a request that stores measurements.
    ///
    /// # Errors
    /// 400 `unitsInvalid`
    pub fn take(body: &mut JsonObject) -> Result<Self> {
        let units = body.shift_remove("units");
        Self::parse(units.as_ref()).ok_or_else(|| unknown_units("unitsInvalid"))
    }
}

/// Measurements to add, change or remove.
#[derive(Debug, Default)]
pub struct MeasurementChanges {
    /// Values in millimetres and degrees. `null` and invalid values remove a measurement.
    pub measies: JsonObject,
    /// The value of `imperial` that `units` implies.
    pub imperial: Option<bool>,
}

impl MeasurementChanges {
    /// Takes `measies` (or `measurements`) and `units` out of a request. Adds the names of invalid fields to `ignored`.
    ///
    /// # Errors
    /// 400 `unitsInvalid`, because measurements in an unknown unit can be neither stored nor dropped.
    pub fn take(body: &mut JsonObject, ignored: &mut Vec<String>) -> Result<Self> {
        let Units { length, imperial } = Units::take(body)?;
        let measies = match take_field(body) {
            Some((_, Value::Object(values))) => length.to_stored(values),
            Some((field, _)) => {
                ignored.push(field.to_owned());
                JsonObject::new()
            }
            None => JsonObject::new(),
        };
        // `null` removes a measurement, so it is not an ignored value.
        let dropped = measies
            .iter()
            .filter(|(name, value)| !value.is_null() && !is_valid(name, value));
        ignored.extend(dropped.map(|(name, _)| format!("measies.{name}")));
        Ok(Self { measies, imperial })
    }
}

/// Takes the first field with measurements out of a request; `None` if there is none or it is empty.
fn take_field(body: &mut JsonObject) -> Option<(&'static str, Value)> {
    let field = FIELDS.into_iter().find(|field| body.contains_key(*field))?;
    let value = body.shift_remove(field).filter(|value| !value.is_null())?;
    Some((field, value))
}

/// Takes the measurements of an imported document, in millimetres and degrees. Empty values (`null` and `""`) are skipped. Unknown names stay,
/// so that the response can list them as ignored.
///
/// # Errors
/// 400 `measurementsInvalid`, with the name of the field and the reason
pub fn take_complete(body: &mut JsonObject, units: LengthUnit) -> Result<JsonObject> {
    let Some((_, mut measurements)) = take_field(body) else {
        return Ok(JsonObject::new());
    };
    if let Value::Object(values) = &mut measurements {
        let is_empty = |value: &Value| value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty());
        values.retain(|_, value| !is_empty(value));
    }
    complete(measurements, units)
}

/// Converts measurements to millimetres and degrees. Unknown names stay.
///
/// # Errors
/// 400 `measurementsInvalid`, with the name of the field and the reason
pub fn complete(measurements: Value, units: LengthUnit) -> Result<JsonObject> {
    let Value::Object(values) = measurements else {
        return Err(invalid("measurements", "is not an object of names and numbers"));
    };
    for (name, value) in &values {
        if unit(name).is_none() {
            continue;
        }
        let field = || format!("measurements.{name}");
        match value.as_f64() {
            None => return Err(invalid(field(), "is not a number")),
            Some(number) if number <= 0.0 => return Err(invalid(field(), "is not above zero")),
            Some(_) => {}
        }
    }
    let stored = units.to_stored(values);
    for (name, value) in &stored {
        if let Some(unit) = unit(name)
            && !is_plausible(name, value)
        {
            return Err(invalid(format!("measurements.{name}"), too_large(unit)));
        }
    }
    Ok(stored)
}

fn too_large(unit: Unit) -> &'static str {
    const {
        assert!(
            MAX_LENGTH_MM == 10_000.0 && MAX_SLOPE_DEGREES == 90.0,
            "the texts below name these numbers"
        );
    }
    match unit {
        Unit::Millimetre => "is longer than 10,000 mm",
        Unit::Degree => "is not below 90 degrees",
    }
}

/// 400 for an unknown unit. The error code differs between requests that store measurements and those that existed before `metric` and `imperial`
/// were accepted.
pub fn unknown_units(code: &'static str) -> Error {
    Error::bad_request(code).with_field("units", "is not mm, cm, in, metric or imperial")
}

/// 400 `measurementsInvalid`
fn invalid(field: impl Into<String>, reason: &'static str) -> Error {
    Error::bad_request("measurementsInvalid").with_field(field, reason)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: &Value) -> JsonObject {
        value.as_object().unwrap().clone()
    }

    fn take(body: &Value) -> (Value, Option<bool>, Vec<String>) {
        let mut ignored = Vec::new();
        let taken = MeasurementChanges::take(&mut object(body), &mut ignored).unwrap();
        (json!(taken.measies), taken.imperial, ignored)
    }

    #[test]
    fn lengths_are_converted_and_preferences_are_not_units() {
        let none = Vec::new;
        for (units, sent, stored, imperial) in [
            (json!("in"), 36.5, 927.1, None),
            (json!("cm"), 36.5, 365.0, None),
            (json!("mm"), 36.5, 36.5, None),
            (json!(null), 36.5, 36.5, None),
            (json!("metric"), 36.5, 36.5, Some(false)),
            (json!("imperial"), 36.5, 36.5, Some(true)),
        ] {
            for field in FIELDS {
                let body = json!({ "units": units, field: { "chest": sent, "shoulderSlope": 13, "neck": null } });
                let (measies, preference, ignored) = take(&body);
                assert_eq!(measies["chest"].as_f64(), Some(stored), "{units} {field}");
                assert_eq!(
                    (&measies["shoulderSlope"], &measies["neck"]),
                    (&json!(13), &Value::Null)
                );
                assert_eq!((preference, ignored), (imperial, none()), "{units}");
            }
        }
    }

    #[test]
    fn unknown_units_are_rejected() {
        for units in [json!("ell"), json!(""), json!("MM"), json!(7), json!(["in"]), json!({})] {
            let mut body = object(&json!({ "measies": { "chest": 36.5 }, "units": units }));
            let error = MeasurementChanges::take(&mut body, &mut Vec::new()).unwrap_err();
            assert_eq!(
                (error.status().as_u16(), error.code()),
                (400, "unitsInvalid"),
                "{units}"
            );
        }
    }

    #[test]
    fn invalid_values_are_listed() {
        let body =
            json!({ "units": "cm", "measies": { "chest": 92.5, "ankle": 1e308, "tail": 3 }, "measurements": {} });
        let (measies, _, ignored) = take(&body);
        assert_eq!(measies, json!({ "chest": 925, "ankle": false, "tail": 3 }));
        assert_eq!(ignored, ["measies.ankle", "measies.tail"]);
        for (body, names) in [
            (json!({ "measies": [] }), vec!["measies"]),
            (json!({ "measurements": "36" }), vec!["measurements"]),
            (json!({ "measies": null }), vec![]),
        ] {
            assert_eq!(
                take(&body),
                (json!({}), None, names.into_iter().map(str::to_owned).collect()),
                "{body}"
            );
        }
    }

    #[test]
    fn imports_skip_empty_values_and_explain_invalid_ones() {
        let import = |body: Value| take_complete(&mut object(&body), LengthUnit::Centimetre);
        let empty = json!({ "measurements": { "chest": 93, "neck": null, "wrist": " ", "tail": "x" } });
        assert_eq!(json!(import(empty).unwrap()), json!({ "chest": 930, "tail": "x" }));
        assert_eq!(json!(import(json!({})).unwrap()), json!({}));
        for (body, field, reason) in [
            (
                json!({ "measies": [] }),
                "measurements",
                "is not an object of names and numbers",
            ),
            (
                json!({ "measies": { "neck": "36" } }),
                "measurements.neck",
                "is not a number",
            ),
            (
                json!({ "measies": { "neck": -1 } }),
                "measurements.neck",
                "is not above zero",
            ),
            (
                json!({ "measies": { "neck": 1001 } }),
                "measurements.neck",
                "is longer than 10,000 mm",
            ),
            (
                json!({ "measies": { "neck": 1e308 } }),
                "measurements.neck",
                "is longer than 10,000 mm",
            ),
            (
                json!({ "measies": { "shoulderSlope": 90 } }),
                "measurements.shoulderSlope",
                "is not below 90 degrees",
            ),
        ] {
            let error = import(body).unwrap_err();
            assert_eq!(
                (error.code(), error.field(), error.reason()),
                ("measurementsInvalid", Some(field), Some(reason))
            );
        }
    }
}
