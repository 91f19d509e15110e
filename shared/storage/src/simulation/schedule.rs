//! [`Schedule`]: the order of deliveries, starts and faults of one simulation, which follows from the seed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::checker::Checker;
use super::dice::Dice;
use super::executor::Executor;
use super::network::{CallState, Network, Shared};
use super::operation::{Kind, Operation, Outcome, Progress};
use super::plan::Plan;
use super::process::Process;
use super::report::{SimulationFailure, SimulationStatistics};
use crate::ablation::Ablation;
use crate::error::Error;
use crate::limits::Tuning;

/// Maximum number of steps. A schedule with more steps is assumed not to end.
const STEPS_MAX: u64 = 40_000;
/// Upper bound of the time between two steps, in milliseconds.
const STEP_MS: u64 = 20;
/// Limits of the engine that are so small that little data exercises every case.
pub(super) const TUNING: Tuning = Tuning {
    inline_delta_max_bytes: 1_600,
    tail_max_bytes: 3_000,
    base_switch_min_bytes: 6_000,
    segments_max: 5,
    segments_max_during_compaction: 8,
    compaction_segments: 1,
    background_compaction_segments: 2,
    chunk_bytes: 2_048,
};
/// Such limits for SQLite, whose writes change more pages.
pub(super) const TUNING_OF_SQLITE: Tuning = Tuning {
    inline_delta_max_bytes: 3_200,
    tail_max_bytes: 6_000,
    base_switch_min_bytes: 12_000,
    ..TUNING
};
pub(super) const SECOND_MS: u64 = 1_000;
pub(super) const HOUR_MS: u64 = 3_600 * SECOND_MS;
/// How long after its first attempt a client retries a write, in milliseconds.
pub(super) const REPEAT_MS: u64 = HOUR_MS;

/// A possible next step.
#[derive(Debug, Clone, Copy)]
enum Choice {
    /// The request of this call arrives at the store.
    Deliver(u64),
    /// The response to this call arrives at the process.
    Respond(u64),
    /// The operation with this index begins.
    Start(usize),
    /// Another process starts.
    Boot,
}

/// The results of operations, with their indices.
pub(super) type Outcomes = Arc<Mutex<Vec<(usize, Outcome)>>>;

/// One schedule, while it is played.
pub(super) struct Schedule<'a> {
    seed: u64,
    pub(super) plan: &'a Plan,
    pub(super) dice: Dice,
    pub(super) shared: Shared,
    pub(super) executor: Executor,
    pub(super) processes: Vec<Process>,
    pub(super) operations: Vec<Operation>,
    pub(super) outcomes: Outcomes,
    /// The steps at which faults are injected.
    faults: VecDeque<u64>,
    pub(super) faults_done: u64,
    processes_wanted: usize,
    /// The acknowledged writes in order.
    pub(super) acknowledged: Vec<usize>,
    /// The operation that must begin before all others.
    pub(super) first: Option<usize>,
    step: u64,
    /// Whether the faults are over, at the end of the schedule.
    is_calm: bool,
    trace: Option<Vec<String>>,
}

impl<'a> Schedule<'a> {
    pub(super) fn new(seed: u64, plan: &'a Plan, traced: bool) -> Self {
        let mut dice = Dice::new(seed);
        let count = 20 + dice.below(13);
        let mut faults: Vec<_> = (0..2 + dice.below(8)).map(|_| dice.below(count * 6)).collect();
        faults.sort_unstable();
        let processes_wanted =
            plan.processes_min.max(2) + dice.index(7_usize.saturating_sub(plan.processes_min.max(2)));
        let operations = (0..count).map(|_| Operation::new(Kind::any(&mut dice, plan))).collect();
        let checker = Checker::new(TUNING.chunk_bytes, plan.is_model());
        let checks_then_acts = plan.ablation == Some(Ablation::CheckThenAct);
        Self {
            seed,
            plan,
            dice,
            shared: Shared::new(checker, checks_then_acts),
            executor: Executor::default(),
            processes: Vec::new(),
            operations,
            outcomes: Arc::default(),
            faults: faults.into(),
            faults_done: 0,
            processes_wanted,
            acknowledged: Vec::new(),
            first: None,
            step: 0,
            is_calm: false,
            trace: traced.then(Vec::new),
        }
    }

    /// Plays the schedule to its end.
    pub(super) fn play(mut self) -> Result<SimulationStatistics, SimulationFailure> {
        let result = self.play_or();
        let statistics = self.statistics();
        let schedule = self.trace.take().unwrap_or_default();
        // The remaining tasks must be dropped before the processes.
        for process in 0..self.processes.len() {
            self.executor.kill(process);
        }
        result.map(|()| statistics).map_err(|what| SimulationFailure {
            seed: self.seed,
            what,
            schedule,
        })
    }

