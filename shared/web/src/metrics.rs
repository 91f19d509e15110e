//! What a process counts about its requests: one atomic each, no lock, nothing allocated. What comes of it is a page under
//! `bespoke serve`, and a line for each call on Lambda.

pub(crate) mod line;

pub use line::{NAMESPACE, names_of_lines};

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use bespoke_core::Timestamp;
use http::StatusCode;

use crate::{Context, Route, Scheme};

/// The upper ends of the classes of duration, in milliseconds; what takes longer is in one more.
pub const DURATIONS_MS: [u64; 9] = [1, 5, 10, 25, 50, 100, 250, 1_000, 5_000];
/// Classes of status: 1xx to 5xx.
const STATUSES: usize = 5;
/// Nobody's, by token, by key.
const SCHEMES: usize = 3;
const CLASSES: usize = DURATIONS_MS.len() + 1;
/// The name of the group of what leads to no route.
const NO_GROUP: &str = "none";

/// The counts of a process.
#[derive(Default)]
pub struct Metrics {
    groups: OnceLock<Box<[Group]>>,
    others: Group,
    commits: AtomicU64,
    mails: AtomicU64,
    mail_failures: AtomicU64,
}

/// The counts of the routes of one function.
struct Group {
    name: &'static str,
    counts: [[[AtomicU64; CLASSES]; STATUSES]; SCHEMES],
    total_ms: AtomicU64,
}

impl Default for Group {
    fn default() -> Self {
        Self::of(NO_GROUP)
    }
}

impl Group {
    fn of(name: &'static str) -> Self {
        Self {
            name,
            counts: Default::default(),
            total_ms: AtomicU64::new(0),
        }
    }

    fn count(&self, scheme: Option<Scheme>, status: StatusCode, took_ms: u64) {
        let scheme = scheme.map_or(0, |scheme| scheme as usize + 1);
        let status = usize::from(status.as_u16() / 100).clamp(1, STATUSES) - 1;
        let class = DURATIONS_MS.iter().position(|&end| took_ms <= end);
        self.counts[scheme][status][class.unwrap_or(CLASSES - 1)].fetch_add(1, Ordering::Relaxed);
        if took_ms > 0 {
            self.total_ms.fetch_add(took_ms, Ordering::Relaxed);
        }
    }
}

/// Requests of one group, by one kind of credential, with one class of status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// The function that serves them.
    pub group: &'static str,
    /// How callers prove who they are.
    pub scheme: Option<Scheme>,
    /// The first digit of the status.
    pub status_class: u16,
    /// How many took how long, by [`DURATIONS_MS`].
    pub by_duration: [u64; CLASSES],
}

impl Counted {
    /// All of them.
    pub fn requests(&self) -> u64 {
        self.by_duration.iter().sum()
    }
}

impl Metrics {
    /// What was counted of requests; what never happened is left out.
    pub fn requests(&self) -> Vec<Counted> {
        let mut all = Vec::new();
        for group in self.groups() {
            for (scheme, statuses) in [None, Some(Scheme::Jwt), Some(Scheme::Key)]
                .into_iter()
                .zip(&group.counts)
            {
                for (status_class, counts) in (1..).zip(statuses) {
                    let counted = Counted {
                        group: group.name,
                        scheme,
                        status_class,
                        by_duration: counts.each_ref().map(|count| count.load(Ordering::Relaxed)),
                    };
                    if counted.requests() > 0 {
                        all.push(counted);
                    }
                }
            }
        }
        all
    }

    /// How long all requests of a group took together, in milliseconds, by its name.
    pub fn total_ms(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let groups = self.groups();
        groups.map(|group| (group.name, group.total_ms.load(Ordering::Relaxed)))
    }

    /// Commits that the bucket has.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Mails that were delivered.
    pub fn mails(&self) -> u64 {
        self.mails.load(Ordering::Relaxed)
    }

    /// Deliveries of a mail that failed.
    pub fn mail_failures(&self) -> u64 {
        self.mail_failures.load(Ordering::Relaxed)
    }

    pub(crate) fn count_commit(&self) {
        self.commits.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_mail(&self, delivered: bool) {
        let which = if delivered { &self.mails } else { &self.mail_failures };
        which.fetch_add(1, Ordering::Relaxed);
    }

    /// Numbers the groups of a gateway's routes. A second gateway of the process gets the numbers of the first; routes of a group that the
    /// first one does not have count as those of no route.
    pub(crate) fn number<'a>(&self, routes: impl Iterator<Item = &'a mut Route>) {
        let routes: Vec<_> = routes.collect();
        let groups = self.groups.get_or_init(|| {
            let mut groups: Vec<Group> = Vec::new();
            for route in &routes {
                if groups.iter().all(|group| group.name != route.function) {
                    groups.push(Group::of(route.function));
                }
            }
            groups.into()
        });
        for route in routes {
            let known = groups.iter().position(|group| group.name == route.function);
            route.group = known.unwrap_or(groups.len());
        }
    }

    fn groups(&self) -> impl Iterator<Item = &Group> {
        let known = self.groups.get().into_iter().flatten();
        known.chain([&self.others])
    }

    fn group(&self, route: Option<&Route>) -> &Group {
        let groups = self.groups.get();
        let group = route.and_then(|route| groups?.get(route.group));
        group.unwrap_or(&self.others)
    }
}

/// A request that is under way. One that ends without an answer because its handler panicked is counted as the 500 that it is
/// answered with; one whose client went away is not counted.
pub(crate) struct Running<'a> {
    context: &'a Context,
    route: Option<&'a Route>,
    began: Timestamp,
}

impl<'a> Running<'a> {
    pub(crate) fn begin(context: &'a Context, route: Option<&'a Route>) -> Self {
        Self {
            context,
            route,
            began: context.now(),
        }
    }

    /// Counts it under the status of its answer.
    pub(crate) fn end(self, status: StatusCode) {
        self.count(status);
        std::mem::forget(self);
    }

    fn count(&self, status: StatusCode) {
        let took_ms = self.context.now().as_millis() - self.began.as_millis();
        let scheme = self.route.and_then(|route| route.scheme);
        let group = self.context.metrics().group(self.route);
        group.count(scheme, status, u64::try_from(took_ms).unwrap_or(0));
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.count(StatusCode::INTERNAL_SERVER_ERROR);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_counted_once_where_it_belongs() {
        let metrics = Metrics::default();
        metrics.others.count(None, StatusCode::NOT_FOUND, 0);
        metrics.others.count(Some(Scheme::Key), StatusCode::OK, 25);
        metrics.others.count(Some(Scheme::Key), StatusCode::OK, 26);
        metrics.others.count(Some(Scheme::Key), StatusCode::OK, 1_000_000);
        let [stranger, key] = metrics.requests().try_into().unwrap();
        assert_eq!(
            (stranger.scheme, stranger.status_class, stranger.requests()),
            (None, 4, 1)
        );
        assert_eq!(stranger.by_duration, [1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(
            (key.scheme, key.status_class, key.requests()),
            (Some(Scheme::Key), 2, 3)
        );
        assert_eq!(key.by_duration, [0, 0, 0, 1, 1, 0, 0, 0, 0, 1]);
        assert_eq!(metrics.total_ms().collect::<Vec<_>>(), [("none", 1_000_051)]);
    }
}
