//! [`SimulationReport`]: the results of a simulation.

/// Counters over a number of schedules.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SimulationStatistics {
    /// Number of schedules.
    pub seeds: u64,
    /// Number of operations of clients and of maintenance, at least 20 in each schedule.
    pub operations: u64,
    /// Number of acknowledged writes.
    pub acknowledged: u64,
    /// Number of faults, at least 2 in each schedule: lost requests and responses, late arrivals, crashes, stalls,
    /// jumps of the clock.
    pub faults: u64,
    /// Number of calls to the store.
    pub calls: u64,
    /// Number of accepted PUTs of `head`. Each was checked.
    pub head_puts: u64,
    /// Number of changes of the base.
    pub bases: u64,
    /// Number of heads with other segments than their predecessors.
    pub segments: u64,
    /// Number of merges of segments.
    pub merges: u64,
    /// Number of restores.
    pub restores: u64,
    /// Number of deleted objects.
    pub deleted: u64,
}

impl SimulationStatistics {
    pub(super) fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.operations += other.operations;
        self.acknowledged += other.acknowledged;
        self.faults += other.faults;
        self.calls += other.calls;
        self.head_puts += other.head_puts;
        self.bases += other.bases;
        self.segments += other.segments;
        self.merges += other.merges;
        self.restores += other.restores;
        self.deleted += other.deleted;
    }
}

/// A schedule in which an invariant was violated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulationFailure {
    /// The seed that gives the same schedule again.
    pub seed: u64,
    /// The violation.
    pub what: String,
    /// The recorded steps, each with its number, the store's time and the event.
    pub schedule: Vec<String>,
}

impl std::fmt::Display for SimulationFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "seed {}: {}", self.seed, self.what)?;
        for line in &self.schedule {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

/// The results of many schedules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SimulationReport {
    /// The sum over all schedules.
    pub statistics: SimulationStatistics,
    /// The failed schedules, ordered by their seeds.
    pub failures: Vec<SimulationFailure>,
}
