//! Simulated schedules of many processes on one store. See `bespoke_storage::simulation`.
//!
//! The large suites have to be selected by name: `cargo nextest run --workspace --run-ignored only -E
//! 'test(/^simulation::suite_/)'`.

#![allow(clippy::unwrap_used, reason = "helpers of tests do not count as tests")]

use std::ops::Range;

use bespoke_storage::Ablation;
use bespoke_storage::simulation::{Copies, Plan, SimulationReport, simulate};

/// Maximum number of failures to find.
const FAILURES_MAX: usize = 3;

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn report(seeds: Range<u64>, plan: &Plan) -> SimulationReport {
    simulate(seeds, plan, threads(), FAILURES_MAX, &|_| {})
}

/// Plays the seeds, none of which may fail.
fn assert_no_failure(seeds: Range<u64>, plan: &Plan) {
    let count = seeds.end - seeds.start;
    let report = report(seeds, plan);
    assert!(report.failures.is_empty(), "{}", report.failures[0]);
    println!("{:#?}", report.statistics);
    assert_eq!(report.statistics.seeds, count);
    assert!(report.statistics.operations >= count * 20);
    assert!(report.statistics.faults >= count * 2);
    assert!(report.statistics.bases > 0 && report.statistics.merges > 0 || count < 1_000);
}

fn in_sqlite() -> (Plan, tempfile::TempDir) {
    let memory = std::path::Path::new("/dev/shm");
    let folder = if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    };
    (Plan::new(Copies::Sqlite(folder.path().to_owned())), folder)
}

#[test]
fn no_schedule_fails_with_the_model() {
    assert_no_failure(0..1_000, &Plan::new(Copies::Model));
}

#[test]
fn no_schedule_fails_with_sqlite() {
    let (plan, _folder) = in_sqlite();
    assert_no_failure(0..40, &plan);
}

#[test]
#[ignore = "100,000 schedules: part of `make check`"]
fn suite_of_the_model() {
    assert_no_failure(0..100_000, &Plan::new(Copies::Model));
}

#[test]
#[ignore = "2,000 schedules with SQLite: part of `make check`"]
fn suite_with_sqlite() {
    let (plan, _folder) = in_sqlite();
    assert_no_failure(1_000_000..1_002_000, &plan);
}

/// Switches off a rule, and returns the first violation within 1,000 schedules.
fn violation_without(ablation: Ablation) -> String {
    let plan = Plan {
        ablation: Some(ablation),
        ..Plan::new(Copies::Model)
    };
    let report = simulate(0..1_000, &plan, threads(), 1, &|_| {});
    let failure = report.failures.first().expect("a violation without the rule");
    assert!(!failure.what.contains("not deterministic"), "{failure}");
    println!("seed {}: {}", failure.seed, failure.what);
    failure.what.clone()
}

#[test]
fn write_is_applied_twice_without_commits_table() {
    assert!(violation_without(Ablation::NoCommitsTest).contains("twice"));
}

#[test]
fn store_without_atomic_conditions_is_noticed() {
    violation_without(Ablation::CheckThenAct);
}

#[test]
fn repeated_compaction_is_noticed() {
    violation_without(Ablation::CompactionReapplied);
}

#[test]
fn compaction_without_base_ids_is_noticed() {
    violation_without(Ablation::NoBaseIds);
}

#[test]
fn compaction_without_snapshot_is_noticed() {
    violation_without(Ablation::CompactionReadsOn);
}

#[test]
fn compaction_without_floor_is_noticed() {
    assert!(violation_without(Ablation::CompactionForgetsFloor).contains("missing"));
}

#[test]
fn garbage_collection_without_the_floor_is_noticed() {
    violation_without(Ablation::GcWithoutFloor);
}

#[test]
fn garbage_collection_with_a_late_list_is_noticed() {
    violation_without(Ablation::GetBeforeList);
}

#[test]
fn missing_history_is_noticed() {
    assert!(violation_without(Ablation::NoHistory).contains("cannot be restored"));
}

#[test]
fn history_deleted_after_a_day_is_noticed() {
    assert!(violation_without(Ablation::HistoryIsGarbage).contains("cannot be restored"));
}

#[test]
fn write_retried_after_the_purge_is_applied_twice() {
    assert!(violation_without(Ablation::RerunAfterPurge).contains("twice"));
}

#[test]
fn usage_without_names_is_counted_twice() {
    assert!(violation_without(Ablation::UsageWithoutName).contains("counted twice"));
}

#[test]
fn usage_names_kept_for_a_day_only_allow_double_counting() {
    assert!(violation_without(Ablation::MergedPurgedAfterADay).contains("counted twice"));
}
