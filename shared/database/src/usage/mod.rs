//! Counts calls per account, API key and day, and limits them by quotas.
//!
//! Calls are not written one by one. A process counts them in memory (`counter`). Its next commit includes the counts,
//! or they are put into the bucket as an object that maintenance applies (see `commit::usage` of `bespoke_storage`).

mod calls;
mod counter;
pub mod quota;
pub mod statistics;

pub use calls::{Call, KEPT_DAYS, Usage, by_caller, by_user, purge};
pub use counter::UsageCounter;

pub use crate::day::{day_of, start_of};

pub(crate) use calls::apply;
