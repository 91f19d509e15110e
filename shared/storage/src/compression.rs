//! zstd, with one context for each thread: making one costs more than using it on a small piece.

use std::cell::RefCell;
use std::io;

use zstd::bulk::{Compressor, Decompressor};

use crate::limits::ZSTD_LEVEL;

thread_local! {
    static PACKER: RefCell<io::Result<Compressor<'static>>> = RefCell::new(Compressor::new(ZSTD_LEVEL));
    static UNPACKER: RefCell<io::Result<Decompressor<'static>>> = RefCell::new(Decompressor::new());
}

/// Packs `raw` behind the bytes of `front`.
pub(crate) fn pack_behind(front: &[u8], raw: &[u8]) -> io::Result<Vec<u8>> {
    let mut packed = vec![0; front.len() + zstd::zstd_safe::compress_bound(raw.len())];
    packed[..front.len()].copy_from_slice(front);
    let bytes = PACKER.with(|packer| match &mut *packer.borrow_mut() {
        Ok(packer) => packer.compress_to_buffer(raw, &mut packed[front.len()..]),
        Err(error) => Err(io::Error::other(error.to_string())),
    })?;
    packed.truncate(front.len() + bytes);
    packed.shrink_to_fit();
    Ok(packed)
}

/// Unpacks what was exactly `raw_bytes` long.
///
/// # Errors
/// What is wrong with `packed`.
pub(crate) fn unpack(packed: &[u8], raw_bytes: usize) -> Result<Vec<u8>, String> {
    let mut raw = Vec::new();
    raw.try_reserve_exact(raw_bytes).map_err(|error| error.to_string())?;
    let unpacked = UNPACKER.with(|unpacker| match &mut *unpacker.borrow_mut() {
        Ok(unpacker) => unpacker
            .decompress_to_buffer(packed, &mut raw)
            .map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    })?;
    if unpacked == raw_bytes {
        Ok(raw)
    } else {
        Err(format!("{unpacked} bytes, where {raw_bytes} were announced"))
    }
}
