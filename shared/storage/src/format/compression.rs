//! zstd compression ([`compress_frames`], [`decompress`]) with one context per thread, because creating a context
//! costs more than compressing a small input.

use std::cell::{Cell, RefCell};
use std::io;

use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{self, CParameter};

use crate::limits::{DECOMPRESSION_BUFFER_MAX_BYTES, ZSTD_FRAME_BYTES, ZSTD_LEVEL};

/// Binary logarithm of the smallest window of [`compress_repetitive`] in bytes.
const WINDOW_LOG_MIN: u32 = 10;
/// Binary logarithm of the largest window in bytes.
const WINDOW_LOG_MAX: u32 = 27;

thread_local! {
    static COMPRESSOR: RefCell<io::Result<Compressor<'static>>> = RefCell::new(Compressor::new(ZSTD_LEVEL));
    static DECOMPRESSOR: RefCell<io::Result<Decompressor<'static>>> = RefCell::new(Decompressor::new());
    /// A buffer for decompressed bytes. It is reused because fresh memory costs a page fault for every 4 KiB.
    static DECOMPRESSED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Compresses `raw` and returns it after the bytes of `prefix`.
pub(crate) fn compress_after(prefix: &[u8], raw: &[u8]) -> io::Result<Vec<u8>> {
    let mut compressed = vec![0; prefix.len() + zstd_safe::compress_bound(raw.len())];
    compressed[..prefix.len()].copy_from_slice(prefix);
    let bytes = COMPRESSOR.with(|compressor| match &mut *compressor.borrow_mut() {
        Ok(compressor) => compressor.compress_to_buffer(raw, &mut compressed[prefix.len()..]),
        Err(error) => Err(io::Error::other(error.to_string())),
    })?;
    compressed.truncate(prefix.len() + bytes);
    compressed.shrink_to_fit();
    Ok(compressed)
}

/// Compresses `raw`, whose content repeats over long distances, and returns it after the bytes of `prefix`.
pub(crate) fn compress_repetitive(prefix: &[u8], raw: &[u8]) -> io::Result<Vec<u8>> {
    let mut compressor = Compressor::new(ZSTD_LEVEL)?;
    let window_log = raw
        .len()
        .max(1)
        .next_power_of_two()
        .ilog2()
        .clamp(WINDOW_LOG_MIN, WINDOW_LOG_MAX);
    compressor.set_parameter(CParameter::WindowLog(window_log))?;
    compressor.set_parameter(CParameter::EnableLongDistanceMatching(raw.len() > ZSTD_FRAME_BYTES))?;
    let mut compressed = vec![0; prefix.len() + zstd_safe::compress_bound(raw.len())];
    compressed[..prefix.len()].copy_from_slice(prefix);
    let bytes = compressor.compress_to_buffer(raw, &mut compressed[prefix.len()..])?;
    compressed.truncate(prefix.len() + bytes);
    compressed.shrink_to_fit();
    Ok(compressed)
}

/// Compresses `raw` as consecutive frames of [`ZSTD_FRAME_BYTES`] uncompressed bytes each.
pub(crate) fn compress_frames(raw: &[u8]) -> io::Result<Vec<u8>> {
    let mut compressed = Vec::with_capacity(raw.len());
    for frame in raw.chunks(ZSTD_FRAME_BYTES) {
        compressed.append(&mut compress_after(&[], frame)?);
    }
    compressed.shrink_to_fit();
    Ok(compressed)
}

/// Decompresses consecutive frames of `raw_bytes` uncompressed bytes in total. Calls `work` with the bytes of each frame
/// and their offset.
///
/// # Errors
/// Returns a description of the damage, or the error of `work` as the inner result.
pub(crate) fn decompress_frames<E>(
    compressed: &[u8],
    raw_bytes: usize,
    mut work: impl FnMut(usize, &[u8]) -> Result<(), E>,
) -> Result<Result<(), E>, String> {
    let mut rest = compressed;
    // The number of raw bytes before `rest`.
    let mut offset = 0;
    while !rest.is_empty() {
        let frame_length = zstd_safe::find_frame_compressed_size(rest).map_err(zstd_safe::get_error_name)?;
        let (frame, next) = rest.split_at_checked(frame_length).ok_or("a frame that ends early")?;
        let announced = zstd_safe::get_frame_content_size(frame).ok().flatten();
        let frame_bytes = announced.and_then(|bytes| usize::try_from(bytes).ok());
        let frame_bytes = frame_bytes.filter(|bytes| *bytes <= raw_bytes - offset);
        let frame_bytes =
            frame_bytes.ok_or_else(|| format!("a frame of {announced:?} bytes after {offset} of {raw_bytes}"))?;
        if let Err(error) = with_decompressed(frame, frame_bytes, |raw| work(offset, raw))? {
            return Ok(Err(error));
        }
        rest = next;
        offset += frame_bytes;
    }
    if offset == raw_bytes {
        Ok(Ok(()))
    } else {
        Err(format!("{offset} bytes, where {raw_bytes} were announced"))
    }
}

/// Decompresses one frame of exactly `raw_bytes` raw bytes.
///
/// # Errors
/// Returns a description of the damage.
pub(crate) fn decompress(compressed: &[u8], raw_bytes: usize) -> Result<Vec<u8>, String> {
    let mut raw = Vec::new();
    decompress_into(&mut raw, compressed, raw_bytes)?;
    Ok(raw)
}

/// Decompresses one frame of exactly `raw_bytes` raw bytes into the buffer of this thread, and calls `work` with it.
///
/// # Errors
/// Returns a description of the damage.
pub(crate) fn with_decompressed<T>(
    compressed: &[u8],
    raw_bytes: usize,
    work: impl FnOnce(&[u8]) -> T,
) -> Result<T, String> {
    let mut raw = DECOMPRESSED.take();
    raw.clear();
    let result = decompress_into(&mut raw, compressed, raw_bytes).map(|()| work(&raw));
    if raw.capacity() <= DECOMPRESSION_BUFFER_MAX_BYTES {
        DECOMPRESSED.set(raw);
    }
    result
}

fn decompress_into(raw: &mut Vec<u8>, compressed: &[u8], raw_bytes: usize) -> Result<(), String> {
    raw.try_reserve_exact(raw_bytes).map_err(|error| error.to_string())?;
    let written = DECOMPRESSOR.with(|decompressor| match &mut *decompressor.borrow_mut() {
        Ok(decompressor) => decompressor
            .decompress_to_buffer(compressed, raw)
            .map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    })?;
    if written == raw_bytes {
        Ok(())
    } else {
        Err(format!("{written} bytes, where {raw_bytes} were announced"))
    }
}
