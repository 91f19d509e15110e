//! Schedules of many processes on one store, by seed. See `bespoke_storage::simulation`.
//!
//! The big suites are run by name: `cargo nextest run --workspace --run-ignored only -E 'test(/^suite_/)'`.

#![allow(clippy::unwrap_used, reason = "helpers of tests count as no test themselves")]

use std::ops::Range;

use bespoke_storage::Ablation;
use bespoke_storage::simulation::{Copies, Plan, Report, simulate};

/// Failures that are worth printing.
const FAILURES_MAX: usize = 3;

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn report(seeds: Range<u64>, plan: &Plan) -> Report {
    simulate(seeds, plan, threads(), FAILURES_MAX, &|_| {})
}

/// Plays the seeds; none of them fails.
fn holds(seeds: Range<u64>, plan: &Plan) {
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
fn no_schedule_breaks_the_model() {
    holds(0..1_000, &Plan::new(Copies::Model));
}

#[test]
fn no_schedule_breaks_sqlite() {
    let (plan, _folder) = in_sqlite();
    holds(0..40, &plan);
}

#[test]
#[ignore = "100,000 schedules: part of `make check`"]
fn suite_of_the_model() {
    holds(0..100_000, &Plan::new(Copies::Model));
}

#[test]
#[ignore = "2,000 schedules with SQLite: part of `make check`"]
fn suite_with_sqlite() {
    let (plan, _folder) = in_sqlite();
    holds(1_000_000..1_002_000, &plan);
}

/// Without this rule, the checker must find something within 1,000 schedules.
fn is_caught(ablation: Ablation) -> String {
    let plan = Plan {
        ablation: Some(ablation),
        ..Plan::new(Copies::Model)
    };
    let report = simulate(0..1_000, &plan, threads(), 1, &|_| {});
    let failure = report.failures.first().expect("a rule that nothing notices");
    assert!(!failure.what.contains("not deterministic"), "{failure}");
    println!("seed {}: {}", failure.seed, failure.what);
    failure.what.clone()
}

#[test]
fn without_the_commits_test_a_write_takes_place_twice() {
    assert!(is_caught(Ablation::NoCommitsTest).contains("twice"));
}

#[test]
fn a_store_that_checks_and_then_acts_is_noticed() {
    is_caught(Ablation::CheckThenAct);
}

#[test]
fn a_compaction_that_is_applied_again_is_noticed() {
    is_caught(Ablation::CompactionReapplied);
}

#[test]
fn two_compactors_without_base_ids_are_noticed() {
    is_caught(Ablation::NoBaseIds);
}

#[test]
fn a_compaction_that_reads_what_came_later_is_noticed() {
    is_caught(Ablation::CompactionReadsOn);
}

#[test]
fn a_compaction_whose_objects_may_be_gone_is_noticed() {
    assert!(is_caught(Ablation::CompactionForgetsFloor).contains("missing"));
}

#[test]
fn garbage_collection_without_the_floor_is_noticed() {
    is_caught(Ablation::GcWithoutFloor);
}

#[test]
fn garbage_collection_that_lists_too_late_is_noticed() {
    is_caught(Ablation::GetBeforeList);
}

#[test]
fn commits_that_are_not_kept_apart_are_noticed() {
    assert!(is_caught(Ablation::NoHistory).contains("cannot be restored"));
}

#[test]
fn history_that_is_collected_after_a_day_is_noticed() {
    assert!(is_caught(Ablation::HistoryIsGarbage).contains("cannot be restored"));
}

#[test]
fn a_write_that_is_run_again_after_the_purge_takes_place_twice() {
    assert!(is_caught(Ablation::RerunAfterPurge).contains("twice"));
}

#[test]
fn counts_that_are_folded_without_their_name_are_counted_twice() {
    assert!(is_caught(Ablation::UsageWithoutName).contains("counted twice"));
}

#[test]
fn names_of_counts_that_are_forgotten_after_a_day_let_them_be_counted_twice() {
    assert!(is_caught(Ablation::MergedPurgedAfterADay).contains("counted twice"));
}
