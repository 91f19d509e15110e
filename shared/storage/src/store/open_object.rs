//! [`OpenObject`]: keeps the file of the last revalidated object (in practice `head`) open.
//!
//! A revalidation then needs no path lookup: `fstat` on the open file shows whether the path still leads to this file.

use std::fs::File;
use std::path::Path;

use arc_swap::ArcSwapOption;
use rustix::fs::{Stat, fstat, stat};

/// How long the open file is trusted, in microseconds. Then the path is looked up again, because `fstat` does not notice
/// that the complete folder was renamed.
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
    /// Time of the last lookup of the path, on the monotonic scale, in microseconds.
    looked_up_us: u64,
}

/// Returns whether a file still has its names. If a name is removed, for example because another file is renamed over
/// it, the number of links and the time of the last status change differ.
fn has_its_names(now: &Stat, before: &Stat) -> bool {
    let link_state = |stat: &Stat| (stat.st_nlink, stat.st_ctime, stat.st_ctime_nsec);
    link_state(now) == link_state(before)
}

impl OpenObject {
    /// Returns whether `key` certainly has this ETag. `false` is inconclusive.
    pub(super) fn has(&self, key: &str, etag: &[u8], now_us: u64) -> bool {
        let entry = self.object.load();
        entry.as_ref().is_some_and(|entry| {
            entry.key == key
                && entry.etag == etag
                && now_us.saturating_sub(entry.looked_up_us) < TRUSTED_US
                && fstat(&entry.file).is_ok_and(|now| has_its_names(&now, &entry.stat))
        })
    }

    /// Keeps the file of `key` open, unless `path` leads to another file by now.
    pub(super) fn keep(&self, key: &str, etag: &[u8], path: &Path, file: File, now_us: u64) {
        // `fstat` comes before the lookup of the path. If the path is replaced in between, a later `fstat` differs from
        // `open_stat`, so that `has` notices it.
        let Ok(open_stat) = fstat(&file) else { return };
        if stat(path).is_ok_and(|path_stat| is_the_only_name(&path_stat, &open_stat)) {
            let entry = Entry {
                key: key.to_owned(),
                etag: etag.to_owned(),
                stat: open_stat,
                file,
                looked_up_us: now_us,
            };
            self.object.store(Some(entry.into()));
        }
    }
}

/// Returns whether the path leads to the open file, and the file has no other name.
///
/// While another file is renamed over this one, the kernel first lowers the number of links and changes the status, and
/// updates the path a moment later. In this moment, the path still leads to the old file, and no later change of its
/// status would reveal the replacement. A file with one link is not in this moment, because its last link would be gone.
/// For a file with several names, the number of links proves nothing.
fn is_the_only_name(path_stat: &Stat, open_stat: &Stat) -> bool {
    (path_stat.st_dev, path_stat.st_ino) == (open_stat.st_dev, open_stat.st_ino) && open_stat.st_nlink == 1
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Enough renames that some lookups of the path hit the moment that [`is_the_only_name`] describes.
    const RENAMES: usize = 2_000;

    /// Creates a folder with a file `head`, and keeps the file open with a lookup at time 0.
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
                // A file with a second name is not kept. The entry that `opened` kept must not be trusted either.
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
        let linked = stat(folder.path().join("head")).unwrap();
        assert!(is_the_only_name(&linked, &linked));
        let mut unlinked = linked;
        unlinked.st_nlink = 0;
        assert!(!is_the_only_name(&unlinked, &unlinked));
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
                // One rename may be under way already. The one after it certainly replaces the kept file.
                let replaced_after = renames() + 2;
                if replaced_after > RENAMES {
                    break;
                }
                while renames() < replaced_after {
                    std::hint::spin_loop();
                }
                assert!(!object.has("head", b"tag", 0));
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
