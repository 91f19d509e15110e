//! A method of [`Network`] that checks at the end of a schedule that every state of the last days can be restored
//! exactly, by its version and by its time.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::checker::{apply, build_database};
use super::network::Network;
use crate::format::head::Head;
use crate::format::history::HistoryKey;
use crate::format::keys::{HEAD_KEY, HISTORY_PREFIX};
use crate::format::trash::Trash;
use crate::format::{checksum, history};
use crate::limits::{HISTORY_MS, RESTORABLE_MS};
use crate::maintenance::timeline::{Cuts, Route, Timeline};
use crate::version::Version;

/// The objects in the store from which states can be restored.
struct RestoreSources<'a> {
    network: &'a Network,
    /// The current `head`, and those in the trash by their keys.
    heads: BTreeMap<Option<String>, Head>,
    timeline: Timeline,
}

impl Network {
    pub(super) fn check_restorable(&self) -> Result<(), String> {
        let Some(sources) = RestoreSources::find(self)? else {
            return Ok(());
        };
        let mut before_ms = 0;
        for (version, digest) in &self.checker.states {
            let Some(times) = self.checker.times.get(version) else {
                return Err(format!("{version} has no time"));
            };
            if times.at_ms < before_ms {
                return Err(format!("{version} has an earlier time than its predecessor"));
            }
            before_ms = times.at_ms;
            if self.now_ms < times.put_ms + HISTORY_MS {
                sources.check(*version, *digest)?;
            }
        }
        let young = self
            .checker
            .times
            .values()
            .filter(|times| self.now_ms < times.put_ms + HISTORY_MS);
        young
            .map(|times| times.at_ms)
            .try_for_each(|at_ms| sources.check_moment(at_ms))
    }
}

impl<'a> RestoreSources<'a> {
    fn find(network: &'a Network) -> Result<Option<Self>, String> {
        let Some((_, head, _)) = network.objects.get(HEAD_KEY) else {
            return Ok(None);
        };
        let newest = Head::decode(head).map_err(|error| error.to_string())?;
        let young = |put_ms: u64| network.now_ms < put_ms + RESTORABLE_MS;
        let mut heads = BTreeMap::from([(None, newest)]);
        let mut objects = Vec::new();
        for (key, (_, body, put_ms)) in network.objects.iter().filter(|(_, (.., put_ms))| young(*put_ms)) {
            if key.starts_with("trash/") {
                let trash = Trash::decode(key, body).map_err(|error| error.to_string())?;
                heads.insert(Some(key.clone()), trash.head);
            } else if key.starts_with(HISTORY_PREFIX) {
                objects.push(HistoryKey::parse(key).ok_or_else(|| format!("{key} is no name of history"))?);
            }
            assert!(*put_ms <= network.now_ms);
        }
        let cuts = heads.iter().map(|(key, head)| Cuts::of(key.clone(), head)).collect();
        Ok(Some(Self {
            network,
            heads,
            timeline: Timeline::new(cuts, objects),
        }))
    }

    fn object(&self, key: &str) -> Option<Bytes> {
        self.network.objects.get(key).map(|(_, body, _)| body.clone())
    }

    fn check(&self, version: Version, digest: u64) -> Result<(), String> {
        let routes = self.timeline.routes(version);
        let routes = routes.map_err(|why| format!("{version} cannot be restored: {why}"))?;
        for route in &routes {
            // Objects of a route may be missing.
            if let Ok(database) = self.build(route, version) {
                return match checksum::object_digest(&database) == digest {
                    true => Ok(()),
                    false => Err(format!("{version} would be restored as another state")),
                };
            }
        }
        Err(format!("{version} cannot be restored: its objects are gone"))
    }

    fn build(&self, route: &Route<'_>, version: Version) -> Result<Vec<u8>, String> {
        let cut = self.heads[&route.head.key].cut_back_to(route.cut);
        let objects = |key: &str| self.object(key);
        let mut database = build_database(&cut, self.network.checker.chunk_bytes, &objects, &|_, _| Ok(()))?;
        let mut reached_seq = route.cut;
        for key in &route.history {
            for (seq, delta) in self.commits(key)? {
                if seq == reached_seq + 1 && seq <= version.seq {
                    apply(&mut database, &delta);
                    reached_seq = seq;
                }
            }
        }
        Ok(database)
    }

    fn commits(&self, key: &HistoryKey) -> Result<Vec<(u64, crate::format::delta::Delta)>, String> {
        let body = self.object(&key.key).ok_or_else(|| format!("{} is gone", key.key))?;
        let commits = history::decode(key, &body).map_err(|error| error.to_string())?;
        Ok(commits.into_iter().map(|commit| (commit.seq, commit.delta)).collect())
    }

    /// Checks that a restore to a moment finds its newest state.
    fn check_moment(&self, at_ms: u64) -> Result<(), String> {
        let times = self.network.checker.times.iter();
        let dated = times.filter(|(_, times)| (1..=at_ms).contains(&times.at_ms));
        let Some((newest, _)) = dated.max_by_key(|(version, times)| (times.at_ms, **version)) else {
            return Ok(());
        };
        let mut history = Vec::new();
        if let Some(key) = self.timeline.history_at(at_ms) {
            let body = self.object(&key.key).ok_or_else(|| format!("{} is gone", key.key))?;
            for commit in history::decode(key, &body).map_err(|error| error.to_string())? {
                let version = Version {
                    epoch: key.epoch,
                    seq: commit.seq,
                };
                history.push((version, commit.stamp.at_ms));
            }
        }
        match self.timeline.newest_at(at_ms, &history) {
            Ok(found) if found == *newest => Ok(()),
            found => Err(format!(
                "at {at_ms} {newest} was the newest, and {found:?} would be restored"
            )),
        }
    }
}
