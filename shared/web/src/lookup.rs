//! What a lookup of measurements asks for, and its answer: the measurements, whether a design can be drafted from them, and what is
//! odd about them.

use std::sync::Arc;

use bespoke_core::Timestamp;
use bespoke_core::measurement::{self, Design, LengthUnit, Measurements, Warning};
use bespoke_database::{Db, designs};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{Error, Outcome, Result};

/// The query of a lookup.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Asked {
    /// A design. The answer has what it is drafted from, and says what is missing for it.
    #[param(example = "aaron")]
    pub design: Option<String>,
    /// The unit of lengths in the answer: `mm` (without this field), `cm` or `in`. Angles are in degrees in any case.
    #[param(pattern = "^(mm|cm|in)$")]
    pub units: Option<String>,
    /// Which measurements to answer with: those that the design requires (`required`), those and the ones that it can use
    /// (`design`, which it is with a design), or all that there are (`all`, which it is without one).
    #[param(pattern = "^(required|design|all)$")]
    pub only: Option<String>,
}

#[derive(Debug, Clone, Copy)]
enum Only {
    Required,
    Design,
    All,
}

/// What is asked for, with what is known of the design.
#[derive(Debug, Clone)]
pub struct Lookup {
    design: Option<Arc<Design>>,
    units: LengthUnit,
    only: Only,
}

/// The set that a lookup is about.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are those of the entity")]
pub struct SetHead {
    pub id: i64,
    pub uuid: Uuid,
    pub name: String,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// The answer to a lookup.
#[derive(Debug, Serialize, ToSchema)]
pub struct Verdict {
    result: Outcome,
    /// The set; left out where none was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    set: Option<SetHead>,
    /// The unit of lengths: `mm`, `cm` or `in`.
    #[schema(pattern = "^(mm|cm|in)$")]
    units: &'static str,
    #[schema(value_type = crate::view::schema::Measurements)]
    measurements: Measurements,
    /// The design; left out where none was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    design: Option<DesignVerdict>,
    /// What is odd about all that is known of the body. It advises: bodies differ.
    warnings: Vec<WarningView>,
}

/// Whether a design can be drafted.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DesignVerdict)]
struct DesignVerdict {
    name: String,
    /// Whether every measurement that it requires is there.
    complete: bool,
    /// What it requires and is not there.
    missing: Vec<String>,
    /// What it can use and is not there.
    missing_optional: Vec<String>,
}

/// Something odd.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MeasurementWarning)]
struct WarningView {
    /// `order`: one is not smaller than another that it is smaller than on every body. `unit`: they look like another unit.
    /// `range`: they are far from what adults measure.
    #[schema(pattern = "^(order|unit|range)$")]
    rule: &'static str,
    /// The measurements that it is about.
    measurements: Vec<&'static str>,
    /// `warning`, or `hint` for what there are bodies of.
    #[schema(pattern = "^(warning|hint)$")]
    severity: &'static str,
    message: String,
}

impl From<Warning> for WarningView {
    fn from(warning: Warning) -> Self {
        Self {
            rule: warning.rule.name(),
            measurements: warning.measurements,
            severity: warning.severity.name(),
            message: warning.message,
        }
    }
}

/// A unit of lengths as a request names it; millimetres where it names none.
///
/// # Errors
/// 400 `unitsUnknown`
pub fn units(name: Option<&str>) -> Result<LengthUnit> {
    let unit = name.map_or(Ok(LengthUnit::Millimetre), str::parse);
    unit.map_err(|_| Error::bad_request("unitsUnknown"))
}

impl Asked {
    /// What is asked for, with what the database knows of the design.
    ///
    /// # Errors
    /// 400 `unitsUnknown`, `onlyUnknown`, `designUnknown`; `designMissing` when measurements of none are asked for.
    pub fn read(&self, db: &Db<'_>) -> Result<Lookup> {
        let units = units(self.units.as_deref())?;
        let only = match (self.only.as_deref(), &self.design) {
            (Some("all"), _) | (None, None) => Only::All,
            (Some("design"), Some(_)) | (None, Some(_)) => Only::Design,
            (Some("required"), Some(_)) => Only::Required,
            (Some("design" | "required"), None) => return Err(Error::bad_request("designMissing")),
            _ => return Err(Error::bad_request("onlyUnknown")),
        };
        let design = match &self.design {
            Some(name) => {
                Some(designs::by_name(db, &name.to_ascii_lowercase())?.ok_or(Error::bad_request("designUnknown"))?)
            }
            None => None,
        };
        Ok(Lookup { design, units, only })
    }
}

impl Lookup {
    /// The answer for stored measurements.
    pub fn answer(self, set: Option<SetHead>, stored: Measurements) -> Verdict {
        let Self { design, units, only } = self;
        let warnings = measurement::check(&stored).into_iter().map(Into::into).collect();
        let verdict = design.as_ref().map(|design| DesignVerdict::of(design, &stored));
        let mut measurements = stored;
        if let Some(design) = &design {
            measurements.retain(|name, _| match only {
                Only::All => true,
                Only::Design => design.needs.all().any(|needed| needed == name),
                Only::Required => design.needs.required.contains(name),
            });
        }
        Verdict {
            result: Outcome::Success,
            set,
            units: units.name(),
            measurements: units.from_stored(measurements),
            design: verdict,
            warnings,
        }
    }
}

impl DesignVerdict {
    fn of(design: &Design, stored: &Measurements) -> Self {
        let missing = design.needs.missing(stored);
        Self {
            name: design.name.clone(),
            complete: missing.is_empty(),
            missing,
            missing_optional: design.needs.missing_optional(stored),
        }
    }
}
