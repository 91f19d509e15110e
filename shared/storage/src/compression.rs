//! zstd, with one context for each thread: making one costs more than using it on a small piece.

use std::cell::{Cell, RefCell};
use std::io;

use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{self, CParameter};

use crate::limits::{PIECE_BYTES, UNPACKED_KEPT_BYTES, ZSTD_LEVEL};

/// How far [`pack_alike`] looks back at least and at most, as a power of two of bytes.
const ALIKE_WINDOW_MIN: u32 = 10;
const ALIKE_WINDOW_MAX: u32 = 27;

thread_local! {
    static PACKER: RefCell<io::Result<Compressor<'static>>> = RefCell::new(Compressor::new(ZSTD_LEVEL));
    static UNPACKER: RefCell<io::Result<Decompressor<'static>>> = RefCell::new(Decompressor::new());
    /// Memory that was written to before costs nothing to get; new memory costs a page fault for every 4 KiB.
    static UNPACKED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Packs `raw` behind the bytes of `front`.
pub(crate) fn pack_behind(front: &[u8], raw: &[u8]) -> io::Result<Vec<u8>> {
    let mut packed = vec![0; front.len() + zstd_safe::compress_bound(raw.len())];
    packed[..front.len()].copy_from_slice(front);
    let bytes = PACKER.with(|packer| match &mut *packer.borrow_mut() {
        Ok(packer) => packer.compress_to_buffer(raw, &mut packed[front.len()..]),
        Err(error) => Err(io::Error::other(error.to_string())),
    })?;
    packed.truncate(front.len() + bytes);
    packed.shrink_to_fit();
    Ok(packed)
}

/// Packs `raw`, much of which occurs in it several times far apart, behind the bytes of `front`.
pub(crate) fn pack_alike(front: &[u8], raw: &[u8]) -> io::Result<Vec<u8>> {
    let mut packer = Compressor::new(ZSTD_LEVEL)?;
    let window = raw
        .len()
        .max(1)
        .next_power_of_two()
        .ilog2()
        .clamp(ALIKE_WINDOW_MIN, ALIKE_WINDOW_MAX);
    packer.set_parameter(CParameter::WindowLog(window))?;
    packer.set_parameter(CParameter::EnableLongDistanceMatching(raw.len() > PIECE_BYTES))?;
    let mut packed = vec![0; front.len() + zstd_safe::compress_bound(raw.len())];
    packed[..front.len()].copy_from_slice(front);
    let bytes = packer.compress_to_buffer(raw, &mut packed[front.len()..])?;
    packed.truncate(front.len() + bytes);
    packed.shrink_to_fit();
    Ok(packed)
}

/// Packs `raw` in pieces of [`PIECE_BYTES`], a frame each, one behind the other.
pub(crate) fn pack_pieces(raw: &[u8]) -> io::Result<Vec<u8>> {
    let mut packed = Vec::with_capacity(raw.len());
    for piece in raw.chunks(PIECE_BYTES) {
        packed.append(&mut pack_behind(&[], piece)?);
    }
    packed.shrink_to_fit();
    Ok(packed)
}

/// Unpacks frame after frame what was exactly `raw_bytes` long, and hands each to `work` with where it begins.
///
/// # Errors
/// What is wrong with `packed`, and what `work` fails with.
pub(crate) fn with_pieces<E>(
    packed: &[u8],
    raw_bytes: usize,
    mut work: impl FnMut(usize, &[u8]) -> Result<(), E>,
) -> Result<Result<(), E>, String> {
    let (mut rest, mut done) = (packed, 0);
    while !rest.is_empty() {
        let frame = zstd_safe::find_frame_compressed_size(rest).map_err(zstd_safe::get_error_name)?;
        let (frame, behind) = rest.split_at_checked(frame).ok_or("a frame that ends early")?;
        let bytes = zstd_safe::get_frame_content_size(frame).ok().flatten();
        let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok());
        let bytes = bytes.filter(|bytes| *bytes <= raw_bytes - done);
        let bytes = bytes.ok_or_else(|| format!("a frame of {bytes:?} bytes behind {done} of {raw_bytes}"))?;
        if let Err(error) = with_unpacked(frame, bytes, |raw| work(done, raw))? {
            return Ok(Err(error));
        }
        (rest, done) = (behind, done + bytes);
    }
    if done == raw_bytes {
        Ok(Ok(()))
    } else {
        Err(format!("{done} bytes, where {raw_bytes} were announced"))
    }
}

/// Unpacks what was exactly `raw_bytes` long.
///
/// # Errors
/// What is wrong with `packed`.
pub(crate) fn unpack(packed: &[u8], raw_bytes: usize) -> Result<Vec<u8>, String> {
    let mut raw = Vec::new();
    unpack_into(&mut raw, packed, raw_bytes)?;
    Ok(raw)
}

/// Unpacks what was exactly `raw_bytes` long for `work`, into memory of this thread that was used before.
///
/// # Errors
/// What is wrong with `packed`.
pub(crate) fn with_unpacked<T>(packed: &[u8], raw_bytes: usize, work: impl FnOnce(&[u8]) -> T) -> Result<T, String> {
    let mut raw = UNPACKED.take();
    raw.clear();
    let result = unpack_into(&mut raw, packed, raw_bytes).map(|()| work(&raw));
    if raw.capacity() <= UNPACKED_KEPT_BYTES {
        UNPACKED.set(raw);
    }
    result
}

fn unpack_into(raw: &mut Vec<u8>, packed: &[u8], raw_bytes: usize) -> Result<(), String> {
    raw.try_reserve_exact(raw_bytes).map_err(|error| error.to_string())?;
    let unpacked = UNPACKER.with(|unpacker| match &mut *unpacker.borrow_mut() {
        Ok(unpacker) => unpacker
            .decompress_to_buffer(packed, raw)
            .map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    })?;
    if unpacked == raw_bytes {
        Ok(())
    } else {
        Err(format!("{unpacked} bytes, where {raw_bytes} were announced"))
    }
}
