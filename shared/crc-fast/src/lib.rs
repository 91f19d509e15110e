//! Checksums for the SDK of S3, in place of the published crate `crc-fast`.
//!
//! The published crate computes some forty checksums with a table of 16 or 32 KiB each, and links all of them into each caller:
//! 0.7 MB, a tenth of every function. The SDK calls three, and only if a checksum is required, which is turned off here. The
//! workspace replaces the crate by this one (`[patch.crates-io]`); the checksums are computed by the crate `crc`.
//!
//! This crate must not depend on any other crate of the workspace.
//!
//! If a new version of the SDK needs another checksum, the build fails; add it to [`CrcAlgorithm`].

use crc::{CRC_32_ISCSI, CRC_32_ISO_HDLC, CRC_64_NVME, Crc, Table};

static ISO_HDLC: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISO_HDLC);
static ISCSI: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISCSI);
static NVME: Crc<u64, Table<1>> = Crc::<u64, Table<1>>::new(&CRC_64_NVME);

/// The algorithm of a checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrcAlgorithm {
    /// CRC-32 of Ethernet and zip.
    Crc32IsoHdlc,
    /// CRC-32C.
    Crc32Iscsi,
    /// CRC-64 of NVMe.
    Crc64Nvme,
}

enum State {
    Short(crc::Digest<'static, u32, Table<1>>),
    Long(crc::Digest<'static, u64, Table<1>>),
}

/// A checksum of data that arrives in pieces.
pub struct Digest(State);

impl Digest {
    /// Starts the checksum of an empty input.
    pub fn new(algorithm: CrcAlgorithm) -> Self {
        Self(match algorithm {
            CrcAlgorithm::Crc32IsoHdlc => State::Short(ISO_HDLC.digest()),
            CrcAlgorithm::Crc32Iscsi => State::Short(ISCSI.digest()),
            CrcAlgorithm::Crc64Nvme => State::Long(NVME.digest()),
        })
    }

    /// Adds a piece.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Short(digest) => digest.update(bytes),
            State::Long(digest) => digest.update(bytes),
        }
    }

    /// The checksum. One of 32 bits is in the lower half.
    pub fn finalize(self) -> u64 {
        match self.0 {
            State::Short(digest) => digest.finalize().into(),
            State::Long(digest) => digest.finalize(),
        }
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Digest")
    }
}

/// The checksum of complete data.
pub fn checksum(algorithm: CrcAlgorithm, bytes: &[u8]) -> u64 {
    let mut digest = Digest::new(algorithm);
    digest.update(bytes);
    digest.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values of the catalogue of parametrised CRC algorithms.
    #[test]
    fn sums_match_the_catalogue() {
        for (algorithm, sum) in [
            (CrcAlgorithm::Crc32IsoHdlc, 0xcbf4_3926),
            (CrcAlgorithm::Crc32Iscsi, 0xe306_9283),
            (CrcAlgorithm::Crc64Nvme, 0xae8b_1486_0a79_9888),
        ] {
            assert_eq!(checksum(algorithm, b"123456789"), sum, "{algorithm:?}");
            let mut digest = Digest::new(algorithm);
            digest.update(b"1234");
            digest.update(b"56789");
            assert_eq!(digest.finalize(), sum, "{algorithm:?}");
        }
    }
}
