//! Replaces the published crate `crc-fast` with the three checksums that the AWS SDK for S3 uses.
//!
//! **Purpose.** The published crate links about forty checksums, each with a table of 16 or 32 KiB, into every program
//! that uses one of them: 0.7 MB, a tenth of a Lambda function. The SDK uses three of them, and only for requests and
//! responses with a checksum, which this project does not request. No feature of the published crate or of the SDK
//! removes the others. The workspace therefore replaces the crate (`[patch.crates-io]` in `Cargo.toml`). The algorithms
//! are those of the crate `crc`; a test compares the checksums with those of the published crate.
//!
//! **Does not depend on** any crate of this project.
//!
//! **To add a checksum,** add a variant to [`CrcAlgorithm`]. If a new version of the SDK needs one, the SDK does not
//! compile until the variant exists.

use crc::{CRC_32_ISCSI, CRC_32_ISO_HDLC, CRC_64_NVME, Crc, Table};

static ISO_HDLC: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISO_HDLC);
static ISCSI: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISCSI);
static NVME: Crc<u64, Table<1>> = Crc::<u64, Table<1>>::new(&CRC_64_NVME);

/// An algorithm of checksums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrcAlgorithm {
    /// CRC-32 of Ethernet and zip files.
    Crc32IsoHdlc,
    /// CRC-32C of iSCSI.
    Crc32Iscsi,
    /// CRC-64 of NVMe.
    Crc64Nvme,
}

enum State {
    Short(crc::Digest<'static, u32, Table<1>>),
    Long(crc::Digest<'static, u64, Table<1>>),
}

/// Computes the checksum of bytes that arrive in pieces.
pub struct Digest(State);

impl Digest {
    /// Creates the checksum of an empty input.
    pub fn new(algorithm: CrcAlgorithm) -> Self {
        Self(match algorithm {
            CrcAlgorithm::Crc32IsoHdlc => State::Short(ISO_HDLC.digest()),
            CrcAlgorithm::Crc32Iscsi => State::Short(ISCSI.digest()),
            CrcAlgorithm::Crc64Nvme => State::Long(NVME.digest()),
        })
    }

    /// Adds the next bytes of the input.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Short(digest) => digest.update(bytes),
            State::Long(digest) => digest.update(bytes),
        }
    }

    /// Returns the checksum. A checksum of 32 bits is in the lower half.
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

/// Returns the checksum of `bytes`. A checksum of 32 bits is in the lower half.
pub fn checksum(algorithm: CrcAlgorithm, bytes: &[u8]) -> u64 {
    let mut digest = Digest::new(algorithm);
    digest.update(bytes);
    digest.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values are those of the catalogue of parametrised CRC algorithms.
    #[test]
    fn checksums_equal_the_check_values() {
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
