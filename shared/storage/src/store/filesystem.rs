//! Which file systems keep a lock and a rename between the processes of one machine only, and are therefore refused.

use std::path::Path;

use super::StoreError;

/// `f_type` of `statfs(2)`, from `linux/magic.h` and the file systems' own sources. FUSE is here because most of what is
/// mounted by it is a network (sshfs, s3fs, gcsfuse), and because such a file system may ignore locks.
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

/// The name of the network file system with this `f_type`, if it is one.
#[cfg(target_os = "linux")]
fn refused_type(f_type: u32) -> Option<&'static str> {
    REFUSED
        .iter()
        .find(|(magic, _)| *magic == f_type)
        .map(|(_, name)| *name)
}

/// Refuses a folder on a network file system. Elsewhere than on Linux the type is not looked at.
///
/// # Errors
/// [`StoreError::Refused`], naming the type; [`StoreError::Busy`] where the folder cannot be asked.
pub(super) fn refuse_network(path: &Path) -> Result<(), StoreError> {
    #[cfg(target_os = "linux")]
    {
        let answer =
            rustix::fs::statfs(path).map_err(|error| StoreError::Busy(format!("{}: {error}", path.display())))?;
        // The kernel's field is 32 bits wide at heart; its Rust type differs between targets.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "magic numbers have 32 bits"
        )]
        if let Some(name) = refused_type(answer.f_type as u32) {
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
    fn knows_network_types_from_local_ones() {
        assert_eq!(refused_type(0x6969), Some("NFS"));
        assert_eq!(refused_type(0xff53_4d42), Some("CIFS"));
        assert_eq!(refused_type(0xef53), None, "ext4");
        assert_eq!(refused_type(0x0102_1994), None, "tmpfs");
    }

    #[test]
    fn lets_a_local_folder_pass() {
        refuse_network(Path::new("/")).unwrap();
    }
}
