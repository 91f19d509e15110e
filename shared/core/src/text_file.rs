//! [`decode_text`]: decodes text files of other programs.

use std::borrow::Cow;

const UTF_8_MARK: &[u8] = b"\xef\xbb\xbf";
const UTF_16_LITTLE_ENDIAN_MARK: &[u8] = b"\xff\xfe";
const UTF_16_BIG_ENDIAN_MARK: &[u8] = b"\xfe\xff";

/// Decodes UTF-8 with or without a byte order mark, or UTF-16 with one, as Windows programs write it. Returns the text without the mark; `None`
/// if the bytes have another encoding.
///
/// ```
/// assert_eq!(bespoke_core::decode_text(b"\xff\xfeh\0i\0").as_deref(), Some("hi"));
/// ```
pub fn decode_text(bytes: &[u8]) -> Option<Cow<'_, str>> {
    if let Some(rest) = bytes.strip_prefix(UTF_16_LITTLE_ENDIAN_MARK) {
        return utf_16(rest, u16::from_le_bytes);
    }
    if let Some(rest) = bytes.strip_prefix(UTF_16_BIG_ENDIAN_MARK) {
        return utf_16(rest, u16::from_be_bytes);
    }
    let bytes = bytes.strip_prefix(UTF_8_MARK).unwrap_or(bytes);
    std::str::from_utf8(bytes).ok().map(Cow::Borrowed)
}

fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<Cow<'static, str>> {
    let (pairs, []) = bytes.as_chunks::<2>() else {
        return None;
    };
    let text: Result<String, _> = char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).collect();
    text.ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_encoding_with_a_mark_is_decoded() {
        let text = "Jan\u{e9} \u{1f9f5}\r\n";
        let units = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
        for bytes in [
            text.as_bytes().to_vec(),
            [UTF_8_MARK, text.as_bytes()].concat(),
            [UTF_16_LITTLE_ENDIAN_MARK, &units(u16::to_le_bytes)].concat(),
            [UTF_16_BIG_ENDIAN_MARK, &units(u16::to_be_bytes)].concat(),
        ] {
            assert_eq!(decode_text(&bytes).as_deref(), Some(text), "{bytes:?}");
        }
        assert_eq!(decode_text(b"").as_deref(), Some(""));
        for wrong in [&b"Jan\xe9"[..], b"\xff\xfea", b"\xff\xfe\0\xd8", b"\xfe\xff\xd8\0"] {
            assert_eq!(decode_text(wrong), None, "{wrong:?}");
        }
    }
}
