//! Methods of [`Schedule`] that start operations and processes.

use std::sync::{Arc, PoisonError};

use super::endpoints::{SimClock, SimStore};
use super::network::Timing;
use super::operation::{Kind, Outcome, Progress, perform};
use super::process::{Process, environment_of, options_of};
use super::schedule::{HOUR_MS, REPEAT_MS, Schedule, TUNING, TUNING_OF_SQLITE};
use crate::engine::Engine;
use crate::limits::Tuning;
use crate::tasks::Tasks;

impl Schedule<'_> {
    /// Begins the operation with this index, unless it is a write that is too old to be retried.
    pub(super) fn start(&mut self, index: usize) {
        let now_ms = self.shared.lock().now_ms;
        let began_ms = self.operations[index].first_ms.unwrap_or(now_ms);
        if matches!(self.operations[index].kind, Kind::Write(_)) && now_ms - began_ms > REPEAT_MS {
            self.operations[index].progress = Progress::GivenUp;
            return;
        }
        let process = if self.operations[index].kind == Kind::Cold {
            self.start_process(true, Some(index))
        } else {
            let hosts = self.hosts(&self.operations[index]);
            let Some(process) = self.dice.pick(&hosts) else { return };
            process
        };
        let acknowledged = self.acknowledged.len();
        let operation = &mut self.operations[index];
        operation.begin(process, now_ms, acknowledged);
        let kind = operation.kind;
        self.trace_step(|_| format!("process {process} begins {kind:?} {index}"));
        if kind != Kind::Cold
            && let Some(engine) = self.processes[process].engine()
        {
            self.launch(process, index, engine);
        }
    }

    fn tuning(&self) -> Tuning {
        if self.plan.is_model() { TUNING } else { TUNING_OF_SQLITE }
    }

    fn launch(&mut self, process: usize, index: usize, engine: Engine) {
        let kind = self.operations[index].kind;
        let outcomes = Arc::clone(&self.outcomes);
        let is_model = self.plan.is_model();
        self.executor.spawn(process, async move {
            let outcome = perform(engine, kind, index, is_model).await;
            outcomes
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((index, outcome));
        });
    }

    /// Starts a process. If `cold_for` is given, it only performs that operation.
    pub(super) fn start_process(&mut self, is_cold: bool, cold_for: Option<usize>) -> usize {
        let process = self.processes.len();
        let skew_ms = i64::try_from(self.dice.below(4 * HOUR_MS)).unwrap_or(0) - (2 * HOUR_MS).cast_signed();
        self.shared.lock().processes.push(Timing {
            skew_ms,
            ..Timing::default()
        });
        let clock = Arc::new(SimClock {
            shared: self.shared.clone(),
            process,
        });
        let store = Arc::new(SimStore {
            shared: self.shared.clone(),
            process,
        });
        let options = options_of(self.plan, &mut self.dice, Arc::clone(&clock) as Arc<_>);
        let compacts_after_commits = self.dice.one_in(2);
        let tasks = Tasks::Simulated(Arc::new(self.executor.spawner(process)));
        let environment = environment_of(self.plan, &options, tasks, self.tuning());
        let started = Process::new(is_cold);
        let (slot, outcomes) = (started.slot(), Arc::clone(&self.outcomes));
        let is_model = self.plan.is_model();
        self.processes.push(started);
        self.executor.spawn(process, async move {
            let opened = match environment {
                Ok(environment) => Engine::open_in(store, options, environment).await,
                Err(error) => Err(error),
            };
            let outcome = match (opened, cold_for) {
                (Ok(engine), Some(index)) => {
                    let outcome = perform(engine.clone(), Kind::Cold, index, is_model).await;
                    engine.close().await;
                    outcome
                }
                (Ok(engine), None) => {
                    if compacts_after_commits {
                        engine.compact_by_itself();
                    }
                    slot.open(engine);
                    return;
                }
                (Err(error), _) => {
                    slot.fail();
                    Outcome::Failed(error)
                }
            };
            slot.end_cold();
            let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
            outcomes.push((cold_for.unwrap_or(usize::MAX), outcome));
        });
        self.trace_step(|_| format!("process {process} starts"));
        process
    }
}
