//! [`Lookup`]: looks up measurements, and builds the response: the measurements in the requested units, their completeness for a design,
//! and warnings.

use std::sync::Arc;

use bespoke_core::Timestamp;
use bespoke_core::measurement::{self, Design, LengthUnit, Measurements, Warning};
use bespoke_database::{Db, designs};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::response::{Error, Outcome, Result};

/// The query of a lookup.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LookupQuery {
    /// A design. The response contains its measurements, and lists those that are missing.
    #[param(example = "aaron")]
    pub design: Option<String>,
    /// The unit of lengths in the response: `mm` (the default), `cm` or `in`. Angles are always in degrees.
    #[param(pattern = "^(mm|cm|in)$")]
    pub units: Option<String>,
    /// The measurements in the response: those that the design requires (`required`), those and the optional ones (`design`, the default with a
    /// design), or all (`all`, the default without a design).
    #[param(pattern = "^(required|design|all)$")]
    pub only: Option<String>,
}

#[derive(Debug, Clone, Copy)]
enum Only {
    Required,
    Design,
    All,
}

/// A parsed query, with the design from the database.
#[derive(Debug, Clone)]
pub struct Lookup {
    design: Option<Arc<Design>>,
    units: LengthUnit,
    only: Only,
}

/// The set of a lookup.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SetHead)]
#[expect(missing_docs, reason = "the fields are those of the entity")]
pub struct SetSummary {
    pub id: i64,
    pub uuid: Uuid,
    pub name: String,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// The response to a lookup.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Verdict)]
pub struct LookupResponse {
    result: Outcome,
    /// The set, if the lookup is for a set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    set: Option<SetSummary>,
    /// The unit of lengths: `mm`, `cm` or `in`.
    #[schema(pattern = "^(mm|cm|in)$")]
    units: &'static str,
    #[schema(value_type = crate::view::schema::Measurements)]
    measurements: Measurements,
    /// The design, if the query names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    design: Option<DesignCheck>,
    /// Warnings about implausible measurements. They are advice, because bodies differ.
    warnings: Vec<WarningView>,
}

/// Whether a design can be drafted.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DesignVerdict)]
struct DesignCheck {
    name: String,
    /// Whether all required measurements exist.
    complete: bool,
    /// Missing required measurements.
    missing: Vec<String>,
    /// Missing optional measurements.
    missing_optional: Vec<String>,
}

/// A warning about measurements.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MeasurementWarning)]
struct WarningView {
    /// `order`: a measurement is not smaller than another one, although it is on every body. `unit`: the measurements seem to be in another unit.
    /// `range`: a measurement is far from those of adults.
    #[schema(pattern = "^(order|unit|range)$")]
    rule: &'static str,
    /// The names of the measurements.
    measurements: Vec<&'static str>,
    /// `warning`, or `hint` if some bodies have such measurements.
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

/// Parses a unit of lengths. The default is millimetres.
///
/// # Errors
/// 400 `unitsUnknown`
fn units(name: Option<&str>) -> Result<LengthUnit> {
    let unit = name.map_or(Ok(LengthUnit::Millimetre), str::parse);
    unit.map_err(|_| Error::bad_request("unitsUnknown"))
}

impl LookupQuery {
    /// Parses the query and reads the design from the database.
    ///
    /// # Errors
    /// 400 `unitsUnknown`, `onlyUnknown`, `designUnknown`; `designMissing` if `only` requires a design.
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
    /// Returns the response for stored measurements.
    pub fn into_response(self, set: Option<SetSummary>, stored: Measurements) -> LookupResponse {
        let Self { design, units, only } = self;
        let warnings = measurement::check(&stored).into_iter().map(Into::into).collect();
        let check = design.as_ref().map(|design| DesignCheck::of(design, &stored));
        let mut measurements = stored;
        if let Some(design) = &design {
            measurements.retain(|name, _| match only {
                Only::All => true,
                Only::Design => design.needs.all().any(|needed| needed == name),
                Only::Required => design.needs.required.contains(name),
            });
        }
        LookupResponse {
            result: Outcome::Success,
            set,
            units: units.name(),
            measurements: units.from_stored(measurements),
            design: check,
            warnings,
        }
    }
}

impl DesignCheck {
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
