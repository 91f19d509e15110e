//! The measurements of the twenty official adult models ([`MODEL_SETS`]), and their ranges ([`Adult`]), which define what is plausible.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::{Measurements, NAMES, index_of};

/// The models as JSON. `data/NOTICE` names their source.
const MODELS: &str = include_str!("data/adult-models.json");

/// The twenty adult models by name, first women and then men, ordered by size. Millimetres and degrees.
pub static MODEL_SETS: LazyLock<Vec<(String, Measurements)>> = LazyLock::new(|| {
    let models: Map<String, Value> = serde_json::from_str(MODELS).expect("the file is part of the program");
    let model =
        |(name, measies): (String, Value)| (name, super::sanitise(measies.as_object().cloned().unwrap_or_default()));
    models.into_iter().map(model).collect()
});

/// The range of a measurement among the adult models, in the unit of [`super::unit()`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adult {
    /// Smallest value.
    pub least: f64,
    /// Median.
    pub median: f64,
    /// Largest value.
    pub greatest: f64,
}

/// The ranges in the order of [`NAMES`].
static ADULTS: LazyLock<[Adult; NAMES.len()]> = LazyLock::new(|| {
    NAMES.map(|name| {
        let values = MODEL_SETS.iter().filter_map(|(_, measies)| measies.get(name)?.as_f64());
        let mut values: Vec<f64> = values.collect();
        let median = median(&mut values).expect("every model has every measurement");
        Adult {
            least: values[0],
            median,
            greatest: values[values.len() - 1],
        }
    })
});

/// Returns the range of a measurement among the adult models; `None` for an unknown name.
pub fn adult(name: &str) -> Option<Adult> {
    index_of(name).map(|index| ADULTS[index])
}

/// Returns the name and the range of each measurement, in the order of [`NAMES`].
pub(super) fn adults() -> impl Iterator<Item = (&'static str, Adult)> {
    NAMES.into_iter().zip(*ADULTS)
}

/// Sorts the numbers and returns their median; `None` without numbers.
pub(super) fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    // The two middle values are the same one if the number of values is odd.
    let lower = values.get(values.len().checked_sub(1)? / 2)?;
    let upper = values.get(values.len() / 2)?;
    Some(f64::midpoint(*lower, *upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_measurement_has_a_range_of_twenty_adults() {
        assert_eq!(MODEL_SETS.len(), 20);
        assert!(NAMES.iter().all(|name| adult(name).is_some()));
        let Adult {
            least,
            median,
            greatest,
        } = adult("chest").unwrap();
        assert_eq!((least, greatest), (762.0, 1316.0));
        assert!(least < median && median < greatest);
        assert_eq!(adult("shoulderSlope").unwrap().least, 13.0);
        assert_eq!(adult("tail"), None);
    }

    #[test]
    fn median_of_an_even_count_is_the_midpoint() {
        assert_eq!(median(&mut [4.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&mut []), None);
    }
}
