//! [`sha256`]: computes the checksum of a file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

/// Size of the read buffer, in bytes.
const BUFFER_BYTES: usize = 1 << 20;

/// Returns the SHA-256 of a file of any size.
pub(crate) fn sha256(path: &Path) -> std::io::Result<[u8; 32]> {
    let (mut file, mut digest) = (File::open(path)?, Sha256::new());
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(digest.finalize().into()),
            count => digest.update(&buffer[..count]),
        }
    }
}
