//! Keeps the last revalidated object open, which is `head`, so that a revalidation needs no path lookup: `fstat` of the
//! open file tells whether its name still refers to it.

use std::fs::File;
use std::path::Path;

use arc_swap::ArcSwapOption;
use rustix::fs::{Stat, fstat, stat};

/// The open file is trusted for this time. Then its name is looked up again, because `fstat` does not notice if the
/// complete folder was renamed. Microseconds.
const TRUSTED_US: u64 = 1_000_000;

/// The object that was revalidated last.
#[derive(Default)]
pub(super) struct OpenObject {
    object: ArcSwapOption<Entry>,
}

struct Entry {
    key: String,
    etag: Vec<u8>,
    file: File,
    stat: Stat,
    /// Time of the last lookup of its name, on the monotonic scale. Microseconds.
    since_us: u64,
}

/// Returns whether a file still has its names. If a name is removed, for example by a rename over it, the number of
/// links and the time of the last status change differ.
fn has_its_names(now: &Stat, before: &Stat) -> bool {
    let all = |stat: &Stat| (stat.st_nlink, stat.st_ctime, stat.st_ctime_nsec);
    all(now) == all(before)
}

impl OpenObject {
    /// Returns whether `key` certainly has that ETag. `false` is inconclusive.
    pub(super) fn has(&self, key: &str, etag: &[u8], now_us: u64) -> bool {
        let entry = self.object.load();
        entry.as_ref().is_some_and(|entry| {
            entry.key == key
                && entry.etag == etag
                && now_us.saturating_sub(entry.since_us) < TRUSTED_US
                && fstat(&entry.file).is_ok_and(|now| has_its_names(&now, &entry.stat))
        })
    }

    /// Keeps the file of `key` open, unless the name refers to another file by now.
    pub(super) fn keep(&self, key: &str, etag: &[u8], path: &Path, file: File, now_us: u64) {
        let Ok(found) = fstat(&file) else { return };
        // The name is looked up after `found` was read. If the name is removed later, the status differs from `found`.
        if stat(path).is_ok_and(|named| is_the_only_name(&named, &found)) {
            let entry = Entry {
                key: key.to_owned(),
                etag: etag.to_owned(),
                stat: found,
                file,
                since_us: now_us,
            };
            self.object.store(Some(entry.into()));
        }
    }
}

/// Returns whether the path of `named` referred to the file of `found`, and the file had no other name.
///
/// During a rename over a file, there is a moment when the file has lost its name, the path still refers to it, and its
/// status does not change any more. The number of links reveals that moment only if the file has a single name.
fn is_the_only_name(named: &Stat, found: &Stat) -> bool {
    (named.st_dev, named.st_ino) == (found.st_dev, found.st_ino) && found.st_nlink == 1
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// With so many renames, some are in that moment while the test looks up the name.
    const RENAMES: usize = 2_000;

    /// A folder with a file `head`, which was looked up at time 0.
    fn opened() -> (tempfile::TempDir, OpenObject) {
        let folder = tempfile::tempdir().unwrap();
        let (path, object) = (folder.path().join("head"), OpenObject::default());
        fs::write(&path, "one").unwrap();
        object.keep("head", b"tag", &path, File::open(&path).unwrap(), 0);
        (folder, object)
    }

    #[test]
    fn open_object_is_confirmed_for_a_limited_time() {
        let (_folder, object) = opened();
        assert!(object.has("head", b"tag", TRUSTED_US - 1));
        assert!(!object.has("head", b"tag", TRUSTED_US));
        assert!(!object.has("head", b"other", 0) && !object.has("other", b"tag", 0));
    }

    #[test]
    fn replaced_or_removed_file_is_noticed() {
        for linked in [false, true] {
            let (folder, object) = opened();
            let path = |name: &str| folder.path().join(name);
            if linked {
                fs::hard_link(path("head"), path("copy")).unwrap();
                object.keep("head", b"tag", &path("head"), File::open(path("head")).unwrap(), 0);
            }
            fs::write(path("new"), "two").unwrap();
            fs::rename(path("new"), path("head")).unwrap();
            assert!(!object.has("head", b"tag", 0));
        }
        let (folder, object) = opened();
        fs::remove_file(folder.path().join("head")).unwrap();
        assert!(!object.has("head", b"tag", 0));
    }

    #[test]
    fn file_that_is_losing_its_name_is_not_kept() {
        let (folder, _) = opened();
        let named = stat(folder.path().join("head")).unwrap();
        assert!(is_the_only_name(&named, &named));
        let mut found = named;
        found.st_nlink = 0;
        assert!(!is_the_only_name(&found, &found));
    }

    #[test]
    fn file_with_several_names_is_not_kept() {
        let (folder, object) = opened();
        let path = |name: &str| folder.path().join(name);
        fs::hard_link(path("head"), path("copy")).unwrap();
        object.keep("head", b"other", &path("head"), File::open(path("head")).unwrap(), 0);
        assert!(!object.has("head", b"other", 0));
        assert!(!object.has("head", b"tag", 0), "its names have changed");
    }

    #[test]
    fn file_that_is_replaced_during_the_lookup_is_not_confirmed() {
        let (folder, object) = opened();
        let path = |name: &str| folder.path().join(name);
        let renamed = AtomicUsize::new(0);
        let renames = || renamed.load(Ordering::SeqCst);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..RENAMES {
                    fs::write(path("new"), "two").unwrap();
                    fs::rename(path("new"), path("head")).unwrap();
                    renamed.fetch_add(1, Ordering::SeqCst);
                }
            });
            while renames() < RENAMES {
                object.keep("head", b"tag", &path("head"), File::open(path("head")).unwrap(), 0);
                // The next rename may have begun before the lookup, but the one after it replaces the open file.
                let replaced = renames() + 2;
                while renames() < replaced.min(RENAMES) {
                    std::hint::spin_loop();
                }
                assert!(replaced > RENAMES || !object.has("head", b"tag", 0));
            }
        });
    }

    #[test]
    fn file_that_was_replaced_before_the_lookup_is_not_kept() {
        let (folder, object) = opened();
        let path = folder.path().join("head");
        let old = File::open(&path).unwrap();
        fs::rename(&path, folder.path().join("copy")).unwrap();
        fs::write(&path, "two").unwrap();
        object.keep("head", b"old", &path, old, 0);
        assert!(!object.has("head", b"old", 0));
    }
}
