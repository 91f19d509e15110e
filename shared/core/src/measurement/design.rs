//! Designs: which measurements a garment is drafted from.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::{Measurements, unit};

/// Where these come from is said in `data/NOTICE`.
const DESIGNS: &str = include_str!("data/designs.json");
/// Most designs of one list.
pub const MAX_DESIGNS: usize = 1000;
/// The longest name of a design, in bytes.
pub const MAX_DESIGN_NAME_BYTES: usize = 64;

/// The designs of a program that was told of no others, by name.
pub static EMBEDDED_DESIGNS: LazyLock<Vec<Design>> =
    LazyLock::new(|| parse_designs(DESIGNS).expect("the file is part of the program"));

/// A design and the measurements that it is drafted from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Design {
    /// Name.
    pub name: String,
    /// What it needs.
    pub needs: Needs,
}

/// Which measurements a design is drafted from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Needs {
    /// Without these it cannot be drafted.
    #[serde(alias = "req")]
    pub required: Vec<String>,
    /// With these it is drafted better.
    #[serde(alias = "opt", default)]
    pub optional: Vec<String>,
}

/// A list of designs that cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum DesignError {
    /// It is not in the form of one.
    #[error("it is no JSON object of designs: {0}")]
    Form(#[from] serde_json::Error),
    /// It has none, or more than [`MAX_DESIGNS`].
    #[error("there have to be 1 to {MAX_DESIGNS} designs")]
    Count,
    /// A name that cannot be one.
    #[error("`{0}` is no name of a design: lower-case letters, digits and hyphens, at most {MAX_DESIGN_NAME_BYTES}")]
    Name(String),
    /// A design that needs what is no measurement.
    #[error("{design}: `{measurement}` is no measurement")]
    Measurement {
        /// The design.
        design: String,
        /// What it needs.
        measurement: String,
    },
}

/// Reads a list of designs: `{"aaron": {"required": ["chest"], "optional": []}}`. Gives them by name.
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
    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.required.iter().chain(&self.optional).map(String::as_str)
    }

    /// Those of the required that are not there.
    pub fn missing(&self, measies: &Measurements) -> Vec<String> {
        missing(&self.required, measies)
    }

    /// Those of the optional that are not there.
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
    fn fifty_five_designs_are_there_from_the_start() {
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
    fn what_is_missing_is_named() {
        let needs = &EMBEDDED_DESIGNS[0].needs;
        let mut measies = crate::measurement::MODEL_SETS[0].1.clone();
        measies.retain(|name, _| !["hips", "highBust", "ankle"].contains(&name.as_str()));
        assert_eq!(needs.missing(&measies), ["hips"]);
        assert_eq!(needs.missing_optional(&measies), ["highBust"]);
    }

    #[test]
    fn a_list_that_cannot_be_used_is_refused_with_the_reason() {
        let said = |list: &serde_json::Value| parse_designs(&list.to_string()).unwrap_err().to_string();
        assert!(said(&json!([])).starts_with("it is no JSON object of designs"));
        assert!(said(&json!({})).starts_with("there have to be"));
        assert!(said(&json!({ "a": { "required": ["tail"] } })).contains("a: `tail` is no measurement"));
        assert!(said(&json!({ "a": { "required": [], "optional": ["tail"] } })).contains("`tail`"));
        assert!(said(&json!({ "A b": { "required": [] } })).starts_with("`A b` is no name"));
        assert!(said(&json!({ "a": { "optional": [] } })).contains("required"));
        assert!(said(&json!({ "a": { "required": [], "needs": [] } })).contains("needs"));
        let short = json!({ "mine-2": { "req": ["chest"], "opt": ["neck"] } });
        let mine = &parse_designs(&short.to_string()).unwrap()[0];
        assert_eq!(mine.needs.all().collect::<Vec<_>>(), ["chest", "neck"]);
    }
}
