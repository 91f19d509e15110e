//! Compares the checksums with those of the published crate `crc-fast` 1.10.0.
//!
//! The values were computed with the published crate. Its algorithms depend on the length of the input, so the lengths
//! are around the block sizes of these algorithms.

use crc_fast::{CrcAlgorithm, Digest, checksum};

/// Length of the input in bytes, and its CRC-32 (ISO-HDLC), CRC-32C (iSCSI) and CRC-64 (NVMe).
const PUBLISHED: [(usize, u64, u64, u64); 22] = [
    (0, 0x0000_0000, 0x0000_0000, 0x0000_0000_0000_0000),
    (1, 0xd202_ef8d, 0x527d_5351, 0xd5da_5047_efec_8728),
    (3, 0xff41_d912, 0x6064_a37a, 0x4692_d8c4_0db2_994c),
    (7, 0x0a14_fbaf, 0xda69_ad5e, 0x7bb7_69d5_779f_5c47),
    (8, 0x7d02_e03a, 0x895b_b8e0, 0x7d95_cd5b_70c0_bc62),
    (15, 0x5032_8ccb, 0x84aa_4ad2, 0xc3f9_97fc_b68e_9d4f),
    (16, 0xcae5_9a76, 0x3d0c_60f8, 0xfb10_9d0e_b1d4_d0d0),
    (17, 0x50c0_fed6, 0x0b4a_e655, 0x1136_0802_aeba_07a1),
    (63, 0xb1e7_8323, 0x3bb9_9499, 0x9f9a_5f3e_31da_ed15),
    (64, 0xcd69_8b60, 0x4b32_a26b, 0xdfbe_6840_bef0_59eb),
    (65, 0x9f7d_e75e, 0xaa79_59aa, 0x4e5d_a420_5041_2957),
    (127, 0x1e41_27c9, 0x1c0d_9f02, 0x495b_e60a_9467_1cb4),
    (128, 0x90ae_36c6, 0x506a_8623, 0xb34b_cb54_8fe9_1455),
    (255, 0x1587_2b16, 0x6262_ca3e, 0xf543_653d_e0d9_f2ff),
    (256, 0xbda7_1f47, 0x0d09_e1c9, 0xb2c3_0af1_ebc5_3d28),
    (257, 0x3a07_9ca1, 0xe94f_a7b8, 0x82b5_818e_676f_6362),
    (1_023, 0x2adf_46dc, 0x1f28_b690, 0x5071_1842_c050_0e14),
    (1_024, 0x5d4d_ae34, 0xc0ca_87f0, 0x6408_3b17_bdd3_0e28),
    (1_025, 0xf3eb_5696, 0xa1d3_f6a3, 0x8263_4abf_8139_7551),
    (4_095, 0x1f74_080f, 0xdbb6_46e4, 0x2881_2007_d323_585c),
    (4_096, 0x42a2_8614, 0x760c_da12, 0x1536_fd26_eaba_ae64),
    (5_000, 0xc957_91c6, 0xfc35_333e, 0x93e2_14f0_ec55_1a86),
];
/// Length of the longest input, in bytes.
const LONGEST: u32 = 5_000;

/// Returns the bytes whose beginnings are the inputs.
fn input() -> Vec<u8> {
    (0..LONGEST)
        .map(|n| (n.wrapping_mul(n) >> 3).to_le_bytes()[0])
        .collect()
}

#[test]
fn checksums_equal_those_of_the_published_crate() {
    let input = input();
    for (length, iso_hdlc, iscsi, nvme) in PUBLISHED {
        let bytes = &input[..length];
        for (algorithm, published) in [
            (CrcAlgorithm::Crc32IsoHdlc, iso_hdlc),
            (CrcAlgorithm::Crc32Iscsi, iscsi),
            (CrcAlgorithm::Crc64Nvme, nvme),
        ] {
            assert_eq!(checksum(algorithm, bytes), published, "{algorithm:?}, {length} bytes");
            let mut digest = Digest::new(algorithm);
            bytes.chunks(7).for_each(|piece| digest.update(piece));
            assert_eq!(digest.finalize(), published, "{algorithm:?}, {length} bytes in pieces");
        }
    }
}
