//! Tests of the conversion of uploaded files, with each accepted format and with attacks.

use image::{Rgb, RgbImage, Rgba, RgbaImage};

use super::*;

/// Returns a file of a red picture whose left half is blue.
fn file(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let color = |x, _| Rgb(if x < width / 2 { [0, 0, 255] } else { [255, 0, 0] });
    let mut file = Cursor::new(Vec::new());
    RgbImage::from_fn(width, height, color)
        .write_to(&mut file, format)
        .unwrap();
    file.into_inner()
}

fn uri(file: &[u8]) -> String {
    format!("data:image/whatever;base64,{}", BASE64.encode(file))
}

fn dimensions(image: &Image) -> (u32, u32) {
    let picture = image::load_from_memory(image.bytes()).unwrap();
    (picture.width(), picture.height())
}

/// Returns a JPEG with an additional segment after its first two bytes.
fn with_segment(jpeg: &[u8], marker: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 2).unwrap().to_be_bytes();
    [&jpeg[..2], &[0xff, marker], &length, payload, &jpeg[2..]].concat()
}

#[test]
fn four_formats_are_accepted_with_and_without_data_uri() {
    for format in FORMATS {
        let file = file(40, 20, format);
        let image = prepare(&uri(&file)).unwrap();
        assert_eq!((dimensions(&image), image.media_type()), ((40, 20), "image/jpeg"));
        let bare = BASE64.encode(&file);
        assert_eq!(prepare(bare.trim_end_matches('=')).unwrap(), image);
    }
}

#[test]
fn base64_may_be_wrapped_and_of_either_alphabet() {
    let file = file(40, 20, ImageFormat::Png);
    let image = prepare(&uri(&file)).unwrap();
    let encoded = BASE64.encode(&file);
    let lines: Vec<_> = encoded.as_bytes().chunks(76).map(String::from_utf8_lossy).collect();
    for text in [
        format!("data:image/png;charset=utf-8;BASE64,{encoded}"),
        format!(" DATA:;base64,\r\n{}\r\n", lines.join("\r\n")),
        lines.join("\n"),
        lines.join(" "),
        encoded.replace('+', "-").replace('/', "_"),
    ] {
        assert_eq!(prepare(&text).unwrap(), image);
    }
    for text in [format!("data:image/png,{encoded}"), format!("data:{encoded}")] {
        assert!(matches!(prepare(&text), Err(ImageError::Invalid)));
    }
}

#[test]
fn transparency_is_kept() {
    let mut file = Cursor::new(Vec::new());
    let glass = RgbaImage::from_pixel(8, 8, Rgba([1, 2, 3, 100]));
    glass.write_to(&mut file, ImageFormat::WebP).unwrap();
    let image = prepare(&uri(file.get_ref())).unwrap();
    assert_eq!(image.media_type(), "image/png");
    let picture = image::load_from_memory(image.bytes()).unwrap().to_rgba8();
    assert_eq!(picture.get_pixel(3, 3), &Rgba([1, 2, 3, 100]));
}

#[test]
fn metadata_is_removed_and_rotation_applied() {
    // Exif, big-endian, one directory of one entry: orientation 6 (rotate clockwise), then a GPS position.
    let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec();
    exif.extend_from_slice(b"51.2194N 4.4025E");
    let jpeg = with_segment(&file(40, 20, ImageFormat::Jpeg), 0xe1, &exif);
    let jpeg = with_segment(&jpeg, 0xfe, b"a comment");
    let jpeg = [jpeg, b"<script>a second file</script>".to_vec()].concat();
    let image = prepare(&uri(&jpeg)).unwrap();
    for secret in ["51.2194", "Exif", "comment", "script"] {
        let secret = secret.as_bytes();
        assert!(jpeg.windows(secret.len()).any(|window| window == secret));
        assert!(!image.bytes().windows(secret.len()).any(|window| window == secret));
    }
    assert_eq!(dimensions(&image), (20, 40));
    let picture = image::load_from_memory(image.bytes()).unwrap().to_rgb8();
    assert!(picture.get_pixel(10, 5).0[2] > 200, "left has become top");
    assert!(picture.get_pixel(10, 35).0[0] > 200, "right has become bottom");
}

#[test]
fn other_files_are_not_pictures() {
    let whole = file(40, 20, ImageFormat::Png);
    let bmp = b"BM\x3a\0\0\0\0\0\0\0\x36\0\0\0".to_vec();
    for bad in [
        String::new(),
        "data:image/png;base64,".into(),
        "%%%".into(),
        "https://example.com/a.png".into(),
        uri(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
        uri(&bmp),
        uri(&whole[..whole.len() / 2]),
        uri(b"\x89PNG\r\n\x1a\n"),
        uri(b"GIF89a"),
        uri(b"\xff\xd8\xff\xe0"),
    ] {
        assert!(matches!(prepare(&bad), Err(ImageError::Invalid)), "{bad}");
    }
}

#[test]
fn decompression_bomb_is_refused_before_decoding() {
    // A PNG whose header declares its size.
    let head = |width: u32, height: u32| {
        let mut chunk = b"IHDR".to_vec();
        chunk.extend_from_slice(&width.to_be_bytes());
        chunk.extend_from_slice(&height.to_be_bytes());
        chunk.extend_from_slice(&[8, 2, 0, 0, 0]);
        let crc = crc32fast::hash(&chunk).to_be_bytes();
        [b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec(), chunk, crc.to_vec()].concat()
    };
    for (width, height) in [
        (MAX_SOURCE_EDGE_PX + 1, 1),
        (1, MAX_SOURCE_EDGE_PX + 1),
        (u32::MAX >> 1, u32::MAX >> 1),
    ] {
        let refused = prepare(&uri(&head(width, height)));
        assert!(
            matches!(refused, Err(ImageError::TooLarge | ImageError::Invalid)),
            "{refused:?}"
        );
    }
    let bomb = [head(10_000, 10_000), b"\0\0\0\0IDAT\x35\xaf\x06\x1e".to_vec()].concat();
    assert!(matches!(prepare(&uri(&bomb)), Err(ImageError::TooLarge)));
    let long = "A".repeat(MAX_SOURCE_BYTES / 3 * 4 + 8);
    assert!(matches!(prepare(&long), Err(ImageError::TooLarge)));
}

#[test]
fn large_picture_is_scaled_down() {
    let image = prepare(&uri(&file(4000, 1000, ImageFormat::Png))).unwrap();
    assert_eq!(dimensions(&image), (2048, 512));
    // Noise with transparency, which cannot be compressed.
    let mut state = 1_u32;
    let noise = RgbaImage::from_fn(1100, 1100, |_, _| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Rgba(state.to_be_bytes())
    });
    let image = encode_within_limit(noise.into()).unwrap();
    assert_eq!(dimensions(&image), (550, 550));
}

#[test]
fn jpeg_with_more_scans_than_its_size_allows_is_too_large() {
    let jpeg = file(2_000, 1_000, ImageFormat::Jpeg);
    assert_eq!(count_scans(&jpeg), 1);
    let markers = |count: usize| START_OF_SCAN.repeat(count);
    let scanned = |count: usize| with_segment(&jpeg, 0xfe, &markers(count));
    assert!(prepare(&uri(&scanned(400))).is_ok());
    assert!(matches!(prepare(&uri(&scanned(500))), Err(ImageError::TooLarge)));
}
