//! [`LengthUnit`]: lengths are stored in millimetres, and converted for requests and responses in other units. Degrees are never
//! converted.

use std::str::FromStr;

use serde_json::{Number, Value};

use super::{Measurements, Unit, unit};

/// Stored lengths are rounded to a nanometre, so that 36.5 inches become exactly 927.1 mm.
const STORED_SCALE: f64 = 1e6;
/// Lengths in responses have more digits, so that a client can send them back without a change.
const SHOWN_SCALE: f64 = 1e9;

/// A unit of length.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LengthUnit {
    /// `mm`: millimetres.
    #[default]
    Millimetre,
    /// `cm`: centimetres.
    Centimetre,
    /// `in`: inches of 25.4 mm.
    Inch,
}

/// An unknown unit of length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the units are mm, cm and in")]
pub struct LengthUnitError;

impl FromStr for LengthUnit {
    type Err = LengthUnitError;

    fn from_str(text: &str) -> Result<Self, LengthUnitError> {
        match text {
            "mm" => Ok(Self::Millimetre),
            "cm" => Ok(Self::Centimetre),
            "in" => Ok(Self::Inch),
            _ => Err(LengthUnitError),
        }
    }
}

impl LengthUnit {
    /// The name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Millimetre => "mm",
            Self::Centimetre => "cm",
            Self::Inch => "in",
        }
    }

    /// The unit in millimetres.
    pub const fn millimetres(self) -> f64 {
        match self {
            Self::Millimetre => 1.0,
            Self::Centimetre => 10.0,
            Self::Inch => 25.4,
        }
    }

    /// Converts measurements from this unit to millimetres. Values that are not lengths stay unchanged.
    pub fn to_stored(self, measies: Measurements) -> Measurements {
        self.convert(measies, STORED_SCALE, |length| length * self.millimetres())
    }

    /// Converts stored measurements to this unit.
    pub fn from_stored(self, stored: Measurements) -> Measurements {
        self.convert(stored, SHOWN_SCALE, |length| length / self.millimetres())
    }

    fn convert(self, mut measies: Measurements, scale: f64, convert: impl Fn(f64) -> f64) -> Measurements {
        if self == Self::Millimetre {
            return measies;
        }
        for (name, value) in &mut measies {
            if let (Some(Unit::Millimetre), Some(length)) = (unit(name), value.as_f64()) {
                *value = rounded(convert(length), scale);
            }
        }
        measies
    }
}

/// Rounds a number after the conversion. An overflow becomes `false`, which is an invalid measurement.
fn rounded(number: f64, scale: f64) -> Value {
    let scaled = (number * scale).round() / scale;
    let number = if scaled.is_normal() { scaled } else { number };
    Number::from_f64(number).map_or(Value::Bool(false), |number| super::canonical(number.into()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn object(value: &Value) -> Measurements {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn lengths_are_converted_and_degrees_are_not() {
        for (unit, sent, stored) in [
            (
                "mm",
                json!({ "chest": 925, "shoulderSlope": 13 }),
                json!({ "chest": 925, "shoulderSlope": 13 }),
            ),
            (
                "cm",
                json!({ "chest": 92.5, "shoulderSlope": 13.5 }),
                json!({ "chest": 925, "shoulderSlope": 13.5 }),
            ),
            (
                "in",
                json!({ "chest": 36.5, "shoulderSlope": 13.5 }),
                json!({ "chest": 927.1, "shoulderSlope": 13.5 }),
            ),
        ] {
            let unit: LengthUnit = unit.parse().unwrap();
            assert_eq!(json!(unit.to_stored(object(&sent))), stored);
            assert_eq!(json!(unit.from_stored(object(&stored))), sent);
        }
        for wrong in ["", "MM", "inch", "m", "mm "] {
            assert_eq!(wrong.parse::<LengthUnit>(), Err(LengthUnitError), "{wrong}");
        }
    }

    #[test]
    fn other_values_stay_and_overflow_is_invalid() {
        let invalid = object(&json!({ "tail": 3, "neck": null, "hips": "90", "seat": [1] }));
        assert_eq!(LengthUnit::Inch.to_stored(invalid.clone()), invalid);
        let huge = LengthUnit::Inch.to_stored(object(&json!({ "chest": 1e308, "neck": 1e300 })));
        assert_eq!(huge["chest"], json!(false));
        assert!(huge["neck"].as_f64().unwrap() > 1e301);
        let tiny = LengthUnit::Centimetre.from_stored(object(&json!({ "chest": 1e-12 })));
        assert!(tiny["chest"].as_f64().unwrap() > 0.0);
    }

    proptest! {
        #[test]
        fn conversion_round_trips_to_a_micrometre(micrometres in 10..10_000_000_u32) {
            let mm = f64::from(micrometres) / 1e3;
            for unit in [LengthUnit::Centimetre, LengthUnit::Inch] {
                let back = unit.to_stored(unit.from_stored(object(&json!({ "chest": mm, "shoulderSlope": mm }))));
                prop_assert_eq!(back["chest"].as_f64(), Some(mm));
                prop_assert_eq!(back["shoulderSlope"].as_f64(), Some(mm));
            }
        }
    }
}
