//! [`read_or_create`]: reads the key file, or generates it for an installation without a passphrase.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use bespoke_core::Random;

const FOLDER: &str = "keys";
const FILE: &str = "encryption.key";
const PASSPHRASE_BYTES: usize = 64;

/// Whether `<data>/keys/encryption.key` exists. If that cannot be determined, returns `true`, so that no second key is created.
pub(crate) fn exists(data_dir: &Path) -> bool {
    data_dir.join(FOLDER).join(FILE).try_exists().unwrap_or(true)
}

/// Reads `<data>/keys/encryption.key`. If the file does not exist, creates it with a random passphrase, readable by its owner only.
///
/// # Errors
/// If the file can be neither read nor created.
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
    // The file is written under another name and then linked, so that two concurrent first starts agree on one key and neither reads a partial
    // file.
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
