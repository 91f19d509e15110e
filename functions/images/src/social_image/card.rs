//! [`Card`]: lays out the texts of a picture for social media, and draws it as a PNG.

use std::io::Cursor;

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};
use image::{ImageError, ImageFormat, Rgb, RgbImage};

/// The subset of a font with Latin, Greek and Cyrillic letters. Other characters are drawn as a replacement character.
const FONT: &[u8] = include_bytes!("../../assets/DejaVuSans-Bold.ttf");

/// The size that social networks recommend, in pixels.
const WIDTH: u32 = 1200;
/// Pixels.
const HEIGHT: u32 = 630;
/// The distance between the text and the edge, in pixels.
const MARGIN: f32 = 80.0;
/// The height of the stripe at the top, in pixels.
const STRIPE: u32 = 16;

const BACKGROUND: Rgb<u8> = Rgb([0x1f, 0x29, 0x37]);
const TITLE: Style = Style {
    size: 72.0,
    top: 80.0,
    max_lines: 3,
    colour: Rgb([0xff, 0xff, 0xff]),
};
const INTRO: Style = Style {
    size: 36.0,
    top: 350.0,
    max_lines: 3,
    colour: Rgb([0xd1, 0xd5, 0xdb]),
};
const SERVICE: Style = Style {
    size: 32.0,
    top: 540.0,
    max_lines: 1,
    colour: Rgb([0x38, 0xbd, 0xf8]),
};
/// The end of a text that does not fit.
const ELLIPSIS: char = '…';
/// Colours of the stripe.
const RAINBOW: [Rgb<u8>; 6] = [
    Rgb([0xf8, 0x71, 0x71]),
    Rgb([0xfb, 0x92, 0x3c]),
    Rgb([0xfa, 0xcc, 0x15]),
    Rgb([0x4a, 0xde, 0x80]),
    Rgb([0x38, 0xbd, 0xf8]),
    Rgb([0x81, 0x8c, 0xf8]),
];

/// The texts of a picture.
#[derive(Debug)]
pub(super) struct Card {
    pub(super) title: String,
    pub(super) intro: String,
    pub(super) service: String,
}

/// The appearance of a text.
struct Style {
    /// Height of a line, in pixels.
    size: f32,
    /// Position of the first line, in pixels.
    top: f32,
    max_lines: usize,
    colour: Rgb<u8>,
}

impl Card {
    /// Draws the picture as a PNG. Takes some tens of milliseconds.
    ///
    /// # Errors
    /// [`ImageError`] if the picture cannot be encoded, which is a defect.
    pub(super) fn png(&self) -> Result<Vec<u8>, ImageError> {
        let mut picture = RgbImage::from_fn(WIDTH, HEIGHT, |x, y| match y {
            0..STRIPE => RAINBOW[x as usize * RAINBOW.len() / WIDTH as usize],
            _ => BACKGROUND,
        });
        let font = FontRef::try_from_slice(FONT).expect("the font is part of this crate");
        for (text, style) in [(&self.title, TITLE), (&self.intro, INTRO), (&self.service, SERVICE)] {
            style.draw(&mut picture, &font, text);
        }
        let mut png = Cursor::new(Vec::new());
        picture.write_to(&mut png, ImageFormat::Png)?;
        Ok(png.into_inner())
    }
}

impl Style {
    fn draw(&self, picture: &mut RgbImage, font: &FontRef<'_>, text: &str) {
        let scaled = font.as_scaled(PxScale::from(self.size));
        let lines = self.lines(text, |character| scaled.h_advance(scaled.glyph_id(character)));
        for (number, line) in lines.iter().enumerate() {
            let baseline = self.top + scaled.ascent() + number as f32 * (self.size * 1.2);
            let mut x = MARGIN;
            for character in line.chars() {
                let glyph = scaled
                    .glyph_id(character)
                    .with_scale_and_position(scaled.scale(), point(x, baseline));
                x += scaled.h_advance(glyph.id);
                if let Some(outline) = font.outline_glyph(glyph) {
                    let corner = outline.px_bounds().min;
                    outline.draw(|right, down, coverage| {
                        let (x, y) = (corner.x as u32 + right, corner.y as u32 + down);
                        if let Some(pixel) = picture.get_pixel_mut_checked(x, y) {
                            *pixel = mix(*pixel, self.colour, coverage);
                        }
                    });
                }
            }
        }
    }

