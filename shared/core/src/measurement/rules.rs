//! What is odd about the measurements of a body. It is said, and nothing is refused for it: bodies differ, and dolls and giants
//! are official models.

use std::sync::LazyLock;

use super::adults::{Adult, adults, median};
use super::{Measurements, NAMES, SLOPE, place};

/// What is larger on every body, then what is smaller, and so on. What is not known of a chain is left out of it.
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

/// The same, by the places of the names among [`NAMES`].
static CHAIN_PLACES: LazyLock<[Vec<usize>; CHAINS.len()]> =
    LazyLock::new(|| CHAINS.map(|chain| chain.iter().filter_map(|name| place(name)).collect()));

/// By what a mix-up of units multiplies every length, and how it is called.
const MIX_UPS: [(f64, &str); 3] = [
    (1.0 / 10.0, "centimetres, taken for millimetres"),
    (1.0 / 25.4, "inches, taken for millimetres"),
    (10.0 / 25.4, "inches, taken for centimetres"),
];
/// How far from that the lengths may lie, as a share of it: adults differ.
const MIX_UP_TOLERANCE: f64 = 0.25;
/// Fewest lengths from which a mix-up is told.
const MIN_LENGTHS: usize = 5;
/// How many times beyond the adult models something is out of range.
const RANGE_FACTOR: f64 = 2.0;

/// What is odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// One is not smaller than another that it is smaller than on every body.
    Order,
    /// All of them look like another unit.
    Unit,
    /// Some are far from what adults measure.
    Range,
}

impl Rule {
    /// How it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Unit => "unit",
            Self::Range => "range",
        }
    }
}

/// How sure it is that something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// It is wrong on every body, or almost.
    Warning,
    /// There are bodies like this.
    Hint,
}

impl Severity {
    /// How it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Hint => "hint",
        }
    }
}

/// Something that is odd. It names measurements and never their values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// What.
    pub rule: Rule,
    /// The measurements that it is about.
    pub measurements: Vec<&'static str>,
    /// How sure that is.
    pub severity: Severity,
    /// The same in words.
    pub message: String,
}

/// What is odd about stored measurements, in millimetres and degrees.
pub fn check(measies: &Measurements) -> Vec<Warning> {
    let known = Known::of(measies);
    let mut warnings = order(&known);
    match mix_up(&known) {
        Some(warning) => warnings.push(warning),
        // A mix-up is why they are out of range.
        None => warnings.extend(range(&known)),
    }
    warnings
}

/// The number of each measurement that is known, in the order of [`NAMES`].
struct Known([Option<f64>; NAMES.len()]);

impl Known {
    fn of(measies: &Measurements) -> Self {
        let mut known = [None; NAMES.len()];
        for (name, value) in measies {
            if let Some(place) = place(name) {
                known[place] = value.as_f64();
            }
        }
        Self(known)
    }

    /// Each beside what it is among the adult models.
    fn beside_adults(&self) -> impl Iterator<Item = (&'static str, f64, Adult)> {
        let all = self.0.iter().zip(adults());
        all.filter_map(|(value, (name, adult))| Some((name, (*value)?, adult)))
    }
}

fn order(known: &Known) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for chain in &*CHAIN_PLACES {
        let mut above: Option<(&'static str, f64)> = None;
        for place in chain {
            let (smaller, Some(value)) = (NAMES[*place], known.0[*place]) else {
                continue;
            };
            if let Some((larger, greater)) = above
                && greater <= value
            {
                warnings.push(Warning {
                    rule: Rule::Order,
                    measurements: vec![larger, smaller],
                    severity: Severity::Warning,
                    message: format!("{larger} is larger than {smaller} on every body, and here it is not."),
                });
            }
            above = Some((smaller, value));
        }
    }
    warnings
}

fn mix_up(known: &Known) -> Option<Warning> {
    let lengths = known.beside_adults().filter(|(name, ..)| *name != SLOPE);
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
    // A doll is measured in whole millimetres, an adult hardly ever in whole centimetres or inches.
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

fn range(known: &Known) -> Option<Warning> {
    let is_far = |value, adult: Adult| value < adult.least / RANGE_FACTOR || value > adult.greatest * RANGE_FACTOR;
    let far = known.beside_adults().filter(|(_, value, adult)| is_far(*value, *adult));
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
