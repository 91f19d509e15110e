//! [`Timeline`]: finds the states that can be restored, and the routes to them.
//!
//! A `head` (the current one or one in the trash) can be cut back to its base and to the end of each of its deltas: these
//! states are its cuts. A route to a state begins at the last cut before the state, and applies single commits from
//! history objects until it reaches the state. History is needed only inside deltas that were merged from several
//! commits, because any other delta ends at a cut.
//!
//! Every state of the last [`HISTORY_MS`](crate::limits::HISTORY_MS) can be reached this way. Each object that a route
//! needs was named by `head` when the state was committed or later. Therefore either the current `head` still names the
//! object, or a trash or history object that is younger than the state does.
//!
//! This module does no I/O, so that the checker of the simulation uses the same code as the engine.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::error::NotRestorable;
use crate::format::head::{Branch, Head};
use crate::format::history::HistoryKey;
use crate::version::{DatedVersion, Version, VersionRange};

/// The states to which one `head` can be cut back.
pub(crate) struct Cuts {
    /// Key of the trash object that contains the `head`. `None` for the current `head`.
    pub(crate) key: Option<String>,
    version: Version,
    branch: Option<Branch>,
    /// Sequence numbers and commit times. Milliseconds since 1970.
    states: Vec<(u64, u64)>,
}

impl Cuts {
    pub(crate) fn of(key: Option<String>, head: &Head) -> Self {
        Self {
            key,
            version: head.json.version(),
            branch: head.json.branch(),
            states: head.cuts(),
        }
    }
}

/// A sequence of objects from which a state can be built.
pub(crate) struct Route<'a> {
    /// The `head` at its start.
    pub(crate) head: &'a Cuts,
    /// The state to which that `head` is cut back.
    pub(crate) cut: u64,
    /// The history after the cut, in order.
    pub(crate) history: Vec<&'a HistoryKey>,
}

/// All states that can be restored.
pub(crate) struct Timeline {
    heads: Vec<Cuts>,
    /// All history objects, ordered by epoch and sequence number.
    history: Vec<HistoryKey>,
    /// The first state of each epoch, and the time of the restore that began the epoch, in milliseconds since 1970. The
    /// time is 0 if no restore did.
    begins: BTreeMap<u64, (u64, u64)>,
}

impl Timeline {
    pub(crate) fn new(heads: Vec<Cuts>, mut history: Vec<HistoryKey>) -> Self {
        history.sort_by_key(|object| (object.epoch, object.from, object.to));
        let mut begins = BTreeMap::new();
        for head in &heads {
            let begin = head.branch.map_or((1, 0), |branch| (branch.seq, branch.at_ms));
            let latest = begins.entry(head.version.epoch).or_insert(begin);
            *latest = begin.max(*latest);
        }
        Self { heads, history, begins }
    }

    /// Returns the first state of an epoch. Earlier states in its `head` belong to an earlier epoch.
    fn first_of(&self, epoch: u64) -> u64 {
        self.begins.get(&epoch).map_or(1, |(seq, _)| *seq)
    }

    fn history_of(&self, epoch: u64) -> impl Iterator<Item = &HistoryKey> {
        self.history.iter().filter(move |object| object.epoch == epoch)
    }