    /// Breaks a text into lines between words, and within words that are longer than a line. A text that does not fit ends in an ellipsis.
    fn lines(&self, text: &str, width: impl Fn(char) -> f32) -> Vec<String> {
        let fits = |line: &str| line.chars().map(&width).sum::<f32>() <= WIDTH as f32 - 2.0 * MARGIN;
        let mut lines = vec![String::new()];
        for word in text.split_whitespace() {
            let line = lines.last_mut().expect("there is a line");
            let longer = format!("{line} {word}");
            if fits(longer.trim_start()) {
                longer.trim_start().clone_into(line);
                continue;
            }
            if !line.is_empty() {
                lines.push(String::new());
            }
            for character in word.chars() {
                let line = lines.last_mut().expect("there is a line");
                line.push(character);
                if !fits(line) {
                    line.pop();
                    lines.push(character.to_string());
                }
            }
        }
        if lines.len() > self.max_lines {
            lines.truncate(self.max_lines);
            let last = lines.last_mut().expect("there is a line");
            while !last.is_empty() && !fits(&format!("{last}{ELLIPSIS}")) {
                last.pop();
            }
            last.push(ELLIPSIS);
        }
        lines
    }
}

fn mix(below: Rgb<u8>, above: Rgb<u8>, coverage: f32) -> Rgb<u8> {
    let channel = |index: usize| {
        let (below, above) = (f32::from(below.0[index]), f32::from(above.0[index]));
        (below + (above - below) * coverage.clamp(0.0, 1.0)).round() as u8
    };
    Rgb([channel(0), channel(1), channel(2)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(title: &str, intro: &str) -> RgbImage {
        let card = Card {
            title: title.to_owned(),
            intro: intro.to_owned(),
            service: "FreeSewing".to_owned(),
        };
        image::load_from_memory(&card.png().unwrap()).unwrap().to_rgb8()
    }

    /// The number of pixels of a colour in these rows.
    fn pixels(picture: &RgbImage, colour: Rgb<u8>, rows: std::ops::Range<u32>) -> usize {
        let in_rows = picture.enumerate_pixels().filter(|(_, y, _)| rows.contains(y));
        in_rows.filter(|(_, _, pixel)| **pixel == colour).count()
    }

    #[test]
    fn each_text_is_drawn_in_its_place() {
        let picture = card("A day out", "Пошиття одягу – ράψιμο");
        assert_eq!(picture.dimensions(), (WIDTH, HEIGHT));
        assert!(pixels(&picture, TITLE.colour, 80..180) > 1_000);
        assert!(pixels(&picture, INTRO.colour, 350..420) > 500);
        assert!(pixels(&picture, SERVICE.colour, 540..600) > 300);
        assert_eq!(pixels(&card("x", ""), INTRO.colour, 350..500), 0);
    }

    #[test]
    fn texts_are_broken_and_shortened() {
        // Each character is 104 pixels wide, so that ten fit.
        let lines = |text: &str| TITLE.lines(text, |_| 104.0);
        assert_eq!(lines("one two three"), ["one two", "three"]);
        assert_eq!(lines("  "), [""]);
        assert_eq!(lines("abcdefghijklm no"), ["abcdefghij", "klm no"]);
        assert_eq!(
            lines("a234567890 b234567890 c234567890 d"),
            ["a234567890", "b234567890", "c23456789…"]
        );
        for odd in ["\u{0}\u{202e}🧵", "\u{300}\u{301}", &"x".repeat(500)] {
            card(odd, odd);
        }
    }
}
