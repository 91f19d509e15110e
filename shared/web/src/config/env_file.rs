//! [`EnvFile`]: parses `.env` files as the npm package dotenv 16 does, because operators bring the files of the original backend with them.
//!
//! ```text
//! # a comment
//! NAME=a value with blanks, $dollars and <brackets>   # a comment
//! export NAME: value
//! NAME='literal # text'
//! NAME="a line\nand another"
//! NAME=`several
//! lines`
//! ```
//!
//! Values are literal: variables are not replaced. Only double quotes interpret `\n` and `\r`. A quote without its counterpart is a part of the
//! value. A later line overrides an earlier one. dotenv skips lines that it cannot read; this parser reports them.

/// The variables of a file, in its order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct EnvFile {
    pub(crate) variables: Vec<(String, String)>,
    /// The number of the first line that is neither a variable nor a comment, counted from 1.
    pub(crate) unreadable_line: Option<usize>,
}

impl EnvFile {
    /// Parses a file.
    pub(crate) fn parse(text: &str) -> Self {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let (mut file, mut rest) = (Self::default(), text.as_str());
        loop {
            rest = rest.trim_start_matches(is_blank);
            if rest.is_empty() {
                return file;
            }
            if rest.starts_with('#') {
                rest = after_line(rest);
            } else if let Some((name, value)) = name(rest) {
                let (value, after) = value_of(value);
                file.variables.push((name.to_owned(), value));
                rest = after;
            } else {
                let line = || text[..text.len() - rest.len()].matches('\n').count() + 1;
                file.unreadable_line.get_or_insert_with(line);
                rest = after_line(rest);
            }
        }
    }
}

/// Whether JavaScript counts a character as a blank.
fn is_blank(character: char) -> bool {
    character.is_whitespace() && character != '\u{85}' || character == '\u{feff}'
}

/// Returns the text after the first line.
fn after_line(text: &str) -> &str {
    text.split_once('\n').map_or("", |(_, rest)| rest)
}

/// Splits a text after `NAME=` or after `NAME:` and a blank or line break, with or without `export`. Returns the name and the rest.
fn name(text: &str) -> Option<(&str, &str)> {
    let exported = text.strip_prefix("export").filter(|rest| rest.starts_with(is_blank));
    let exported = exported.map(|rest| rest.trim_start_matches(is_blank));
    exported.and_then(plain_name).or_else(|| plain_name(text))
}

fn plain_name(text: &str) -> Option<(&str, &str)> {
    let is_other = |character: char| !(character.is_ascii_alphanumeric() || "_.-".contains(character));
    let (name, rest) = text.split_at(text.find(is_other)?);
    let equals = rest.trim_start_matches(is_blank).strip_prefix('=');
    let colon = || rest.strip_prefix(':')?.strip_prefix(is_blank);
    let value = equals.or_else(colon)?;
    (!name.is_empty()).then_some((name, value))
}

/// Parses the value after the separator. Returns the value and the text after it.
fn value_of(text: &str) -> (String, &str) {
    let (value, after) = quoted(text).unwrap_or_else(|| {
        let end = text.find(['#', '\n']).unwrap_or(text.len());
        text.split_at(end)
    });
    let value = value.trim_matches(is_blank);
    let quote = value.chars().next().filter(|first| QUOTES.contains(first));
    let stripped = quote.and_then(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
    let mut value = stripped.unwrap_or(value).to_owned();
    if quote == Some('"') {
        value = value.replace("\\n", "\n").replace("\\r", "\r");
    }
    let after = after.trim_start_matches(is_blank);
    (
        value,
        if after.starts_with('#') {
            after_line(after)
        } else {
            after
        },
    )
}

const QUOTES: [char; 3] = ['\'', '"', '`'];

/// Splits a text after a value in quotes. Returns `None` if the value is not in quotes.
///
/// After the closing quote, only blanks and a comment may follow on the line. A quote after a backslash closes the value only if no other quote
/// does.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let start = text.find(|character| !is_blank(character))?;
    let quote = text[start..].chars().next().filter(|first| QUOTES.contains(first))?;
    let inner = start + 1;
    let mut escaped = Vec::new();
    let mut closing = None;
    for (place, _) in text[inner..].match_indices(quote) {
        let place = inner + place;
        if text[inner..place].ends_with('\\') {
            escaped.push(place);
        } else {
            closing = Some(place);
            break;
        }
    }
    let ends_line = |place: &usize| {
        let rest = text[place + 1..].trim_start_matches(|character| is_blank(character) && character != '\n');
        rest.is_empty() || rest.starts_with(['\n', '#'])
    };
    let mut candidates = closing.into_iter().chain(escaped.into_iter().rev());
    candidates.find(ends_line).map(|place| text.split_at(place + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Vec<(String, String)> {
        let file = EnvFile::parse(text);
        assert_eq!(file.unreadable_line, None, "{text:?}");
        file.variables
    }

    #[test]
    fn values_are_read_as_by_dotenv() {
        for (text, value) in [
            ("A=b", "b"),
            ("A = b c ", "b c"),
            ("export A=b", "b"),
            ("A: b", "b"),
            ("A:\nb", "b"),
            ("  A=pa$$word${B}$", "pa$$word${B}$"),
            ("A=Bespoke <a@example.org>", "Bespoke <a@example.org>"),
            ("A=b#c", "b"),
            ("A='b#c' # d", "b#c"),
            ("A=\"b#c\"", "b#c"),
            ("A=`it's \"b\"`", "it's \"b\""),
            ("A='b\\nc'", "b\\nc"),
            ("A=\"b\\nc\\t\"", "b\nc\\t"),
            ("A=b\\nc", "b\\nc"),
            ("A=\"b\nc\"", "b\nc"),
            ("A='b\r\nc'\r\n", "b\nc"),
            ("A='it\\'s'", "it\\'s"),
            ("A='b\\' # c", "b\\"),
            ("A='b' c", "'b' c"),
            ("A=\"b\\n", "\"b\n"),
            ("A=", ""),
            ("A=#b", ""),
            ("A=''", ""),
            ("A=\n\"b\"", "b"),
            ("\u{feff}A=b", "b"),
            ("A=b=c", "b=c"),
            ("A={\"b\": 1}", "{\"b\": 1}"),
        ] {
            assert_eq!(parse(text), [("A".to_owned(), value.to_owned())], "{text:?}");
        }
    }

    #[test]
    fn lines_are_separate() {
        let text = "# first\n\nA=1 # one\r\nexport B='2'\n\tC.d-e: 3\nA=\nF='\nG='5'";
        let pairs = parse(text);
        let expected = [
            ("A", "1"),
            ("B", "2"),
            ("C.d-e", "3"),
            ("A", ""),
            ("F", "'"),
            ("G", "5"),
        ];
        assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(parse(" \n# nothing"), []);
    }

    #[test]
    fn first_unreadable_line_is_reported_by_number() {
        for (text, line) in [
            ("A", 1),
            ("A=1\nB\nC", 2),
            ("A=\"1\n2\"\n\n# c\n=3", 5),
            ("export A", 1),
            ("A:1", 1),
            ("A B=1", 1),
            ("Ä=1", 1),
        ] {
            assert_eq!(EnvFile::parse(text).unreadable_line, Some(line), "{text:?}");
        }
        assert_eq!(parse("export=1"), [("export".to_owned(), "1".to_owned())]);
    }
}
