//! [`prepare`]: converts an uploaded file to an image that can be stored. The picture is decoded and re-encoded, so that no metadata
//! (location, camera, comments) and no appended data remain.

use std::io::Cursor;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageError as CodecError, ImageFormat, ImageReader, Limits};

use super::picture::{Image, ImageError};

/// Maximum size of an uploaded file, in bytes.
pub const MAX_SOURCE_BYTES: usize = 5 * 1024 * 1024;
/// Maximum length of an edge of an uploaded picture, in pixels.
const MAX_SOURCE_EDGE_PX: u32 = 12_000;
/// The maximum number of pixels of a picture that is accepted.
const MAX_SOURCE_PIXELS: u64 = 50_000_000;
/// The maximum product of the pixels and the scans of a JPEG file. A progressive file has about ten scans of its complete
/// picture; a file that attacks the decoder has many more.
const MAX_SCANNED_PIXELS: u64 = 20 * MAX_SOURCE_PIXELS;
/// The marker at the beginning of a scan in a JPEG file. It does not occur inside a scan.
const START_OF_SCAN: [u8; 2] = [0xFF, 0xDA];
/// The maximum memory of a decoder, in bytes. It suffices for [`MAX_SOURCE_PIXELS`] in 8-bit colour.
const MAX_DECODER_BYTES: u64 = 256 * 1024 * 1024;
/// Maximum length of an edge of a stored picture, in pixels. Larger pictures are scaled down.
const MAX_EDGE_PX: u32 = 2048;
/// Maximum size of a stored file, in bytes. A Lambda function can return a file of this size.
const MAX_STORED_BYTES: usize = 4_000_000;
/// Quality of encoded JPEG files, 1 to 100.
const JPEG_QUALITY: u8 = 85;
/// Accepted formats.
const FORMATS: [ImageFormat; 4] = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Gif];
/// The decoder accepts missing padding and any trailing bits, because clients encode differently.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The scheme of a data URI.
const DATA_SCHEME: &str = "data:";

/// Converts a data URI or bare base64 to an image. Of an animation, only the first frame is used. Takes up to a second
/// and up to 256 MiB.
///
/// # Errors
/// [`ImageError::Invalid`], [`ImageError::TooLarge`]
pub fn prepare(text: &str) -> Result<Image, ImageError> {
    prepare_file(&decode_base64(text)?)
}

/// Converts a file to an image.
///
/// # Errors
/// [`ImageError::Invalid`], [`ImageError::TooLarge`]
pub fn prepare_file(source: &[u8]) -> Result<Image, ImageError> {
    let picture = decode(source)?;
    if picture.width().max(picture.height()) > MAX_EDGE_PX {
        encode_within_limit(picture.resize(MAX_EDGE_PX, MAX_EDGE_PX, FilterType::Triangle))
    } else {
        encode_within_limit(picture)
    }
}

/// Encodes the picture. Halves its size until the file is small enough.
fn encode_within_limit(mut picture: DynamicImage) -> Result<Image, ImageError> {
    loop {
        let file = encode(&picture)?;
        if file.len() <= MAX_STORED_BYTES {
            return Ok(Image(file.into()));
        }
        picture = picture.resize(picture.width() / 2, picture.height() / 2, FilterType::Triangle);
    }
}

/// Decodes base64 of either alphabet, alone or in a data URI. Line breaks and blanks are skipped, because many encoders wrap their output.
fn decode_base64(text: &str) -> Result<Vec<u8>, ImageError> {
    let text = text.trim();
    let encoded = match text.get(..DATA_SCHEME.len()) {
        Some(scheme) if scheme.eq_ignore_ascii_case(DATA_SCHEME) => {
            let (description, encoded) = text.split_once(',').ok_or(ImageError::Invalid)?;
            let encoding = description.rsplit(';').next().unwrap_or_default().trim();
            if !encoding.eq_ignore_ascii_case("base64") {
                return Err(ImageError::Invalid);
            }
            encoded
        }
        _ => text,
    };
    let standard = |byte| match byte {
        b'-' => b'+',
        b'_' => b'/',
        byte => byte,
    };
    let encoded: Vec<u8> = encoded
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(standard)
        .collect();
    if encoded.len() / 4 * 3 > MAX_SOURCE_BYTES {
        return Err(ImageError::TooLarge);
    }
    BASE64.decode(encoded).map_err(|_| ImageError::Invalid)
}

fn decode(source: &[u8]) -> Result<DynamicImage, ImageError> {
    let format = image::guess_format(source).map_err(|_| ImageError::Invalid)?;
    if !FORMATS.contains(&format) {
        return Err(ImageError::Invalid);
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SOURCE_EDGE_PX);
    limits.max_image_height = Some(MAX_SOURCE_EDGE_PX);
    limits.max_alloc = Some(MAX_DECODER_BYTES);
    let mut reader = ImageReader::with_format(Cursor::new(source), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(refusal)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > MAX_SOURCE_PIXELS || (format == ImageFormat::Jpeg && pixels * count_scans(source) > MAX_SCANNED_PIXELS)
    {
        return Err(ImageError::TooLarge);
    }
    // If the orientation cannot be read, the picture is not rotated.
    let orientation = decoder.orientation().ok();
    let mut picture = DynamicImage::from_decoder(decoder).map_err(refusal)?;
    if let Some(orientation) = orientation {
        picture.apply_orientation(orientation);
    }
    Ok(picture)
}

/// Counts the scans of a JPEG file, including those of embedded pictures.
fn count_scans(source: &[u8]) -> u64 {
    source.windows(2).filter(|bytes| **bytes == START_OF_SCAN).count() as u64
}

fn refusal(error: CodecError) -> ImageError {
    match error {
        CodecError::Limits(_) => ImageError::TooLarge,
        _ => ImageError::Invalid,
    }
}

/// Encodes a picture as JPEG, or as PNG if it has transparent pixels.
fn encode(picture: &DynamicImage) -> Result<Vec<u8>, ImageError> {
    let mut file = Cursor::new(Vec::new());
    let written = if is_transparent(picture) {
        picture.to_rgba8().write_to(&mut file, ImageFormat::Png)
    } else {
        let encoder = JpegEncoder::new_with_quality(&mut file, JPEG_QUALITY);
        picture.to_rgb8().write_with_encoder(encoder)
    };
    written.map_err(|_| ImageError::Invalid)?;
    Ok(file.into_inner())
}

fn is_transparent(picture: &DynamicImage) -> bool {
    picture.color().has_alpha() && picture.to_rgba8().pixels().any(|pixel| pixel.0[3] < u8::MAX)
}

#[cfg(test)]
mod tests;
