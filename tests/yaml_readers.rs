//! Tests that YAML responses have the same meaning for parsers of YAML 1.1 (PyYAML, js-yaml 4) and of YAML 1.2 (js-yaml 5).

use std::path::Path;
use std::process::Command;

use axum::body::to_bytes;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::programs::{ROOT, run_with_input};

/// The number of random texts in the document.
const RANDOM_TEXTS: usize = 2_000;
/// Short texts, long texts with line breaks, and texts that resemble numbers.
const TEXT_PATTERN: &str = ".{0,12}|(?s).{0,200}|[-+0-9._:eExXo]{1,8}";

/// Texts that some parser takes for a value of another type or for syntax if they are not quoted.
const AMBIGUOUS: [&str; 74] = [
    "",
    " ",
    "~",
    "null",
    "Null",
    "NULL",
    "yes",
    "Yes",
    "YES",
    "no",
    "No",
    "NO",
    "on",
    "On",
    "off",
    "OFF",
    "y",
    "Y",
    "n",
    "N",
    "true",
    "True",
    "FALSE",
    "=",
    "<<",
    "-",
    "--",
    "---",
    "...",
    ".",
    "?",
    ":",
    "#",
    "!",
    "&a",
    "*a",
    "%",
    "@",
    "`",
    "|",
    ">",
    "[",
    "]",
    "{}",
    ",",
    "12",
    "+12",
    "-12",
    "012",
    "0o14",
    "0x1f",
    "0b11",
    "1_000",
    "1,000",
    "12.5",
    "1.",
    ".5",
    "1e3",
    "1e21",
    "1.0e+21",
    ".inf",
    "-.INF",
    ".nan",
    "12:30",
    "1:20:30.5",
    "190:20:30",
    "2026-01-02",
    "2026-01-02T03:04:05.000Z",
    "2026-1-2 3:4:5 +1",
    "a: b",
    "a #b",
    "- a",
    "'",
    "\"",
];
/// Texts with characters that YAML treats specially.
const SPECIAL: [&str; 18] = [
    "a\nb",
    "a\n",
    "\na",
    "\n",
    "a\n\n",
    "  a\n b",
    "a\r\nb",
    "a\tb",
    "\ta",
    "a\u{85}b",
    "a\u{2028}b\nc",
    "\u{2029}",
    "\u{feff}a",
    "\u{0}\u{7}",
    "a\\b",
    "\u{2028}\r\t\u{7f}\u{85}\u{9f}\u{feff}\u{1}\u{ffff}é\u{1f600}\\\"",
    "\u{2028}\n",
    "🧵 – é",
];

async fn yaml(value: &Value) -> Vec<u8> {
    let response = bespoke_web::yaml(Some(value)).unwrap();
    to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()
}

/// Reads a document with a program that prints JSON.
fn read_with(program: Command, document: &[u8]) -> Value {
    serde_json::from_slice(&run_with_input(program, document)).unwrap()
}

/// Returns the document as each reader understands it.
fn read_by_all(document: &[u8]) -> Vec<(&'static str, Value)> {
    let root = Path::new(ROOT);
    let node = |package: &str| {
        let mut command = Command::new("node");
        command.arg(root.join("tests/clients/node/read_yaml.js")).arg(package);
        command
    };
    let mut python = Command::new(root.join(".venv/bin/python"));
    python.arg(root.join("tests/clients/python/read_yaml.py"));
    vec![
        ("js-yaml 5", read_with(node("js-yaml"), document)),
        ("js-yaml 4", read_with(node("js-yaml-4"), document)),
        ("PyYAML", read_with(python, document)),
    ]
}

#[tokio::test]
async fn texts_stay_texts_for_every_reader() {
    let mut runner = TestRunner::deterministic();
    let random = (0..RANDOM_TEXTS).map(|_| TEXT_PATTERN.new_tree(&mut runner).unwrap().current());
    let texts: Vec<_> = AMBIGUOUS
        .into_iter()
        .chain(SPECIAL)
        .map(str::to_owned)
        .chain(random)
        .collect();
    // Some texts are keys as well.
    let keys = AMBIGUOUS
        .into_iter()
        .map(|text| (text.to_owned(), json!({ "name": text })));
    let keys: serde_json::Map<_, _> = keys.collect();
    let document = yaml(&json!({ "list": texts, "keys": keys })).await;
    for (reader, value) in read_by_all(&document) {
        for (number, text) in texts.iter().enumerate() {
            assert_eq!(value["list"][number], json!(text), "{reader}");
        }
        assert_eq!(value["keys"], json!(keys), "{reader}");
    }
}

#[tokio::test]
async fn numbers_stay_numbers_for_every_reader() {
    let numbers = [
        0.1,
        1.0,
        930.0,
        360.5,
        927.1,
        1e-7,
        1e16,
        1.5e20,
        1e21,
        1e22,
        1e300,
        5e-324,
        f64::MAX,
    ];
    let integers = [0, 1, 12, 100_000, i64::MAX];
    let empty = json!({ "list": [], "object": {}, "null": null, "no": false, "yes": true });
    let document = yaml(&json!({ "numbers": numbers, "integers": integers, "empty": empty })).await;
    for (reader, value) in read_by_all(&document) {
        for (place, number) in numbers.iter().enumerate() {
            assert_eq!(value["numbers"][place].as_f64(), Some(*number), "{reader}");
        }
        for (place, integer) in integers.iter().enumerate() {
            // JavaScript has no 64-bit integers.
            assert_eq!(value["integers"][place].as_f64(), Some(*integer as f64), "{reader}");
        }
        assert_eq!(value["empty"], empty, "{reader}");
    }
}
