//! [`OtelVariables`]: the standard variables of OpenTelemetry that the SDK does not read itself.

use std::collections::BTreeMap;
#[cfg(feature = "otlp")]
use std::ops::RangeInclusive;

/// The prefix of the variables.
pub(crate) const OTEL_PREFIX: &str = "OTEL_";
/// The default timeout of a call to the collector, in milliseconds.
#[cfg(feature = "otlp")]
const COLLECTOR_TIMEOUT_MS: usize = 10_000;
/// Maximum timeout that a variable can set, in milliseconds.
#[cfg(feature = "otlp")]
const MAX_COLLECTOR_TIMEOUT_MS: usize = 60_000;

/// The variables with a value.
#[derive(Debug, Clone)]
pub(crate) struct OtelVariables(BTreeMap<String, String>);

impl OtelVariables {
    pub(super) fn new(variables: impl Iterator<Item = (String, String)>) -> Self {
        Self(variables.filter(|(_, value)| !value.is_empty()).collect())
    }

    /// Whether spans are exported: the variables name a collector and none of them disables the export.
    pub(crate) fn exports_spans(&self) -> bool {
        let endpoints = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
        let exporter = self.0.get("OTEL_TRACES_EXPORTER");
        let disabled = self.0.get("OTEL_SDK_DISABLED");
        endpoints.iter().any(|name| self.0.contains_key(*name))
            && exporter.is_none_or(|names| names.split(',').any(|name| name.trim() == "otlp"))
            && disabled.is_none_or(|text| !text.eq_ignore_ascii_case("true"))
    }

    /// The timeout of a call to the collector, in milliseconds.
    #[cfg(feature = "otlp")]
    pub(crate) fn collector_timeout_ms(&self) -> u64 {
        let bounds = 1..=MAX_COLLECTOR_TIMEOUT_MS;
        let default = self.number("OTEL_EXPORTER_OTLP_TIMEOUT", COLLECTOR_TIMEOUT_MS, bounds.clone());
        self.number("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", default, bounds) as u64
    }

    /// Parses a numeric variable and clamps it to `bounds`.
    #[cfg(feature = "otlp")]
    pub(crate) fn number(&self, name: &str, default: usize, bounds: RangeInclusive<usize>) -> usize {
        let value = self.0.get(name).and_then(|text| text.parse().ok());
        value.unwrap_or(default).clamp(*bounds.start(), *bounds.end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> OtelVariables {
        let variables = variables.iter();
        OtelVariables::new(variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn spans_are_exported_only_to_a_named_collector() {
        let exports = |variables: &[(&str, &str)]| of(variables).exports_spans();
        let (endpoint, traces) = (
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://localhost:4318/v1/traces"),
        );
        assert!(!exports(&[]) && !exports(&[("OTEL_SERVICE_NAME", "x"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "")]));
        assert!(exports(&[endpoint]) && exports(&[traces]));
        let on = [("OTEL_TRACES_EXPORTER", "otlp"), ("OTEL_SDK_DISABLED", "false")];
        assert!(exports(&[endpoint, on[0], on[1]]));
        assert!(!exports(&[endpoint, ("OTEL_TRACES_EXPORTER", "none")]));
        assert!(!exports(&[endpoint, ("OTEL_SDK_DISABLED", "TRUE")]));
    }

    #[cfg(feature = "otlp")]
    #[test]
    fn numbers_are_bounded() {
        let variables = of(&[
            ("A", "0"),
            ("B", "99999999999999"),
            ("C", "7"),
            ("D", "-1"),
            ("E", "many"),
        ]);
        let numbers = ["A", "B", "C", "D", "E", "F"].map(|name| variables.number(name, 5, 1..=10));
        assert_eq!(numbers, [1, 10, 7, 5, 5, 5]);
        let timeouts = [
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "2000"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "3000"),
        ];
        assert_eq!(of(&[]).collector_timeout_ms(), 10_000);
        assert_eq!(of(&timeouts[..1]).collector_timeout_ms(), 2_000);
        assert_eq!(of(&timeouts).collector_timeout_ms(), 3_000);
    }
}
