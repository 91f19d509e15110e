//! [`keep_files_private`]: sets the mode of files that the process creates.

/// Sets the file mode mask, so that only the user of the process can read new files and folders. The local copy of the database, the folder
/// of a local bucket, and the outbox contain personal data.
pub fn keep_files_private() {
    let _ = rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}