    /// Returns the routes to `version`, the shortest first. A later route can be used if objects of the earlier ones
    /// are missing.
    ///
    /// # Errors
    /// [`NotRestorable`] if there is no route.
    pub(crate) fn routes(&self, version: Version) -> Result<Vec<Route<'_>>, NotRestorable> {
        if version.seq < self.first_of(version.epoch) {
            return Err(NotRestorable::Unknown(version));
        }
        let heads = self.heads.iter().filter(|head| head.version.epoch == version.epoch);
        let mut starts: Vec<_> = heads
            .flat_map(|head| head.states.iter().map(move |(cut, _)| (*cut, head)))
            .filter(|(cut, _)| *cut <= version.seq)
            .collect();
        starts.sort_by_key(|(cut, head)| (Reverse(*cut), head.version.seq));
        let mut routes: Vec<Route<'_>> = Vec::new();
        for (cut, head) in starts {
            let history = match routes.last() {
                Some(last) if last.cut == cut => last.history.clone(),
                // Earlier cuts would need the same history and more.
                _ => match self.history_between(cut, version) {
                    Some(history) => history,
                    None => break,
                },
            };
            routes.push(Route { head, cut, history });
        }
        if routes.is_empty() {
            Err(self.gap_error(version))
        } else {
            Ok(routes)
        }
    }

    /// Returns the history objects from `cut` to `version`. `None` if there is a gap.
    fn history_between(&self, cut: u64, version: Version) -> Option<Vec<&HistoryKey>> {
        let mut reached_seq = cut;
        let mut objects = Vec::new();
        while reached_seq < version.seq {
            let continues = |object: &&HistoryKey| object.from <= reached_seq && reached_seq < object.to;
            let next = self
                .history_of(version.epoch)
                .filter(continues)
                .max_by_key(|object| object.to)?;
            reached_seq = next.to;
            objects.push(next);
        }
        Some(objects)
    }

    fn gap_error(&self, version: Version) -> NotRestorable {
        let ranges = self.ranges();
        let same_epoch = || ranges.iter().filter(|range| range.first.version.epoch == version.epoch);
        let before = same_epoch().rfind(|range| range.last.version < version);
        let after = same_epoch().find(|range| range.first.version > version);
        match (before, after) {
            (Some(before), Some(after)) => NotRestorable::Between {
                before: before.last,
                after: after.first,
            },
            _ => NotRestorable::Unknown(version),
        }
    }

    /// Returns the history object that must be read to find the newest state of a moment. `None` if that state is known
    /// without reading one.
    pub(crate) fn history_at(&self, wanted_ms: u64) -> Option<&HistoryKey> {
        let begun = self.history.iter().filter_map(|object| {
            let (branch, branch_ms) = self.begins.get(&object.epoch).copied().unwrap_or((1, 0));
            // A restore keeps the tail, whose commits belong to the previous epoch.
            let first_ms = if object.from < branch {
                object.first_ms.max(branch_ms)
            } else {
                object.first_ms
            };
            (object.to >= branch && first_ms <= wanted_ms).then_some((first_ms, object))
        });
        let newest = begun.max_by_key(|(first_ms, object)| (*first_ms, object.epoch, object.from, object.to));
        newest
            .map(|(_, object)| object)
            .filter(|object| wanted_ms < object.last_ms)
    }

    /// Returns the newest state that was committed by a moment. `history` contains the versions and times of the commits
    /// in the object that [`Timeline::history_at`] returns.
    ///
    /// # Errors
    /// [`NotRestorable`] if no state of that time is kept, or if later states of that time are not kept.
    pub(crate) fn newest_at(&self, wanted_ms: u64, history: &[(Version, u64)]) -> Result<Version, NotRestorable> {
        let best = self
            .dated()
            .chain(history.iter().copied())
            // The first state of a bucket has no commit time.
            .filter(|(version, at_ms)| (1..=wanted_ms).contains(at_ms) && version.seq >= self.first_of(version.epoch))
            .max_by_key(|(version, at_ms)| (*at_ms, *version));
        let Some((best, best_ms)) = best else {
            let first_ms = self.dated().map(|(_, at_ms)| at_ms).min();
            return Err(NotRestorable::BeforeFirst { wanted_ms, first_ms });
        };
        let ranges = self.ranges();
        let index = ranges.iter().position(|range| range.contains(best));
        let index = index.ok_or_else(|| match self.gap_error(best) {
            NotRestorable::Unknown(_) => NotRestorable::BeforeFirst {
                wanted_ms,
                first_ms: ranges.iter().find_map(|range| range.first.at_ms),
            },
            gap => gap,
        })?;
        let (range, next) = (ranges[index], ranges.get(index + 1));
        let is_before_gap = |next: &&VersionRange| next.first.version.epoch == best.epoch && range.last.version == best;
        // The exact time of a commit, as a list of states shows it, selects the state of this commit, even if a gap
        // follows.
        match next.filter(|next| best_ms < wanted_ms && is_before_gap(next)) {
            Some(next) => Err(NotRestorable::Between {
                before: range.last,
                after: next.first,
            }),
            None => Ok(best),
        }
    }

    /// Returns the states whose times are known without reading history.
    fn dated(&self) -> impl Iterator<Item = (Version, u64)> {
        let version = |epoch, seq| Version { epoch, seq };
        let cuts = self.heads.iter().flat_map(move |head| {
            let states = head.states.iter();
            states.map(move |(seq, at_ms)| (version(head.version.epoch, *seq), *at_ms))
        });
        let ends = self
            .history
            .iter()
            .map(move |object| (version(object.epoch, object.to), object.last_ms));
        cuts.chain(ends).filter(|(_, at_ms)| *at_ms > 0)
    }

    /// Returns all states that can be restored, in ascending order.
    pub(crate) fn ranges(&self) -> Vec<VersionRange> {
        let epochs: BTreeSet<_> = self.heads.iter().map(|head| head.version.epoch).collect();
        epochs.into_iter().flat_map(|epoch| self.ranges_of(epoch)).collect()
    }

    fn ranges_of(&self, epoch: u64) -> Vec<VersionRange> {
        let heads = self.heads.iter().filter(|head| head.version.epoch == epoch);
        let cuts: BTreeMap<u64, u64> = heads.flat_map(|head| head.states.iter().copied()).collect();
        let mut ranges: Vec<_> = cuts.keys().map(|seq| (*seq, *seq)).collect();
        for (from, to) in joined(self.history_of(epoch).map(|object| (object.from, object.to)), 0) {
            // From the first cut within the history.
            ranges.extend(cuts.range(from..=to).next().map(|(cut, _)| (*cut, to)));
        }
        ranges.sort_unstable();
        let mut times: BTreeMap<u64, u64> = self.history_of(epoch).map(|it| (it.to, it.last_ms)).collect();
        times.extend(cuts);
        let begin = self.begins.get(&epoch).copied().unwrap_or((1, 0));
        times.extend((begin.1 > 0).then_some(begin));
        let state = |seq: u64| DatedVersion {
            version: Version { epoch, seq },
            at_ms: times.get(&seq).copied().filter(|at_ms| *at_ms > 0),
        };
        joined(ranges.into_iter(), 1)
            .into_iter()
            .filter(|(_, last)| *last >= begin.0)
            .map(|(first, last)| VersionRange {
                first: state(first.max(begin.0)),
                last: state(last),
            })
            .collect()
    }
}

