//! What `head` and the trash have in common: the length of the JSON (4 bytes), a digest of all that follows (8 bytes), the
//! JSON, then blobs.

use bytes::Bytes;

use crate::checksum;

/// Length and digest.
const FRAME_BYTES: usize = 12;

/// Puts a body together: the JSON, then `behind` piece by piece.
pub(crate) fn close<'a>(json: &[u8], behind: impl IntoIterator<Item = &'a Bytes>) -> Bytes {
    let mut body = u32::try_from(json.len()).unwrap_or(u32::MAX).to_le_bytes().to_vec();
    body.extend([0; FRAME_BYTES - 4]);
    body.extend(json);
    for piece in behind {
        body.extend_from_slice(piece);
    }
    let digest = checksum::of_object(&body[FRAME_BYTES..]);
    body[4..FRAME_BYTES].copy_from_slice(&digest.to_le_bytes());
    body.into()
}

/// Takes a body apart: its JSON, and where the blobs begin.
///
/// # Errors
/// What is damaged.
pub(crate) fn open(body: &Bytes) -> Result<(&[u8], usize), &'static str> {
    let (frame, rest) = body
        .split_first_chunk::<FRAME_BYTES>()
        .ok_or("shorter than its frame")?;
    let (length, digest) = frame.split_at(4);
    let length = length.try_into().map_or(0, u32::from_le_bytes) as usize;
    if digest != checksum::of_object(rest).to_le_bytes() {
        return Err("its digest does not fit");
    }
    let json = rest.get(..length).ok_or("shorter than its JSON")?;
    Ok((json, FRAME_BYTES + length))
}
