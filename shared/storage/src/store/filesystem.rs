//! [`refuse_network`]: rejects network file systems, on which locks and renames are not atomic between machines.

use std::path::Path;

use super::StoreError;

/// The refused file systems by their `f_type` of `statfs(2)`, from `linux/magic.h` and from the sources of the file
/// systems. FUSE is refused, because most file systems that use it are network file systems (sshfs, s3fs, gcsfuse) and
/// may ignore locks.
#[cfg(target_os = "linux")]
const REFUSED: [(u32, &str); 17] = [
    (0x0000_6969, "NFS"),
    (0x0000_517b, "SMB"),
    (0xfe53_4d42, "SMB2"),
    (0xff53_4d42, "CIFS"),
    (0x0000_564c, "NCP"),
    (0x5346_414f, "AFS"),
    (0x6b41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x00c3_6400, "Ceph"),
    (0x0102_1997, "9P"),
    (0x6573_5546, "FUSE"),
    (0x0bd0_0bd0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x7461_636f, "OCFS2"),
    (0x0116_1970, "GFS2"),
    (0x786f_4256, "VirtualBox shared folder"),
    (0xbacb_acbc, "VMware shared folder"),
];

/// Returns the name of the network file system with this `f_type`. `None` if it is a local one.
#[cfg(target_os = "linux")]
fn refused_type(f_type: u32) -> Option<&'static str> {
    REFUSED
        .iter()
        .find(|(magic, _)| *magic == f_type)
        .map(|(_, name)| *name)
}

/// Rejects a folder on a network file system. On systems other than Linux every file system is accepted.
///
/// # Errors
/// [`StoreError::Refused`], which names the type, or [`StoreError::Busy`] if the type cannot be read.
pub(super) fn refuse_network(path: &Path) -> Result<(), StoreError> {
    #[cfg(target_os = "linux")]
    {
        let status =
            rustix::fs::statfs(path).map_err(|error| StoreError::Busy(format!("{}: {error}", path.display())))?;
        // The kernel uses 32 bits. The Rust type differs between targets.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "magic numbers have 32 bits"
        )]
        if let Some(name) = refused_type(status.f_type as u32) {
            let place = path.display();
            return Err(StoreError::Refused(format!(
                "{place} is on {name}, where locks do not hold between machines: use a local disk"
            )));
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = path;
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn network_types_are_distinguished_from_local_ones() {
        assert_eq!(refused_type(0x6969), Some("NFS"));
        assert_eq!(refused_type(0xff53_4d42), Some("CIFS"));
        assert_eq!(refused_type(0xef53), None, "ext4");
        assert_eq!(refused_type(0x0102_1994), None, "tmpfs");
    }

    #[test]
    fn local_folder_is_accepted() {
        refuse_network(Path::new("/")).unwrap();
    }
}
