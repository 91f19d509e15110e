//! Methods of [`Schedule`] that check the results of reads, and the ledger at the end of a schedule.

use std::collections::{BTreeMap, BTreeSet};

use super::operation::{Kind, Operation};
use super::schedule::Schedule;
use crate::limits::USAGE_BATCH_KEPT_MS;
use crate::version::Version;

impl Schedule<'_> {
    /// Checks that a read saw every write that was acknowledged before the read began, and only committed states.
    pub(super) fn check_read(&mut self, index: usize, ledger: &[u32], digests: &[(Version, u64)]) {
        let before = &self.acknowledged[..self.operations[index].acknowledged];
        let mut network = self.shared.lock();
        let missing = before.iter().find(|write| {
            let id = Operation::id_of(**write);
            !ledger.contains(&id) && !network.checker.ever_undone.contains(&id)
        });
        if let Some(write) = missing {
            network.checker.report(format!(
                "read {index} does not see write {write}, which was acknowledged before the read began"
            ));
        }
        for (version, digest) in digests {
            if network.checker.states.get(version) != Some(digest) {
                network.checker.report(format!(
                    "read {index} sees another content of {version} than was committed"
                ));
            }
        }
    }

    /// Checks that no id is counted twice, and that no counted id is missing. An id may be missing if the process that
    /// counted it has died, if it is some days old, or if a restore may have undone it.
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
            let must_exist =
                network.checker.restores == 0 && self.processes[process].is_running() && age_ms < USAGE_BATCH_KEPT_MS;
            if must_exist && !seen.contains(&Operation::id_of(index)) {
                return Err(format!("{index} was counted and is missing"));
            }
        }
        Ok(())
    }

    /// Checks that every acknowledged write is in the ledger once, after all writes that were acknowledged before it
    /// began.
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
            let mut earlier_places = earlier.iter().filter_map(|write| places.get(&Operation::id_of(*write)));
            if earlier_places.any(|earlier_place| earlier_place > place) {
                return Err(format!(
                    "write {write} is in the ledger before a write that was acknowledged before it began"
                ));
            }
        }
        Ok(())
    }
}
