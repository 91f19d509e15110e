//! Checks the results of reads, and the ledger at the end of a schedule.

use std::collections::{BTreeMap, BTreeSet};

use super::operation::{Kind, Operation};
use super::schedule::Schedule;
use crate::limits::USAGE_BATCH_KEPT_MS;
use crate::version::Version;

impl Schedule<'_> {
    pub(super) fn check_read(&mut self, index: usize, ledger: &[u32], digests: &[(Version, u64)]) {
        let before = &self.acknowledged[..self.operations[index].acknowledged];
        let mut network = self.shared.lock();
        let missing = before.iter().find(|write| {
            let id = Operation::id_of(**write);
            !ledger.contains(&id) && !network.checker.once_undone.contains(&id)
        });
        if let Some(write) = missing {
            network
                .checker
                .report(format!("{index} does not see {write}, acknowledged before it began"));
        }
        for (version, digest) in digests {
            if network.checker.states.get(version) != Some(digest) {
                network
                    .checker
                    .report(format!("{index} sees another {version} than was committed"));
            }
        }
    }

    /// No id is counted twice. The ids that a running process counted are in the database, unless they are some days
    /// old or a restore may have undone them.
    pub(super) fn check_counted(&self, counted: &[u32]) -> Result<(), String> {
        let network = self.shared.lock();
        let mut seen = BTreeSet::new();
        if let Some(id) = counted.iter().find(|id| !seen.insert(**id)) {
            return Err(format!("{} is counted twice", Operation::index_of(*id)));
        }
        for (index, operation) in self.operations.iter().enumerate() {
            let Some(process) = operation.done_at.filter(|_| operation.kind == Kind::Count) else {
                continue;
            };
            let age_ms = network.now_ms - operation.first_ms.unwrap_or(0);
            let kept =
                network.checker.restores == 0 && self.processes[process].is_running() && age_ms < USAGE_BATCH_KEPT_MS;
            if kept && !seen.contains(&Operation::id_of(index)) {
                return Err(format!("{index} was counted and is missing"));
            }
        }
        Ok(())
    }

    /// Every acknowledged write is in the ledger once, after all writes that were acknowledged before it began.
    pub(super) fn check_ledger(&self, ledger: &[u32]) -> Result<(), String> {
        let network = self.shared.lock();
        let mut places = BTreeMap::new();
        for (place, id) in ledger.iter().enumerate() {
            if places.insert(*id, place).is_some() {
                return Err(format!("write {} took place twice", Operation::index_of(*id)));
            }
        }
        for write in &self.acknowledged {
            let id = Operation::id_of(*write);
            let Some(place) = places.get(&id) else {
                if network.checker.undone.contains(&id) {
                    continue;
                }
                return Err(format!("write {write} was acknowledged and is missing"));
            };
            let earlier = &self.acknowledged[..self.operations[*write].acknowledged];
            let later = earlier.iter().filter_map(|write| places.get(&Operation::id_of(*write)));
            if later.into_iter().any(|earlier| earlier > place) {
                return Err(format!("write {write} stands before one that was over when it began"));
            }
        }
        Ok(())
    }
}
