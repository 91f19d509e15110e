//! [`Design`]: a design and the measurements from which it is drafted. [`parse_designs`] parses the operator's list of designs.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::{Measurements, unit};

/// The built-in designs as JSON. `data/NOTICE` names their source.
const DESIGNS: &str = include_str!("data/designs.json");
/// The maximum number of designs in one list.
pub const MAX_DESIGNS: usize = 1000;
/// Maximum length of the name of a design, in bytes.
pub const MAX_DESIGN_NAME_BYTES: usize = 64;

/// The built-in designs, by name. They are used until an operator loads another list.
pub static EMBEDDED_DESIGNS: LazyLock<Vec<Design>> =
    LazyLock::new(|| parse_designs(DESIGNS).expect("the file is part of the program"));

/// A design and its measurements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Design {
    /// Name.
    pub name: String,
    /// Its measurements.
    pub needs: Needs,
}

/// The measurements of a design.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Needs {
    /// Measurements without which the design cannot be drafted.
    #[serde(alias = "req")]
    pub required: Vec<String>,
    /// Measurements that improve the draft.
    #[serde(alias = "opt", default)]
    pub optional: Vec<String>,
}

/// The reason why a list of designs is invalid.
#[derive(Debug, thiserror::Error)]
pub enum DesignError {
    /// The JSON has another form.
    #[error("not a JSON object of designs: {0}")]
    Form(#[from] serde_json::Error),
    /// The list is empty or has more than [`MAX_DESIGNS`].
    #[error("a list must contain 1 to {MAX_DESIGNS} designs")]
    Count,
    /// An invalid name.
    #[error(
        "`{0}` is not a valid name of a design: use lower-case letters, digits and hyphens, at most {MAX_DESIGN_NAME_BYTES}"
    )]
    Name(String),
    /// A design with an unknown measurement.
    #[error("{design}: `{measurement}` is not a measurement")]
    Measurement {
        /// The design.
        design: String,
        /// The unknown name.
        measurement: String,
    },
}

/// Parses a list of designs: `{"aaron": {"required": ["chest"], "optional": []}}`. Returns the designs ordered by name.
///
/// # Errors
/// [`DesignError`]
pub fn parse_designs(text: &str) -> Result<Vec<Design>, DesignError> {
    let list: std::collections::BTreeMap<String, Needs> = serde_json::from_str(text)?;
    if !(1..=MAX_DESIGNS).contains(&list.len()) {
        return Err(DesignError::Count);
    }
    list.into_iter()
        .map(|(name, needs)| Design { name, needs }.checked())
        .collect()
}

impl Design {
    fn checked(self) -> Result<Self, DesignError> {
        let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !(1..=MAX_DESIGN_NAME_BYTES).contains(&self.name.len()) || !self.name.chars().all(is_part) {
            return Err(DesignError::Name(self.name));
        }
        let unknown = self.needs.all().find(|name| unit(name).is_none()).map(str::to_owned);
        match unknown {
            None => Ok(self),
            Some(measurement) => Err(DesignError::Measurement {
                measurement,
                design: self.name,
            }),
        }
    }
}

impl Needs {
    /// All measurements.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.required.iter().chain(&self.optional).map(String::as_str)
    }

    /// Returns the missing required measurements.
    pub fn missing(&self, measies: &Measurements) -> Vec<String> {
        missing(&self.required, measies)
    }

    /// Returns the missing optional measurements.
    pub fn missing_optional(&self, measies: &Measurements) -> Vec<String> {
        missing(&self.optional, measies)
    }
}

fn missing(names: &[String], measies: &Measurements) -> Vec<String> {
    names
        .iter()
        .filter(|name| !measies.contains_key(*name))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fifty_five_designs_are_built_in() {
        assert_eq!(EMBEDDED_DESIGNS.len(), 55);
        let aaron = &EMBEDDED_DESIGNS[0];
        assert_eq!((aaron.name.as_str(), aaron.needs.required.len()), ("aaron", 10));
        assert_eq!(aaron.needs.optional, ["highBust"]);
        for design in EMBEDDED_DESIGNS.iter() {
            let missing = design.needs.missing(&crate::measurement::MODEL_SETS[0].1);
            assert!(missing.is_empty(), "{} lacks {missing:?}", design.name);
        }
    }

    #[test]
    fn missing_measurements_are_listed() {
        let needs = &EMBEDDED_DESIGNS[0].needs;
        let mut measies = crate::measurement::MODEL_SETS[0].1.clone();
        measies.retain(|name, _| !["hips", "highBust", "ankle"].contains(&name.as_str()));
        assert_eq!(needs.missing(&measies), ["hips"]);
        assert_eq!(needs.missing_optional(&measies), ["highBust"]);
    }

    #[test]
    fn invalid_list_is_rejected_with_the_reason() {
        let error = |list: &serde_json::Value| parse_designs(&list.to_string()).unwrap_err().to_string();
        assert!(error(&json!([])).starts_with("not a JSON object of designs"));
        assert!(error(&json!({})).starts_with("a list must contain"));
        assert!(error(&json!({ "a": { "required": ["tail"] } })).contains("a: `tail` is not a measurement"));
        assert!(error(&json!({ "a": { "required": [], "optional": ["tail"] } })).contains("`tail`"));
        assert!(error(&json!({ "A b": { "required": [] } })).starts_with("`A b` is not a valid name"));
        assert!(error(&json!({ "a": { "optional": [] } })).contains("required"));
        assert!(error(&json!({ "a": { "required": [], "needs": [] } })).contains("needs"));
        let short = json!({ "mine-2": { "req": ["chest"], "opt": ["neck"] } });
        let mine = &parse_designs(&short.to_string()).unwrap()[0];
        assert_eq!(mine.needs.all().collect::<Vec<_>>(), ["chest", "neck"]);
    }
}
