//! [`check`]: returns a [`Warning`] for each group of implausible measurements of a body. Warnings never reject a set, because bodies
//! differ, and dolls and giants are official models, too.

use std::sync::LazyLock;

use super::adults::{Adult, adults, median};
use super::{Measurements, NAMES, SLOPE, index_of};

/// Chains of measurements, each larger than the next one on every body. Missing measurements of a chain are skipped.
const CHAINS: [&[&str]; 12] = [
    &["hpsToWaistFront", "hpsToBust"],
    &["hpsToWaistFront", "waistToUnderbust"],
    &["hpsToWaistFront", "waistToArmpit"],
    &["hpsToWaistBack", "waistToArmpit"],
    &["shoulderToWrist", "shoulderToElbow"],
    &[
        "waistToFloor",
        "waistToKnee",
        "waistToUpperLeg",
        "waistToSeat",
        "waistToHips",
    ],
    &["waistToFloor", "inseam"],
    &["crossSeam", "crossSeamFront"],
    &["seat", "seatBack"],
    &["highBust", "highBustFront"],
    &["chest", "bustFront", "bustSpan"],
    &["waist", "waistBack"],
];

/// The chains, as indices into [`NAMES`].
static CHAIN_INDICES: LazyLock<[Vec<usize>; CHAINS.len()]> =
    LazyLock::new(|| CHAINS.map(|chain| chain.iter().filter_map(|name| index_of(name)).collect()));

/// The factor by which a mix-up of units multiplies every length, and its description.
const MIX_UPS: [(f64, &str); 3] = [
    (1.0 / 10.0, "centimetres, taken for millimetres"),
    (1.0 / 25.4, "inches, taken for millimetres"),
    (10.0 / 25.4, "inches, taken for centimetres"),
];
/// The relative tolerance of the factor, because adults differ.
const MIX_UP_TOLERANCE: f64 = 0.25;
/// The minimum number of lengths from which a mix-up is detected.
const MIN_LENGTHS: usize = 5;
/// The factor beyond the range of the adult models from which a value is out of range.
const RANGE_FACTOR: f64 = 2.0;

/// The rule that a warning is based on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// A measurement is not smaller than another one, although it is on every body.
    Order,
    /// All lengths seem to be in another unit.
    Unit,
    /// Some measurements are far from those of adults.
    Range,
}

impl Rule {
    /// The name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Unit => "unit",
            Self::Range => "range",
        }
    }
}

/// The certainty of a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The measurements are wrong for almost every body.
    Warning,
    /// Some bodies have such measurements.
    Hint,
}

impl Severity {
    /// The name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Hint => "hint",
        }
    }
}

/// A warning. It contains names of measurements and never their values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The rule.
    pub rule: Rule,
    /// The names of the measurements.
    pub measurements: Vec<&'static str>,
    /// The certainty.
    pub severity: Severity,
    /// The text for users.
    pub message: String,
}

/// Returns the warnings about stored measurements, in millimetres and degrees.
pub fn check(measies: &Measurements) -> Vec<Warning> {
    let values = KnownValues::of(measies);
    let mut warnings = order(&values);
    match mix_up(&values) {
        Some(warning) => warnings.push(warning),
        // A mix-up of units explains values out of range.
        None => warnings.extend(range(&values)),
    }
    warnings
}

/// The values of the known measurements, in the order of [`NAMES`].
struct KnownValues([Option<f64>; NAMES.len()]);

impl KnownValues {
    fn of(measies: &Measurements) -> Self {
        let mut values = [None; NAMES.len()];
        for (name, value) in measies {
            if let Some(index) = index_of(name) {
                values[index] = value.as_f64();
            }
        }
        Self(values)
    }

    /// Returns each known value with the range of the adult models.
    fn with_adults(&self) -> impl Iterator<Item = (&'static str, f64, Adult)> {
        let all = self.0.iter().zip(adults());
        all.filter_map(|(value, (name, adult))| Some((name, (*value)?, adult)))
    }
}

/// Compares each known value of a chain with the known value before it, which must be larger.
fn order(values: &KnownValues) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for chain in &*CHAIN_INDICES {
        let mut previous: Option<(&'static str, f64)> = None;
        for index in chain {
            let smaller = NAMES[*index];
            let Some(value) = values.0[*index] else { continue };
            if let Some((larger, previous_value)) = previous
                && previous_value <= value
            {
                warnings.push(Warning {
                    rule: Rule::Order,
                    measurements: vec![larger, smaller],
                    severity: Severity::Warning,
                    message: format!("{larger} is larger than {smaller} on every body, and here it is not."),
                });
            }
            previous = Some((smaller, value));
        }
    }
    warnings
}

/// Compares the median ratio of all lengths to those of adults with the factors of [`MIX_UPS`].
fn mix_up(values: &KnownValues) -> Option<Warning> {
    let lengths = values.with_adults().filter(|(name, ..)| *name != SLOPE);
    let lengths: Vec<_> = lengths.collect();
    if lengths.len() < MIN_LENGTHS {
        return None;
    }
    let mut ratios: Vec<f64> = lengths.iter().map(|(_, value, adult)| value / adult.median).collect();
    let ratio = median(&mut ratios)?;
    let distance = |factor: f64| (ratio / factor - 1.0).abs();
    let (_, unit) = MIX_UPS
        .into_iter()
        .find(|(factor, _)| distance(*factor) <= MIX_UP_TOLERANCE)?;
    // Dolls are measured in whole millimetres, but the measurements of an adult are rarely all whole centimetres or inches.
    let fractions = lengths.iter().filter(|(_, value, _)| value.fract() != 0.0).count();
    let severity = if 2 * fractions > lengths.len() {
        Severity::Warning
    } else {
        Severity::Hint
    };
    Some(Warning {
        rule: Rule::Unit,
        measurements: lengths.into_iter().map(|(name, ..)| name).collect(),
        severity,
        message: format!("These look like {unit}."),
    })
}

/// Collects the values that are far from those of all adult models.
fn range(values: &KnownValues) -> Option<Warning> {
    let is_far = |value, adult: Adult| value < adult.least / RANGE_FACTOR || value > adult.greatest * RANGE_FACTOR;
    let far = values.with_adults().filter(|(_, value, adult)| is_far(*value, *adult));
    let measurements: Vec<_> = far.map(|(name, ..)| name).collect();
    (!measurements.is_empty()).then(|| Warning {
        rule: Rule::Range,
        message: "These are less than half, or more than twice, of what adults measure.".to_owned(),
        severity: Severity::Hint,
        measurements,
    })
}

#[cfg(test)]
mod tests;