    fn play_or(&mut self) -> Result<(), String> {
        self.until_idle()?;
        // All operations have ended. The rest of the schedule is free of faults.
        self.is_calm = true;
        self.faults.clear();
        for process in 0..self.processes.len() {
            if self.processes[process].is_running() {
                self.operations.push(Operation::at(Kind::PutUsage, process));
            }
        }
        self.until_idle()?;
        self.operations.push(Operation::new(Kind::MergeUsage));
        self.until_idle()?;
        let last = self.operations.len();
        self.operations.push(Operation::new(Kind::Cold));
        for process in 0..self.processes.len() {
            if self.processes[process].is_running() {
                self.operations.push(Operation::at(Kind::Read, process));
            }
        }
        self.until_idle()?;
        if let Some(unread) = self.operations[last..].iter().find(|operation| !operation.is_done()) {
            return Err(format!("{:?} fails though there are no more faults", unread.kind));
        }
        let Operation { ledger, counted, .. } = &self.operations[last];
        self.check_ledger(ledger)?;
        self.check_counted(counted)?;
        self.shared.lock().check_restorable()
    }

    fn until_idle(&mut self) -> Result<(), String> {
        loop {
            let shared = self.shared.clone();
            self.executor
                .run(|process| shared.lock().processes[process].stalled_until_ms.is_none());
            self.take_outcomes();
            if let Some(violation) = self.shared.lock().checker.violation.clone() {
                return Err(violation);
            }
            if self.is_idle() {
                return Ok(());
            }
            self.step += 1;
            if self.step > STEPS_MAX {
                return Err("the schedule does not end".to_owned());
            }
            self.next()?;
        }
    }

    fn is_idle(&self) -> bool {
        let network = self.shared.lock();
        let open = |operation: &Operation| matches!(operation.progress, Progress::Pending | Progress::Running(_));
        network.calls.is_empty()
            && !self.operations.iter().any(open)
            && self.processes.iter().all(|process| !process.is_starting())
            && network.processes.iter().all(|timing| timing.stalled_until_ms.is_none())
    }

    fn next(&mut self) -> Result<(), String> {
        let ms = self.dice.below(STEP_MS);
        if self.shared.lock().advance(ms) {
            return Ok(());
        }
        if self.faults.front().is_some_and(|at| *at <= self.step) {
            self.faults.pop_front();
            self.inject_fault();
            return Ok(());
        }
        let choices = self.choices();
        let total: u64 = choices.iter().map(|(weight, _)| weight).sum();
        if total == 0 {
            let until_ms = self.shared.lock().until_next_ms();
            let ms = until_ms.ok_or_else(|| self.describe_deadlock())?;
            self.trace_step(|_| format!("{ms} ms pass"));
            self.shared.lock().advance(ms);
            return Ok(());
        }
        // Each choice is taken with a probability that is proportional to its weight.
        let mut number = self.dice.below(total);
        for (weight, choice) in choices {
            if number < weight {
                self.choose(choice);
                break;
            }
            number -= weight;
        }
        Ok(())
    }

    /// Describes the operations and the calls of a deadlock.
    fn describe_deadlock(&self) -> String {
        let mut text = String::from("deadlock:");
        for (index, operation) in self.operations.iter().enumerate() {
            if matches!(operation.progress, Progress::Pending | Progress::Running(_)) {
                text.push_str(&format!(" {index} {:?} {:?};", operation.kind, operation.progress));
            }
        }
        for call in self.shared.lock().calls.values() {
            text.push_str(&format!(
                " process {}: {} {:?};",
                call.process, call.request, call.state
            ));
        }
        let lives = self
            .processes
            .iter()
            .map(|process| (process.is_alive(), process.is_running()));
        text.push_str(&format!(" {:?}", lives.collect::<Vec<_>>()));
        text
    }

    /// Returns the possible next steps with their weights.
    fn choices(&self) -> Vec<(u64, Choice)> {
        let mut choices = Vec::new();
        {
            let network = self.shared.lock();
            for (id, call) in &network.calls {
                match call.state {
                    CallState::Sent if call.orphan => choices.push((1, Choice::Deliver(*id))),
                    CallState::Sent => choices.push((8, Choice::Deliver(*id))),
                    CallState::Arrived(..) => choices.push((8, Choice::Respond(*id))),
                    CallState::Answered(_) | CallState::Silent => {}
                }
            }
        }
        let alive = self
            .processes
            .iter()
            .filter(|process| process.is_alive() && !process.is_cold)
            .count();
        if alive < self.processes_wanted && !self.is_calm {
            choices.push((6, Choice::Boot));
        }
        let running = self
            .operations
            .iter()
            .filter(|operation| matches!(operation.progress, Progress::Running(_)));
        if running.count() < 6 {
            let is_open =
                |operation: &Operation| matches!(operation.progress, Progress::Pending | Progress::Running(_));
            let first = self.first.filter(|first| is_open(&self.operations[*first]));
            for (index, operation) in self.operations.iter().enumerate() {
                let may_begin = first.is_none_or(|first| first == index);
                if may_begin && matches!(operation.progress, Progress::Pending) {
                    let has_host = operation.kind == Kind::Cold || !self.hosts(operation).is_empty();
                    if has_host {
                        choices.push((5, Choice::Start(index)));
                        break;
                    }
                }
            }
        }
        choices
    }

