//! Encodes and decodes the frame that `head`, trash and history objects share.
//!
//! Layout: length of the JSON (4 bytes), digest of all bytes after the digest (8 bytes), the JSON, then blobs. Numbers
//! are little-endian.

use bytes::Bytes;

use crate::format::checksum;

/// Length of the frame before the JSON: length of the JSON, and digest, in bytes.
const FRAME_BYTES: usize = 12;

/// Encodes a body from its JSON and its blobs.
pub(crate) fn encode<'a>(json: &[u8], blobs: impl IntoIterator<Item = &'a Bytes>) -> Bytes {
    let mut body = u32::try_from(json.len()).unwrap_or(u32::MAX).to_le_bytes().to_vec();
    body.extend([0; FRAME_BYTES - 4]);
    body.extend(json);
    for blob in blobs {
        body.extend_from_slice(blob);
    }
    let digest = checksum::object_digest(&body[FRAME_BYTES..]);
    body[4..FRAME_BYTES].copy_from_slice(&digest.to_le_bytes());
    body.into()
}

/// Returns the JSON of a body, and the offset of its blobs.
///
/// # Errors
/// Returns a description of the damage.
pub(crate) fn decode(body: &Bytes) -> Result<(&[u8], usize), &'static str> {
    let (frame, rest) = body
        .split_first_chunk::<FRAME_BYTES>()
        .ok_or("shorter than its frame")?;
    let (length, digest) = frame.split_at(4);
    let length = length.try_into().map_or(0, u32::from_le_bytes) as usize;
    if digest != checksum::object_digest(rest).to_le_bytes() {
        return Err("its digest does not fit");
    }
    let json = rest.get(..length).ok_or("shorter than its JSON")?;
    Ok((json, FRAME_BYTES + length))
}