/// Joins ranges that overlap, or whose distance is at most `max_distance`. They must be ordered by their first numbers.
fn joined(ranges: impl Iterator<Item = (u64, u64)>, max_distance: u64) -> Vec<(u64, u64)> {
    let mut joined: Vec<(u64, u64)> = Vec::new();
    for (first, last) in ranges {
        match joined.last_mut() {
            Some(previous) if first <= previous.1 + max_distance => previous.1 = previous.1.max(last),
            _ => joined.push((first, last)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A `head` with these states, of which state n was committed after n seconds.
    fn head(key: Option<&str>, epoch: u64, seqs: &[u64]) -> Cuts {
        Cuts {
            key: key.map(str::to_owned),
            version: Version {
                epoch,
                seq: *seqs.last().unwrap(),
            },
            branch: None,
            states: seqs.iter().map(|seq| (*seq, seq * 1_000)).collect(),
        }
    }

    fn history(epoch: u64, from: u64, to: u64) -> HistoryKey {
        let (first_ms, last_ms) = ((from + 1) * 1_000, to * 1_000);
        HistoryKey::parse(&format!("history/{epoch}-{from}-{to}-{first_ms}-{last_ms}-X")).unwrap()
    }

    fn version(epoch: u64, seq: u64) -> Version {
        Version { epoch, seq }
    }

    fn format_ranges(timeline: &Timeline) -> String {
        let ranges = timeline.ranges().into_iter();
        let ranges = ranges.map(|range| format!("{}..{}", range.first.version, range.last.version));
        ranges.collect::<Vec<_>>().join(" ")
    }

    fn route(timeline: &Timeline, version: Version) -> (Option<&str>, u64, Vec<u64>) {
        let routes = timeline.routes(version).unwrap();
        let first = routes.first().unwrap();
        let ends = first.history.iter().map(|object| object.to).collect();
        (first.head.key.as_deref(), first.cut, ends)
    }

    #[test]
    fn route_begins_at_the_nearest_cut() {
        let timeline = Timeline::new(
            vec![head(None, 1, &[20, 21, 22]), head(Some("trash/A"), 1, &[0, 10])],
            vec![history(1, 10, 15), history(1, 0, 10), history(1, 15, 20)],
        );
        assert_eq!(format_ranges(&timeline), "1-1..1-22");
        assert_eq!(route(&timeline, version(1, 22)), (None, 22, vec![]));
        assert_eq!(route(&timeline, version(1, 17)), (Some("trash/A"), 10, vec![15, 20]));
        assert_eq!(route(&timeline, version(1, 4)), (Some("trash/A"), 0, vec![10]));
        for unknown in [version(1, 0), version(1, 23), version(2, 5)] {
            let why = timeline.routes(unknown).err();
            assert_eq!(why, Some(NotRestorable::Unknown(unknown)));
        }
    }

    #[test]
    fn merged_states_without_history_are_a_gap() {
        let timeline = Timeline::new(vec![head(None, 1, &[0, 10, 20, 21])], vec![history(1, 10, 15)]);
        assert_eq!(format_ranges(&timeline), "1-10..1-15 1-20..1-21");
        let state = |seq: u64| DatedVersion {
            version: version(1, seq),
            at_ms: Some(seq * 1_000),
        };
        let gap = NotRestorable::Between {
            before: state(15),
            after: state(20),
        };
        assert_eq!(timeline.routes(version(1, 17)).err(), Some(gap.clone()));
        assert_eq!(timeline.newest_at(17_500, &[]), Err(gap));
        assert_eq!(timeline.newest_at(15_000, &[]), Ok(version(1, 15)));
        assert_eq!(timeline.newest_at(20_999, &[]), Ok(version(1, 20)));
        assert_eq!(timeline.newest_at(99_000, &[]), Ok(version(1, 21)));
        let early = NotRestorable::BeforeFirst {
            wanted_ms: 9_999,
            first_ms: Some(10_000),
        };
        assert_eq!(timeline.newest_at(9_999, &[]), Err(early));
    }

    #[test]
    fn moment_within_history_is_looked_up_there() {
        let timeline = Timeline::new(vec![head(None, 1, &[0, 10])], vec![history(1, 0, 5), history(1, 5, 10)]);
        assert_eq!(timeline.history_at(7_200).map(|object| object.from), Some(5));
        assert_eq!(timeline.history_at(5_500).map(|object| object.from), None);
        let read: Vec<_> = (6..=10).map(|seq| (version(1, seq), seq * 1_000)).collect();
        assert_eq!(timeline.newest_at(7_200, &read), Ok(version(1, 7)));
        // The empty database at the beginning is not the state of any moment.
        let why = timeline.newest_at(900, &[(version(1, 1), 0)]);
        assert!(matches!(why, Err(NotRestorable::BeforeFirst { .. })), "{why:?}");
    }

    #[test]
    fn history_before_a_restore_has_the_time_of_the_restore() {
        let mut restored = head(None, 2, &[0, 20]);
        restored.branch = Some(Branch {
            epoch: 2,
            seq: 12,
            at_ms: 15_000,
        });
        let old = head(Some("trash/A"), 1, &[0, 5, 15]);
        let timeline = Timeline::new(vec![restored, old], vec![history(1, 10, 14), history(2, 0, 20)]);
        assert_eq!(timeline.history_at(15_500).map(|object| object.epoch), Some(2));
        assert_eq!(timeline.history_at(12_500).map(|object| object.epoch), Some(1));
    }

    #[test]
    fn states_before_a_restore_belong_to_the_previous_epoch() {
        let mut restored = head(None, 2, &[0, 5, 12]);
        restored.branch = Some(Branch {
            epoch: 2,
            seq: 8,
            at_ms: 15_500,
        });
        let old = head(Some("trash/A"), 1, &[0, 5, 15]);
        let timeline = Timeline::new(vec![restored, old], vec![history(1, 5, 15), history(2, 5, 12)]);
        assert_eq!(format_ranges(&timeline), "1-5..1-15 2-8..2-12");
        assert_eq!(timeline.ranges()[1].first.at_ms, Some(15_500));
        let why = timeline.routes(version(2, 7)).err();
        assert_eq!(why, Some(NotRestorable::Unknown(version(2, 7))));
        assert_eq!(route(&timeline, version(2, 9)), (None, 5, vec![12]));
        assert_eq!(route(&timeline, version(1, 9)), (Some("trash/A"), 5, vec![15]));
    }

    #[test]
    fn routes_from_earlier_cuts_follow() {
        let timeline = Timeline::new(
            vec![head(None, 1, &[4, 20]), head(Some("trash/A"), 1, &[0, 8, 9])],
            vec![history(1, 4, 20)],
        );
        let routes = timeline.routes(version(1, 9)).unwrap();
        let starts: Vec<_> = routes.iter().map(|it| (it.head.key.as_deref(), it.cut)).collect();
        assert_eq!(starts, [(Some("trash/A"), 9), (Some("trash/A"), 8), (None, 4)]);
    }
}