    /// Returns the processes that can perform an operation.
    pub(super) fn hosts(&self, operation: &Operation) -> Vec<usize> {
        let network = self.shared.lock();
        let serves = |process: &usize| {
            self.processes[*process].is_running() && network.processes[*process].stalled_until_ms.is_none()
        };
        match operation.process {
            Some(process) => vec![process],
            None => (0..self.processes.len()).filter(serves).collect(),
        }
    }

    fn choose(&mut self, choice: Choice) {
        match choice {
            Choice::Deliver(id) => {
                let lost = self.shared.lock().calls.get(&id).is_some_and(|call| call.orphan) && self.dice.one_in(3);
                self.trace_call(if lost { "is lost" } else { "arrives" }, id);
                let mut network = self.shared.lock();
                if lost {
                    network.calls.remove(&id);
                } else {
                    network.deliver(id);
                }
            }
            Choice::Respond(id) => {
                self.trace_call("is answered", id);
                self.shared.lock().answer(id, None);
            }
            Choice::Start(index) => self.start(index),
            Choice::Boot => {
                self.start_process(false, None);
            }
        }
    }

    fn take_outcomes(&mut self) {
        let outcomes = std::mem::take(&mut *self.outcomes.lock().unwrap_or_else(PoisonError::into_inner));
        for (index, outcome) in outcomes {
            self.trace_step(|_| format!("{index} ends with {outcome:?}"));
            match outcome {
                Outcome::Failed(error) if index == usize::MAX => self.check_error(&error, Kind::Cold),
                Outcome::Failed(error) => {
                    self.check_error(&error, self.operations[index].kind);
                    self.retry_or_give_up(index);
                }
                Outcome::Done => {
                    if let Progress::Running(process) = self.operations[index].progress {
                        self.operations[index].done_at = Some(process);
                    }
                    self.operations[index].progress = Progress::Done;
                }
                Outcome::Written => {
                    self.operations[index].progress = Progress::Done;
                    self.acknowledged.push(index);
                }
                Outcome::Read {
                    ledger,
                    counted,
                    digests,
                } => {
                    self.check_read(index, &ledger, &digests);
                    let operation = &mut self.operations[index];
                    operation.progress = Progress::Done;
                    (operation.ledger, operation.counted) = (ledger, counted);
                }
            }
        }
    }

    /// Reports an error that is not caused by a store without response.
    fn check_error(&mut self, error: &Error, kind: Kind) {
        if !error.is_transient() {
            self.shared.lock().checker.report(format!("{kind:?} fails: {error}"));
        }
    }

    /// Decides whether the client retries an operation with an unknown outcome.
    pub(super) fn retry_or_give_up(&mut self, index: usize) {
        let now_ms = self.shared.lock().now_ms;
        let is_patient = !self.dice.one_in(4);
        let operation = &mut self.operations[index];
        let is_young = operation.first_ms.is_none_or(|first_ms| now_ms - first_ms < REPEAT_MS);
        let retries = is_patient && is_young || self.is_calm;
        operation.progress = if retries { Progress::Pending } else { Progress::GivenUp };
    }

    fn statistics(&self) -> SimulationStatistics {
        let network = self.shared.lock();
        SimulationStatistics {
            seeds: 1,
            operations: self.operations.len() as u64,
            acknowledged: self.acknowledged.len() as u64,
            faults: self.faults_done,
            calls: network.calls_made,
            head_puts: network.head_puts,
            bases: network.checker.bases,
            segments: network.checker.segments,
            merges: network.checker.merges,
            restores: network.checker.restores,
            deleted: network.checker.deleted,
        }
    }

    /// Records a step, if the schedule is recorded.
    pub(super) fn trace_step(&mut self, event: impl FnOnce(&Network) -> String) {
        if let Some(trace) = &mut self.trace {
            let network = self.shared.lock();
            trace.push(format!("{:>6} {:>15} {}", self.step, network.now_ms, event(&network)));
        }
    }

    /// Records an event of a call.
    pub(super) fn trace_call(&mut self, event: &str, id: u64) {
        self.trace_step(|network| match network.calls.get(&id) {
            Some(call) => format!("process {}: {} {event}", call.process, call.request),
            None => format!("{id} {event}"),
        });
    }
}
