//! The key file of an installation that was given no key.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use bespoke_core::Random;

const FOLDER: &str = "keys";
const FILE: &str = "encryption.key";
const PASSPHRASE_BYTES: usize = 64;

/// Whether `<data>/keys/encryption.key` exists, or may exist.
pub(crate) fn exists(data_dir: &Path) -> bool {
    data_dir.join(FOLDER).join(FILE).try_exists().unwrap_or(true)
}

/// Reads `<data>/keys/encryption.key`; makes it, readable by its owner only, when there is none.
///
/// # Errors
/// When the file can neither be read nor made.
pub(crate) fn read_or_create(data_dir: &Path, random: &dyn Random) -> std::io::Result<String> {
    let folder = data_dir.join(FOLDER);
    let path = folder.join(FILE);
    match fs::read_to_string(&path) {
        Ok(text) if text.trim().is_empty() => return Err(std::io::Error::other("the key file is empty")),
        Ok(text) => return Ok(text.trim().to_owned()),
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Err(_) => {}
    }
    fs::create_dir_all(&folder)?;
    // Written aside and linked, so that two first starts at once agree on one key and none reads half of it.
    let partial = folder.join(format!(".{}.part", random.uuid()));
    let mut file = owner_only(OpenOptions::new().write(true).create_new(true)).open(&partial)?;
    writeln!(file, "{}", random.hex::<PASSPHRASE_BYTES>())?;
    file.sync_all()?;
    let linked = fs::hard_link(&partial, &path);
    fs::remove_file(&partial)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    fs::File::open(&folder)?.sync_all()?;
    Ok(fs::read_to_string(&path)?.trim().to_owned())
}

#[cfg(unix)]
fn owner_only(options: &mut OpenOptions) -> &mut OpenOptions {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600)
}

#[cfg(not(unix))]
fn owner_only(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}
