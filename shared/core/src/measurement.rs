//! The 38 measurements, and what is kept of what somebody sends as measurements.

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

/// No body and no giant has a longer measurement, in millimetres.
pub const MAX_LENGTH_MM: f64 = 10_000.0;
/// Slopes are below that, in degrees.
pub const MAX_SLOPE_DEGREES: f64 = 90.0;

/// What a measurement is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Millimetres.
    Millimetre,
    /// Degrees (only `shoulderSlope`).
    Degree,
}

/// The one in degrees.
const SLOPE: &str = "shoulderSlope";

/// The names of the 38 measurements (contract-2023 section 3.0), in alphabetical order.
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

/// Where a measurement stands among [`NAMES`]; `None` when there is no measurement of that name.
fn place(name: &str) -> Option<usize> {
    NAMES.binary_search(&name).ok()
}

/// The unit of a measurement; `None` when there is no measurement of that name.
pub fn unit(name: &str) -> Option<Unit> {
    match name {
        SLOPE => Some(Unit::Degree),
        _ => place(name).map(|_| Unit::Millimetre),
    }
}

/// A body's measurements by name: numbers above zero, in the unit of [`unit()`]. Keeps the order in which they came.
pub type Measurements = Map<String, Value>;

/// The same as the JSON text in which they are stored, for whoever only passes them on.
pub type StoredMeasurements = Box<RawValue>;

/// Whether a value can be stored under that name: a known measurement, a number above zero.
pub fn is_valid(name: &str, value: &Value) -> bool {
    unit(name).is_some() && value.as_f64().is_some_and(|number| number > 0.0)
}

/// Whether a value can be that measurement of a body at all: a number above zero, at most [`MAX_LENGTH_MM`] for a length, below
/// [`MAX_SLOPE_DEGREES`] for a slope.
pub fn is_plausible(name: &str, value: &Value) -> bool {
    let within = |number: f64| match unit(name) {
        Some(Unit::Degree) => number < MAX_SLOPE_DEGREES,
        Some(Unit::Millimetre) => number <= MAX_LENGTH_MM,
        None => false,
    };
    is_valid(name, value) && value.as_f64().is_some_and(within)
}

/// Keeps the measurements that are valid (contract-2023 section 3.0).
pub fn sanitise(given: Map<String, Value>) -> Measurements {
    let valid = given.into_iter().filter(|(name, value)| is_valid(name, value));
    valid.map(|(name, value)| (name, canonical(value))).collect()
}

/// Merges new values over stored ones and keeps what is valid: so `null`, 0 or text for a name removes it. Names that
/// were stored keep their place.
pub fn merge(mut stored: Measurements, given: Map<String, Value>) -> Measurements {
    for (name, value) in given {
        stored.insert(name, value);
    }
    sanitise(stored)
}

/// A number as JavaScript writes it: whole numbers without a decimal point, so that 930.0 comes back as 930.
fn canonical(value: Value) -> Value {
    const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;
    match value.as_f64() {
        // Whole and at most 2^53: exact.
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
    fn there_are_38_in_order_and_one_is_in_degrees() {
        assert!(NAMES.is_sorted());
        assert_eq!(NAMES.iter().filter(|name| unit(name) == Some(Unit::Degree)).count(), 1);
        assert!(NAMES.iter().all(|name| unit(name).is_some()));
        assert_eq!(unit("chestCircumference"), None);
    }

    #[test]
    fn only_known_names_with_numbers_above_zero_are_kept_in_their_order() {
        let given = json!({"neck": 360.5, "chest": 930.0, "ankle": 0, "wrist": -1, "waist": "800", "knee": null,
            "hips": [1], "tail": 100, "seat": 1e300, "Chest": 930});
        let result = sanitise(object(&given));
        assert_eq!(
            serde_json::to_string(&result).unwrap(),
            r#"{"neck":360.5,"chest":930,"seat":1e+300}"#
        );
    }

    #[test]
    fn nothing_is_plausible_that_no_body_measures() {
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
    fn merging_changes_adds_and_removes_and_keeps_places() {
        let stored = object(&json!({"chest": 930, "neck": 360}));
        let result = merge(
            stored,
            object(&json!({"ankle": 200, "neck": null, "chest": 940, "tail": 3})),
        );
        assert_eq!(serde_json::to_string(&result).unwrap(), r#"{"chest":940,"ankle":200}"#);
    }
}
