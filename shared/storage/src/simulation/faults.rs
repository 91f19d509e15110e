//! Methods of [`Schedule`] that inject faults: lost responses, crashes, stalls, and jumps of the clock.

use super::network::CallState;
use super::operation::{Kind, Operation, Progress};
use super::schedule::{HOUR_MS, SECOND_MS, Schedule};
use crate::store::StoreError;

/// Durations of stalls and of jumps of the clock, in milliseconds.
const LONG_MS: [u64; 7] = [
    3 * SECOND_MS,
    12 * SECOND_MS,
    120 * SECOND_MS,
    13 * HOUR_MS,
    26 * HOUR_MS,
    72 * HOUR_MS,
    8 * 24 * HOUR_MS,
];

impl Schedule<'_> {
    /// Injects a fault of a call, of a process or of the clock.
    pub(super) fn inject_fault(&mut self) {
        self.faults_done += 1;
        let calls: Vec<_> = {
            let network = self.shared.lock();
            let live = network.calls.iter().filter(|(_, call)| !call.orphan);
            live.filter(|(_, call)| matches!(call.state, CallState::Sent | CallState::Arrived(..)))
                .map(|(id, call)| (*id, call.process))
                .collect()
        };
        let ms = LONG_MS[self.dice.index(LONG_MS.len())];
        let Some((id, process)) = self.dice.pick(&calls) else {
            self.trace_step(|_| format!("the time jumps by {ms} ms"));
            self.shared.lock().advance(ms);
            return;
        };
        let unknown = StoreError::Unknown("reset".to_owned());
        match self.dice.below(9) {
            0 => {
                self.trace_call("or its response is lost", id);
                self.shared.lock().answer(id, Some(unknown));
            }
            1 => {
                self.trace_call("arrives, and its response is lost", id);
                let mut network = self.shared.lock();
                network.deliver_if_sent(id);
                network.answer(id, Some(unknown));
            }
            2 => {
                self.trace_call("never gets a response", id);
                let deliver = self.dice.one_in(2);
                let mut network = self.shared.lock();
                if deliver {
                    network.deliver_if_sent(id);
                }
                network.silence(id);
            }
            3 => {
                self.trace_call("is late", id);
                self.shared.lock().delay(id);
            }
            4 => {
                self.trace_call("meets a busy store", id);
                self.shared.lock().refuse(id, StoreError::Busy("503".to_owned()));
            }
            5 => self.crash(process),
            6 => {
                self.trace_step(|_| format!("process {process} stalls for {ms} ms"));
                self.shared.lock().stall(process, ms);
            }
            7 => self.pass_a_day(process),
            _ => {
                self.trace_step(|_| format!("the time jumps by {ms} ms"));
                self.shared.lock().advance(ms);
            }
        }
    }

    /// Makes a process sleep for more than a day while maintenance continues, if possible between storing an object and
    /// naming it.
    fn pass_a_day(&mut self, process: usize) {
        let between = {
            let network = self.shared.lock();
            let objects = network.calls.values().filter(|call| call.puts_object() && !call.orphan);
            objects.map(|call| call.process).last()
        };
        let process = between.unwrap_or(process);
        self.trace_step(|_| format!("process {process} sleeps for 26 hours"));
        self.shared.lock().stall(process, 26 * HOUR_MS);
        self.trace_step(|_| "25 hours pass".to_owned());
        self.shared.lock().advance(25 * HOUR_MS);
        self.first = Some(self.operations.len());
        self.operations.push(Operation::new(Kind::Collect));
    }

    fn crash(&mut self, process: usize) {
        self.trace_step(|_| format!("process {process} dies"));
        self.executor.kill(process);
        self.processes[process].die();
        self.shared.lock().processes[process].stalled_until_ms = None;
        for index in 0..self.operations.len() {
            if matches!(self.operations[index].progress, Progress::Running(at) if at == process) {
                self.retry_or_give_up(index);
            }
        }
    }
}
