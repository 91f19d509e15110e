//! The Lambda host.
//!
//! `run` serves the routes of one function, `run_maintenance` runs maintenance, and `run_all` does both in one function. Each starts a `Process`:
//! it reads the settings, opens the database while Lambda registers the runtime, and opens it again if the secret with the passphrase
//! changes. For a request, the flow is: event (`request` restores the path and query that the client sent),
//! [`Gateway::handle`](crate::Gateway::handle), response (`request` again), and then spans and metrics (`telemetry`), which are sent before
//! the response because Lambda stops the process after it. Other events go to `maintenance` and `deployment`.
//!
//! Only this module knows the events of AWS. A route must not depend on it.
//!
//! To support another kind of event, recognize it in `maintenance::is_work`, and handle it in `maintenance::work`.

mod deployment;
mod entry;
mod maintenance;
mod metric_line;
mod process;
mod request;
mod telemetry;

pub use entry::{run, run_all, run_maintenance};
pub use maintenance::{is_schedule, maintain};
pub use metric_line::{NAMESPACE, names_of_lines};
pub use request::{answer, prepare};
