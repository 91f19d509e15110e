//! [`Part`]: splits an export into parts that are small enough for one request.

use anyhow::{Result, bail};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The lists of an export that can be imported.
pub(super) const LISTS: [&str; 3] = ["sets", "patterns", "bookmarks"];
/// The name of the export format, and its version.
const FORMAT: (&str, u32) = ("bespoke-account", 1);
/// The maximum size of a part, in bytes. AWS Lambda accepts events of 6 MB, in which each quotation mark of a body
/// takes two bytes. A single record may be larger.
const MAX_PART_BYTES: usize = 2_900_000;
/// The maximum number of records in a part. The API accepts 5,000.
const MAX_PART_RECORDS: usize = 2_000;
/// The maximum number of commas and brackets in a part. The API counts them before it parses a body, and accepts
/// 100,000.
const MAX_PART_SEPARATORS: usize = 80_000;

/// The fields of an export that are imported.
#[derive(Deserialize)]
struct Export<'a> {
    format: String,
    version: u32,
    #[serde(borrow)]
    account: Option<&'a RawValue>,
    #[serde(borrow, default)]
    sets: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    patterns: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    bookmarks: Vec<&'a RawValue>,
}

/// A part of an export: the account, or consecutive records of one list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part<'a> {
    content: Content<'a>,
}

#[derive(Debug, PartialEq, Eq)]
enum Content<'a> {
    Account(&'a str),
    Records {
        list: &'static str,
        /// Index of the first record in its list.
        first: usize,
        records: Vec<&'a str>,
    },
}

/// Splits the text of an export into parts to be imported in order.
///
/// # Errors
/// If it is not an export of a known version.
pub(super) fn split(text: &str) -> Result<Vec<Part<'_>>> {
    let export: Export<'_> = serde_json::from_str(text)?;
    if (export.format.as_str(), export.version) != FORMAT {
        bail!(
            "its format is {} {}, not {} {}",
            export.format,
            export.version,
            FORMAT.0,
            FORMAT.1
        );
    }
    let account = export.account.map(|account| Part {
        content: Content::Account(account.get()),
    });
    let mut parts: Vec<_> = account.into_iter().collect();
    for (list, records) in LISTS.into_iter().zip([export.sets, export.patterns, export.bookmarks]) {
        split_list(list, &records, &mut parts);
    }
    Ok(parts)
}

/// Splits the records of one list into parts. A part has at least one record, even if that exceeds a limit.
fn split_list<'a>(list: &'static str, all: &[&'a RawValue], parts: &mut Vec<Part<'a>>) {
    let mut first = 0;
    while first < all.len() {
        let mut bytes = 0;
        let mut separators = 0;
        let records = all[first..].iter().map(|record| record.get()).take(MAX_PART_RECORDS);
        let fitting = records.enumerate().take_while(|(index, record)| {
            bytes += record.len() + 1;
            separators += record.bytes().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count() + 1;
            *index == 0 || (bytes <= MAX_PART_BYTES && separators <= MAX_PART_SEPARATORS)
        });
        let records: Vec<_> = fitting.map(|(_, record)| record).collect();
        let next = first + records.len();
        parts.push(Part {
            content: Content::Records { list, first, records },
        });
        first = next;
    }
}

impl Part<'_> {
    /// Returns the part as the body of a request, which is an export itself.
    pub(super) fn body(&self) -> String {
        let (format, version) = FORMAT;
        let content = match &self.content {
            Content::Account(account) => format!("\"account\":{account}"),
            Content::Records { list, records, .. } => format!("\"{list}\":[{}]", records.join(",")),
        };
        format!("{{\"format\":\"{format}\",\"version\":{version},{content}}}")
    }

    /// Converts the name of an ignored field in this part (`sets.0.name`) to its name in the complete export, where
    /// records are counted from the first one of the list.
    pub(super) fn name_in_file(&self, name: &str) -> String {
        let Content::Records { list, first, .. } = &self.content else {
            return name.to_owned();
        };
        let path_in_list = name.strip_prefix(list).and_then(|rest| rest.strip_prefix('.'));
        let path_in_list = path_in_list.unwrap_or_default();
        let (index, field) = path_in_list.split_at(path_in_list.find('.').unwrap_or(path_in_list.len()));
        match index.parse::<usize>() {
            Ok(index) => format!("{list}.{}{field}", first + index),
            Err(_) => name.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Returns an export with `sets` sets, whose notes have `bytes` bytes.
    fn export(sets: usize, bytes: usize) -> String {
        let set = |number: usize| json!({ "name": number.to_string(), "notes": "x".repeat(bytes) });
        let sets: Vec<_> = (0..sets).map(set).collect();
        json!({ "format": "bespoke-account", "version": 1, "account": { "bio": "b" }, "sets": sets, "apikeys": [{}], "bookmarks": [{ "title": "t" }] })
            .to_string()
    }

    #[test]
    fn parts_have_every_record_once_in_order_within_the_limits() {
        for (sets, bytes) in [(0, 0), (1, 10), (5_000, 10), (500, 60_000), (3, 5_000_000)] {
            let text = export(sets, bytes);
            let parts = split(&text).unwrap();
            let mut names = Vec::new();
            for part in &parts {
                let body = part.body();
                assert!(
                    body.len() < MAX_PART_BYTES + 100 || bytes > MAX_PART_BYTES,
                    "{} bytes",
                    body.len()
                );
                let body: Value = serde_json::from_str(&body).unwrap();
                assert_eq!(
                    (&body["format"], &body["version"]),
                    (&json!("bespoke-account"), &json!(1))
                );
                let sets = body["sets"].as_array().into_iter().flatten();
                names.extend(sets.map(|set| set["name"].as_str().unwrap().parse::<usize>().unwrap()));
            }
            assert_eq!(names, (0..sets).collect::<Vec<_>>());
            let bodies: Vec<_> = parts.iter().map(Part::body).collect();
            assert!(bodies[0].ends_with("\"account\":{\"bio\":\"b\"}}"));
            assert!(bodies.last().unwrap().ends_with("\"bookmarks\":[{\"title\":\"t\"}]}"));
        }
    }

    #[test]
    fn records_with_many_values_are_split_too() {
        let set = json!({ "name": "n", "measies": { "a": vec![0; 30_000] } });
        let text = json!({ "format": "bespoke-account", "version": 1, "sets": vec![set; 4] }).to_string();
        assert_eq!(split(&text).unwrap().len(), 2);
    }

    #[test]
    fn ignored_names_count_from_the_beginning_of_the_list() {
        let part = Part {
            content: Content::Records {
                list: "sets",
                first: 100,
                records: Vec::new(),
            },
        };
        for (name, expected) in [
            ("sets.3", "sets.103"),
            ("sets.0.measies.tail", "sets.100.measies.tail"),
            ("sets", "sets"),
            ("account.email", "account.email"),
        ] {
            assert_eq!(part.name_in_file(name), expected);
        }
    }

    #[test]
    fn other_files_are_refused() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"format":"x","version":1}"#,
            r#"{"format":"bespoke-account","version":2}"#,
        ] {
            assert!(split(text).is_err(), "{text}");
        }
    }
}
