//! The object of a folder that is asked about before every read, kept open: whether its name still leads to it is told by the
//! file itself, without a walk along the path.

use std::fs::File;
use std::path::Path;

use arc_swap::ArcSwapOption;
use rustix::fs::{Stat, fstat, stat};

/// How long a file is asked instead of its name. Longer than that matters only where somebody moves the whole folder away under
/// a running process. Microseconds.
const TRUSTED_US: u64 = 1_000_000;

/// The object that was asked about last.
#[derive(Default)]
pub(super) struct Kept {
    object: ArcSwapOption<KeptObject>,
}

struct KeptObject {
    key: String,
    etag: Vec<u8>,
    file: File,
    stat: Stat,
    /// On the monotonic scale. Microseconds.
    since_us: u64,
}

/// Whether a file has as many names as before, and that and everything else about it was last changed then. Taking a name away
/// from it, as a rename over it does, changes both.
fn has_its_names(now: &Stat, before: &Stat) -> bool {
    let all = |stat: &Stat| (stat.st_nlink, stat.st_ctime, stat.st_ctime_nsec);
    all(now) == all(before)
}

impl Kept {
    /// Whether `key` is known to have that ETag still. `false` says nothing.
    pub(super) fn has(&self, key: &str, etag: &[u8], now_us: u64) -> bool {
        let kept = self.object.load();
        kept.as_ref().is_some_and(|kept| {
            kept.key == key
                && kept.etag == etag
                && now_us.saturating_sub(kept.since_us) < TRUSTED_US
                && fstat(&kept.file).is_ok_and(|now| has_its_names(&now, &kept.stat))
        })
    }

    /// Keeps the file that was found under `key`, unless the name leads elsewhere by now.
    pub(super) fn keep(&self, key: &str, etag: &[u8], path: &Path, file: File, now_us: u64) {
        let Ok(found) = fstat(&file) else { return };
        // Looked up behind `found`: if the name goes after this, that differs from what is kept.
        if stat(path).is_ok_and(|named| is_the_only_name(&named, &found)) {
            let kept = KeptObject {
                key: key.to_owned(),
                etag: etag.to_owned(),
                stat: found,
                file,
                since_us: now_us,
            };
            self.object.store(Some(kept.into()));
        }
    }
}

/// Whether the path of `named` led to the file of `found`, which had no other name. During a rename over a file, that file has lost the
/// name already, while the path still leads to it, and nothing about it changes any more; of several names, one could be lost like this.
fn is_the_only_name(named: &Stat, found: &Stat) -> bool {
    (named.st_dev, named.st_ino) == (found.st_dev, found.st_ino) && found.st_nlink == 1
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Some of this many renames are under way during a look, in the moment in which the file has lost its name already.
    const RENAMES: usize = 2_000;

    /// A folder with a file `head`, kept at time 0.
    fn kept() -> (tempfile::TempDir, Kept) {
        let folder = tempfile::tempdir().unwrap();
        let (path, kept) = (folder.path().join("head"), Kept::default());
        fs::write(&path, "one").unwrap();
        kept.keep("head", b"tag", &path, File::open(&path).unwrap(), 0);
        (folder, kept)
    }

    #[test]
    fn vouches_for_what_it_keeps_and_for_nothing_else() {
        let (_folder, kept) = kept();
        assert!(kept.has("head", b"tag", TRUSTED_US - 1));
        assert!(!kept.has("head", b"tag", TRUSTED_US));
        assert!(!kept.has("head", b"other", 0) && !kept.has("other", b"tag", 0));
    }

    #[test]
    fn notices_that_the_name_leads_elsewhere_also_where_the_file_has_another() {
        for linked in [false, true] {
            let (folder, kept) = kept();
            let path = |name: &str| folder.path().join(name);
            if linked {
                fs::hard_link(path("head"), path("copy")).unwrap();
                kept.keep("head", b"tag", &path("head"), File::open(path("head")).unwrap(), 0);
            }
            fs::write(path("new"), "two").unwrap();
            fs::rename(path("new"), path("head")).unwrap();
            assert!(!kept.has("head", b"tag", 0));
        }
        let (folder, kept) = kept();
        fs::remove_file(folder.path().join("head")).unwrap();
        assert!(!kept.has("head", b"tag", 0));
    }

    #[test]
    fn does_not_keep_a_file_that_is_losing_its_name() {
        let (folder, _) = kept();
        let named = stat(folder.path().join("head")).unwrap();
        assert!(is_the_only_name(&named, &named));
        let mut found = named;
        found.st_nlink = 0;
        assert!(!is_the_only_name(&found, &found));
    }

    #[test]
    fn does_not_keep_a_file_with_several_names() {
        let (folder, kept) = kept();
        let path = |name: &str| folder.path().join(name);
        fs::hard_link(path("head"), path("copy")).unwrap();
        kept.keep("head", b"other", &path("head"), File::open(path("head")).unwrap(), 0);
        assert!(!kept.has("head", b"other", 0));
        assert!(!kept.has("head", b"tag", 0), "its names have changed");
    }

    #[test]
    fn never_vouches_for_a_file_that_was_replaced_while_it_was_looked_up() {
        let (folder, kept) = kept();
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
                kept.keep("head", b"tag", &path("head"), File::open(path("head")).unwrap(), 0);
                // The next rename may have begun before the look, but the one after it replaces the kept file.
                let replaced = renames() + 2;
                while renames() < replaced.min(RENAMES) {
                    std::hint::spin_loop();
                }
                assert!(replaced > RENAMES || !kept.has("head", b"tag", 0));
            }
        });
    }

    #[test]
    fn does_not_keep_what_was_replaced_meanwhile() {
        let (folder, kept) = kept();
        let path = folder.path().join("head");
        let old = File::open(&path).unwrap();
        fs::rename(&path, folder.path().join("copy")).unwrap();
        fs::write(&path, "two").unwrap();
        kept.keep("head", b"old", &path, old, 0);
        assert!(!kept.has("head", b"old", 0));
    }
}
