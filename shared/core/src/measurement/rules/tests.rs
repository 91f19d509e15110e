//! Tests of the warnings, with the official models of adults, dolls and giants.

use serde_json::{Map, Value, json};

use super::super::{Unit, unit};
use super::*;
use crate::measurement::MODEL_SETS;

/// The models of dolls and giants.
fn others() -> Vec<(String, Measurements)> {
    let models: Map<String, Value> = serde_json::from_str(include_str!("../data/other-models.json")).unwrap();
    let model = |(name, measies): (String, Value)| (name, measies.as_object().unwrap().clone());
    models.into_iter().map(model).collect()
}

fn scaled(measies: &Measurements, factor: f64) -> Measurements {
    let scale = |(name, value): (&String, &Value)| {
        let factor = if unit(name) == Some(Unit::Degree) { 1.0 } else { factor };
        (name.clone(), json!(value.as_f64().unwrap() * factor))
    };
    measies.iter().map(scale).collect()
}

#[test]
fn official_models_have_no_order_warnings() {
    let all: Vec<_> = MODEL_SETS.iter().cloned().chain(others()).collect();
    assert_eq!(all.len(), 40);
    for (name, measies) in all {
        assert_eq!(measies.len(), NAMES.len(), "{name}");
        assert_eq!(order(&KnownValues::of(&measies)), [], "{name}");
    }
}

#[test]
fn adult_models_have_no_warnings() {
    for (name, measies) in MODEL_SETS.iter() {
        assert_eq!(check(measies), [], "{name}");
    }
}

#[test]
fn unit_mix_up_is_detected_on_each_adult() {
    for (name, measies) in MODEL_SETS.iter() {
        for (factor, words) in MIX_UPS {
            let warnings = check(&scaled(measies, factor));
            let [warning] = &warnings[..] else {
                panic!("{name} {factor}: {warnings:?}")
            };
            assert_eq!(warning.rule, Rule::Unit, "{name}");
            assert_eq!(warning.message, format!("These look like {words}."), "{name}");
            assert_eq!(warning.measurements.len(), 37, "all lengths and no angle");
        }
    }
}

#[test]
fn unit_mix_up_needs_five_lengths() {
    let few = |count| {
        let body = &MODEL_SETS[3].1;
        scaled(&body.clone().into_iter().take(count).collect(), 0.1)
    };
    assert!(mix_up(&KnownValues::of(&few(4))).is_none());
    assert!(mix_up(&KnownValues::of(&few(5))).is_some());
    let mut angle = few(4);
    angle.insert("shoulderSlope".into(), json!(1.3));
    assert!(mix_up(&KnownValues::of(&angle)).is_none(), "an angle is not a length");
}

#[test]
fn each_broken_chain_is_reported() {
    let body = &MODEL_SETS[3].1;
    let mut broken = 0;
    for chain in CHAINS {
        for pair in chain.windows(2) {
            // Equal values break the chain, too.
            let mut measies = body.clone();
            measies.insert(pair[1].into(), body[pair[0]].clone());
            let named = |warning: &Warning| warning.measurements == pair && warning.rule == Rule::Order;
            let warnings = check(&measies);
            assert!(warnings.iter().any(named), "{pair:?}: {warnings:?}");
            broken += 1;
        }
    }
    assert_eq!(broken, 16);
    // If the measurements between are missing, the ends of a chain are compared.
    let ends = json!({ "waistToFloor": 100, "waistToHips": 1050 });
    let [warning] = &order(&KnownValues::of(ends.as_object().unwrap()))[..] else {
        panic!("one warning")
    };
    assert_eq!(warning.measurements, ["waistToFloor", "waistToHips"]);
}

#[test]
fn dolls_and_giants_get_hints_only() {
    for (name, measies) in others() {
        assert_eq!(crate::measurement::sanitise(measies.clone()).len(), NAMES.len());
        assert!(
            measies
                .iter()
                .all(|(measurement, value)| super::super::is_plausible(measurement, value)),
            "{name}"
        );
        let warnings = check(&measies);
        assert!(
            warnings.iter().all(|warning| warning.severity == Severity::Hint),
            "{name}: {warnings:?}"
        );
    }
    let (_, doll) = &others()[0];
    assert_eq!(check(doll)[0].rule, Rule::Unit);
}

#[test]
fn value_out_of_range_gets_a_hint() {
    let body = &MODEL_SETS[3].1;
    for (name, value, far) in [
        ("neck", 1001.0, true),
        ("neck", 999.0, false),
        ("neck", 139.0, true),
        ("shoulderSlope", 27.0, true),
        ("shoulderSlope", 25.0, false),
    ] {
        let mut measies = body.clone();
        measies.insert(name.into(), json!(value));
        let warning = range(&KnownValues::of(&measies));
        assert_eq!(warning.is_some(), far, "{name} {value}");
        assert!(warning.is_none_or(|warning| warning.measurements == [name]));
    }
    assert_eq!(check(&Map::new()), []);
}
