//! What goes wrong in a schedule.

use super::network::State;
use super::operation::{Kind, Operation, Progress};
use super::schedule::{HOUR_MS, SECOND_MS, Schedule};
use crate::store::StoreError;

/// How long a process stalls, and how far the time jumps. Milliseconds.
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
    /// Something goes wrong: with a call, a process, or the time.
    pub(super) fn go_wrong(&mut self) {
        self.faults_done += 1;
        let calls: Vec<_> = {
            let network = self.shared.lock();
            let live = network.calls.iter().filter(|(_, call)| !call.orphan);
            live.filter(|(_, call)| matches!(call.state, State::Sent | State::Effected(..)))
                .map(|(id, call)| (*id, call.process))
                .collect()
        };
        let ms = LONG_MS[self.dice.index(LONG_MS.len())];
        let Some((id, process)) = self.dice.pick(&calls) else {
            self.say(|_| format!("the time jumps by {ms} ms"));
            self.shared.lock().advance(ms);
            return;
        };
        let unknown = StoreError::Unknown("reset".to_owned());
        match self.dice.below(9) {
            0 => {
                self.say_call("is lost, or its answer is", id);
                self.shared.lock().answer(id, Some(unknown));
            }
            1 => {
                self.say_call("arrives, and its answer is lost", id);
                let mut network = self.shared.lock();
                network.deliver_if_sent(id);
                network.answer(id, Some(unknown));
            }
            2 => {
                self.say_call("is never answered", id);
                let deliver = self.dice.one_in(2);
                let mut network = self.shared.lock();
                if deliver {
                    network.deliver_if_sent(id);
                }
                network.silence(id);
            }
            3 => {
                self.say_call("is late", id);
                self.shared.lock().delay(id);
            }
            4 => {
                self.say_call("meets a busy store", id);
                self.shared.lock().refuse(id, StoreError::Busy("503".to_owned()));
            }
            5 => self.crash(process),
            6 => {
                self.say(|_| format!("process {process} stalls for {ms} ms"));
                self.shared.lock().stall(process, ms);
            }
            7 => self.pass_a_day(process),
            _ => {
                self.say(|_| format!("the time jumps by {ms} ms"));
                self.shared.lock().advance(ms);
            }
        }
    }

    /// A process sleeps for more than a day, best between putting an object and naming it, while maintenance goes on.
    fn pass_a_day(&mut self, process: usize) {
        let between = {
            let network = self.shared.lock();
            let objects = network.calls.values().filter(|call| call.puts_object() && !call.orphan);
            objects.map(|call| call.process).last()
        };
        let process = between.unwrap_or(process);
        self.say(|_| format!("process {process} sleeps for 26 hours"));
        self.shared.lock().stall(process, 26 * HOUR_MS);
        self.say(|_| "25 hours pass".to_owned());
        self.shared.lock().advance(25 * HOUR_MS);
        self.first = Some(self.operations.len());
        self.operations.push(Operation::new(Kind::Collect));
    }

    fn crash(&mut self, process: usize) {
        self.say(|_| format!("process {process} dies"));
        self.executor.kill(process);
        self.processes[process].die();
        self.shared.lock().processes[process].stalled_until_ms = None;
        for index in 0..self.operations.len() {
            if matches!(self.operations[index].progress, Progress::Running(at) if at == process) {
                self.unknown(index);
            }
        }
    }
}
