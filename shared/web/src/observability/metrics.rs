//! [`Metrics`]: the counters of a process for requests, commits and mails.
//!
//! Counting a request takes one or two atomic additions, without a lock or an allocation. `bespoke serve` renders the counters as a page; a
//! Lambda function writes their differences as a log line after each call.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::StatusCode;

use crate::access::Scheme;

/// The upper bounds of the duration classes. Milliseconds. Longer requests are in one more class.
pub const DURATIONS_MS: [u64; 9] = [1, 5, 10, 25, 50, 100, 250, 1_000, 5_000];
/// The number of status classes: 1xx to 5xx.
const STATUSES: usize = 5;
/// The number of authentication methods: none, token, API key.
const SCHEMES: usize = 3;
/// The number of duration classes.
const CLASSES: usize = DURATIONS_MS.len() + 1;
/// The name of the group of requests without a route.
const NO_GROUP: &str = "none";

/// The counters of a process.
#[derive(Default)]
pub struct Metrics {
    groups: OnceLock<Box<[Group]>>,
    others: Group,
    commits: AtomicU64,
    mails: AtomicU64,
    mail_failures: AtomicU64,
}

/// The counters of the routes of one function.
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
        let status_class = usize::from(status.as_u16() / 100).clamp(1, STATUSES) - 1;
        let duration_class = DURATIONS_MS.iter().position(|&end| took_ms <= end);
        let duration_class = duration_class.unwrap_or(CLASSES - 1);
        self.counts[scheme][status_class][duration_class].fetch_add(1, Ordering::Relaxed);
        if took_ms > 0 {
            self.total_ms.fetch_add(took_ms, Ordering::Relaxed);
        }
    }
}

/// The requests of one group, one authentication scheme and one status class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestCounts {
    /// The function that serves the routes.
    pub group: &'static str,
    /// The authentication scheme.
    pub scheme: Option<Scheme>,
    /// The first digit of the status.
    pub status_class: u16,
    /// The number of requests in each duration class of [`DURATIONS_MS`].
    pub by_duration: [u64; CLASSES],
}

impl RequestCounts {
    /// The number of requests in all duration classes.
    pub fn total(&self) -> u64 {
        self.by_duration.iter().sum()
    }
}

impl Metrics {
    /// Returns the counted requests, without combinations that never occurred.
    pub fn requests(&self) -> Vec<RequestCounts> {
        let mut all = Vec::new();
        for group in self.groups() {
            for (scheme, statuses) in [None, Some(Scheme::Jwt), Some(Scheme::Key)]
                .into_iter()
                .zip(&group.counts)
            {
                for (status_class, counts) in (1..).zip(statuses) {
                    let counted = RequestCounts {
                        group: group.name,
                        scheme,
                        status_class,
                        by_duration: counts.each_ref().map(|count| count.load(Ordering::Relaxed)),
                    };
                    if counted.total() > 0 {
                        all.push(counted);
                    }
                }
            }
        }
        all
    }

    /// Returns the total duration of the requests of each group, in milliseconds.
    pub fn total_ms(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let groups = self.groups();
        groups.map(|group| (group.name, group.total_ms.load(Ordering::Relaxed)))
    }

    /// The number of commits.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// The number of delivered mails.
    pub fn mails(&self) -> u64 {
        self.mails.load(Ordering::Relaxed)
    }

    /// The number of failed deliveries.
    pub fn mail_failures(&self) -> u64 {
        self.mail_failures.load(Ordering::Relaxed)
    }

    pub(crate) fn count_commit(&self) {
        self.commits.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_mail(&self, delivered: bool) {
        let counter = if delivered { &self.mails } else { &self.mail_failures };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Creates one group for each function of a gateway. If the process has a second gateway, it uses the groups of the first one.
    pub(crate) fn create_groups(&self, functions: impl Iterator<Item = &'static str>) {
        self.groups.get_or_init(|| {
            let mut groups: Vec<Group> = Vec::new();
            for function in functions {
                if groups.iter().all(|group| group.name != function) {
                    groups.push(Group::of(function));
                }
            }
            groups.into()
        });
    }

    /// Returns the index of the group of a function. A function without a group gets an index that [`Metrics::count_request`] counts as requests
    /// without a route.
    pub(crate) fn group_of(&self, function: &str) -> usize {
        let groups = self.groups.get().map(|groups| &groups[..]).unwrap_or_default();
        let index = groups.iter().position(|group| group.name == function);
        index.unwrap_or(groups.len())
    }

    /// Counts a request. `group` is the index of the group of its route; `None` without a route.
    pub(crate) fn count_request(&self, group: Option<usize>, scheme: Option<Scheme>, status: StatusCode, took_ms: u64) {
        let groups = self.groups.get();
        let group = group.and_then(|group| groups?.get(group));
        group.unwrap_or(&self.others).count(scheme, status, took_ms);
    }

    fn groups(&self) -> impl Iterator<Item = &Group> {
        let created = self.groups.get().into_iter().flatten();
        created.chain([&self.others])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_is_counted_once_in_its_class() {
        let metrics = Metrics::default();
        metrics.others.count(None, StatusCode::NOT_FOUND, 0);
        metrics.others.count(Some(Scheme::Key), StatusCode::OK, 25);
        metrics.others.count(Some(Scheme::Key), StatusCode::OK, 26);
        metrics.others.count(Some(Scheme::Key), StatusCode::OK, 1_000_000);
        let [stranger, key] = metrics.requests().try_into().unwrap();
        assert_eq!((stranger.scheme, stranger.status_class, stranger.total()), (None, 4, 1));
        assert_eq!(stranger.by_duration, [1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!((key.scheme, key.status_class, key.total()), (Some(Scheme::Key), 2, 3));
        assert_eq!(key.by_duration, [0, 0, 0, 1, 1, 0, 0, 0, 0, 1]);
        assert_eq!(metrics.total_ms().collect::<Vec<_>>(), [("none", 1_000_051)]);
    }
}
