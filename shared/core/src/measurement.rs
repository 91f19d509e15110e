//! The 38 measurements of a body: their [`NAMES`] and units, and the validation ([`is_valid`], [`is_plausible`]) and [`merge`] of values.

mod adults;
mod design;
mod rules;
mod units;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

pub use adults::{Adult, MODEL_SETS, adult};
pub use design::{Design, DesignError, EMBEDDED_DESIGNS, MAX_DESIGN_NAME_BYTES, MAX_DESIGNS, Needs, parse_designs};
pub use rules::{Rule, Severity, Warning, check};
pub use units::{LengthUnit, LengthUnitError};

/// Maximum plausible length, in millimetres. Giants are included.
pub const MAX_LENGTH_MM: f64 = 10_000.0;
/// The exclusive upper bound of a slope, in degrees.
pub const MAX_SLOPE_DEGREES: f64 = 90.0;

/// The unit of a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Millimetres.
    Millimetre,
    /// Degrees (only `shoulderSlope`).
    Degree,
}

/// The only measurement in degrees.
const SLOPE: &str = "shoulderSlope";

/// The names of the 38 measurements of FreeSewing, in alphabetical order.
pub const NAMES: [&str; 38] = [
    "ankle",
    "biceps",
    "bustFront",
    "bustPointToUnderbust",
    "bustSpan",
    "chest",
    "crossSeam",
    "crossSeamFront",
    "crotchDepth",
    "head",
    "heel",
    "highBust",
    "highBustFront",
    "hips",
    "hpsToBust",
    "hpsToWaistBack",
    "hpsToWaistFront",
    "inseam",
    "knee",
    "neck",
    "seat",
    "seatBack",
    "shoulderSlope",
    "shoulderToElbow",
    "shoulderToShoulder",
    "shoulderToWrist",
    "underbust",
    "upperLeg",
    "waist",
    "waistBack",
    "waistToArmpit",
    "waistToFloor",
    "waistToHips",
    "waistToKnee",
    "waistToSeat",
    "waistToUnderbust",
    "waistToUpperLeg",
    "wrist",
];

/// Returns the index of a measurement in [`NAMES`]; `None` for an unknown name.
fn index_of(name: &str) -> Option<usize> {
    NAMES.binary_search(&name).ok()
}

/// Returns the unit of a measurement; `None` for an unknown name.
pub fn unit(name: &str) -> Option<Unit> {
    match name {
        SLOPE => Some(Unit::Degree),
        _ => index_of(name).map(|_| Unit::Millimetre),
    }
}

/// The measurements of a body by name: numbers above zero, in the unit of [`unit()`]. The order of the request is preserved.
pub type Measurements = Map<String, Value>;

/// Measurements as the stored JSON text, for code that only forwards them.
pub type StoredMeasurements = Box<RawValue>;

/// Whether a value is valid for storage: the name is known and the value is a number above zero.
pub fn is_valid(name: &str, value: &Value) -> bool {
    unit(name).is_some() && value.as_f64().is_some_and(|number| number > 0.0)
}

/// Whether a value is plausible for a body: it is valid, and at most [`MAX_LENGTH_MM`] for a length, or below [`MAX_SLOPE_DEGREES`] for a
/// slope.
pub fn is_plausible(name: &str, value: &Value) -> bool {
    let within = |number: f64| match unit(name) {
        Some(Unit::Degree) => number < MAX_SLOPE_DEGREES,
        Some(Unit::Millimetre) => number <= MAX_LENGTH_MM,
        None => false,
    };
    is_valid(name, value) && value.as_f64().is_some_and(within)
}

/// Removes invalid measurements.
pub fn sanitise(new_values: Map<String, Value>) -> Measurements {
    let valid = new_values.into_iter().filter(|(name, value)| is_valid(name, value));
    valid.map(|(name, value)| (name, canonical(value))).collect()
}

/// Applies new values to stored measurements, and removes invalid ones. Thus `null`, 0 or a text removes a measurement. Stored names keep their
/// position.
pub fn merge(mut stored: Measurements, new_values: Map<String, Value>) -> Measurements {
    for (name, value) in new_values {
        stored.insert(name, value);
    }
    sanitise(stored)
}

/// Converts a number to the form of JavaScript: integers without a decimal point, so that 930.0 becomes 930.
fn canonical(value: Value) -> Value {
    const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;
    match value.as_f64() {
        // An integer of at most 2^53 is converted exactly.
        Some(number) if number.fract() == 0.0 && number <= MAX_SAFE_INTEGER => Value::from(number as i64),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn names_are_sorted_and_one_is_in_degrees() {
        assert!(NAMES.is_sorted());
        assert_eq!(NAMES.iter().filter(|name| unit(name) == Some(Unit::Degree)).count(), 1);
        assert!(NAMES.iter().all(|name| unit(name).is_some()));
        assert_eq!(unit("chestCircumference"), None);
    }

    #[test]
    fn only_known_names_with_positive_numbers_are_valid() {
        let new_values = json!({"neck": 360.5, "chest": 930.0, "ankle": 0, "wrist": -1, "waist": "800", "knee": null,
            "hips": [1], "tail": 100, "seat": 1e300, "Chest": 930});
        let result = sanitise(object(&new_values));
        assert_eq!(
            serde_json::to_string(&result).unwrap(),
            r#"{"neck":360.5,"chest":930,"seat":1e+300}"#
        );
    }

    #[test]
    fn implausible_values_are_detected() {
        for (name, value, plausible) in [
            ("chest", json!(10_000), true),
            ("chest", json!(10_000.1), false),
            ("chest", json!(0), false),
            ("chest", json!("930"), false),
            ("chest", json!(1e308), false),
            ("shoulderSlope", json!(89.9), true),
            ("shoulderSlope", json!(90), false),
            ("tail", json!(3), false),
        ] {
            assert_eq!(is_plausible(name, &value), plausible, "{name} {value}");
        }
    }

    #[test]
    fn merge_adds_changes_and_removes() {
        let stored = object(&json!({"chest": 930, "neck": 360}));
        let result = merge(
            stored,
            object(&json!({"ankle": 200, "neck": null, "chest": 940, "tail": 3})),
        );
        assert_eq!(serde_json::to_string(&result).unwrap(), r#"{"chest":940,"ankle":200}"#);
    }
}
