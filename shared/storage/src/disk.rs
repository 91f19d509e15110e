//! [`advice`]: advice for errors of the local disk.

use std::io::ErrorKind;

/// Returns the action that an operator has to take for an error of the disk. Empty if waiting may help.
pub(crate) fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => ": make room on that disk",
        ErrorKind::ReadOnlyFilesystem => ": mount that disk for writing",
        ErrorKind::PermissionDenied => ": let this process read and write there",
        ErrorKind::NotADirectory | ErrorKind::IsADirectory => ": something else has that name, choose another folder",
        _ => "",
    }
}
