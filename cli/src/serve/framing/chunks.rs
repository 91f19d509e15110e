//! [`Chunks`]: finds the end of a chunked body (RFC 9112 section 7.1), and rejects violations of the coding.

/// Maximum length of the line with the size of a chunk, in bytes, including extensions.
const MAX_SIZE_LINE_BYTES: usize = 1024;
/// Maximum length of the trailer, in bytes.
const MAX_TRAILER_BYTES: usize = 8 * 1024;

/// A body that violates the chunked coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken;

/// The position in a chunked body.
#[derive(Debug)]
pub(super) struct Chunks {
    part: Part,
    line: Line,
}

#[derive(Debug, Clone, Copy)]
enum Part {
    /// In the line with the size of a chunk.
    Size,
    /// In the content of a chunk, of which this many bytes are still to come.
    Content(u64),
    /// In the line end after the content of a chunk.
    ContentEnd,
    /// In a line of the trailer, after this many bytes of the trailer.
    Trailer(usize),
}

/// An unfinished line.
#[derive(Debug, Default, Clone, Copy)]
struct Line {
    bytes: usize,
    /// In a line with the size of a chunk, the number at its beginning.
    size: u64,
    /// The number of digits of `size`.
    digits: usize,
    /// Whether an extension or a blank follows the number. It is ignored.
    has_extension: bool,
    /// Whether the last byte is a CR.
    after_cr: bool,
}

impl Default for Chunks {
    fn default() -> Self {
        Self {
            part: Part::Size,
            line: Line::default(),
        }
    }
}

impl Chunks {
    /// Scans `bytes`, the continuation of the body. Returns the number of bytes that belong to the body, and whether the
    /// body ends after them.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Result<(usize, bool), Broken> {
        let mut at = 0;
        while at < bytes.len() {
            if let Part::Content(missing) = &mut self.part {
                let content_bytes = (*missing).min((bytes.len() - at) as u64);
                *missing -= content_bytes;
                at += content_bytes as usize;
                if *missing == 0 {
                    self.part = Part::ContentEnd;
                }
                continue;
            }
            let is_line_end = self.line.push(bytes[at], matches!(self.part, Part::Size))?;
            at += 1;
            self.check_length()?;
            if is_line_end && self.end_line()? {
                return Ok((at, true));
            }
        }
        Ok((at, false))
    }

    fn check_length(&self) -> Result<(), Broken> {
        let fits = match self.part {
            Part::Size => self.line.bytes <= MAX_SIZE_LINE_BYTES,
            Part::Trailer(before) => before + self.line.bytes <= MAX_TRAILER_BYTES,
            Part::ContentEnd => self.line.bytes <= 2,
            Part::Content(_) => true,
        };
        fits.then_some(()).ok_or(Broken)
    }

    /// Moves to the part after a complete line. Returns whether that line ends the body.
    fn end_line(&mut self) -> Result<bool, Broken> {
        let line = std::mem::take(&mut self.line);
        let is_empty = line.bytes == 2;
        self.part = match self.part {
            Part::Size if line.digits == 0 => return Err(Broken),
            Part::Size if line.size == 0 => Part::Trailer(0),
            Part::Size => Part::Content(line.size),
            Part::Trailer(_) if is_empty => return Ok(true),
            Part::Trailer(before) => Part::Trailer(before + line.bytes),
            Part::ContentEnd | Part::Content(_) => Part::Size,
        };
        Ok(false)
    }
}

impl Line {
    /// Adds a byte. Returns whether it ends the line. CR and LF are allowed only together.
    fn push(&mut self, byte: u8, has_size: bool) -> Result<bool, Broken> {
        self.bytes += 1;
        match (self.after_cr, byte) {
            (true, b'\n') => return Ok(true),
            (true, _) | (false, b'\n') => return Err(Broken),
            (false, b'\r') => self.after_cr = true,
            (false, byte) if has_size && !self.has_extension => self.add_digit(byte)?,
            _ => {}
        }
        Ok(false)
    }

    fn add_digit(&mut self, byte: u8) -> Result<(), Broken> {
        if let Some(digit) = char::from(byte).to_digit(16) {
            self.size = self.size.checked_mul(16).ok_or(Broken)? + u64::from(digit);
            self.digits += 1;
        } else if self.digits > 0 && matches!(byte, b';' | b' ' | b'\t') {
            self.has_extension = true;
        } else {
            return Err(Broken);
        }
        Ok(())
    }
}
