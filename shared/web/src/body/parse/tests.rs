//! Tests of the parsing of JSON and YAML bodies.

use serde_json::json;

use super::*;

fn read(text: &str) -> Result<Value, (u16, String)> {
    let document = Format::Yaml.parse(text.as_bytes());
    document.map_err(|error| (error.status().as_u16(), error.code().to_owned()))
}

#[test]
fn yaml_scalars_follow_the_core_schema() {
    let text = "t: true\nyes: yes\noff: off\nnull: ~\nempty:\nint: 12\nzero: 012\nline: 1_000\nhex: 0x1f\nfloat: -1.5e2\n\
        time: 12:30\ndate: 2026-01-02\nquoted: '1'\nlong: |\n  a\n  b\nlist: [1, {a: b}]\n";
    let expected = json!({
        "t": true, "yes": "yes", "off": "off", "null": null, "empty": null, "int": 12, "zero": "012", "line": "1_000", "hex": 31,
        "float": -150.0, "time": "12:30", "date": "2026-01-02", "quoted": "1", "long": "a\nb\n", "list": [1, { "a": "b" }],
    });
    assert_eq!(read(text), Ok(expected));
}

#[test]
fn yaml_aliases_repeat_and_merge_keys_are_ordinary() {
    let text = "a: &x {b: 1}\nc: *x\nd:\n  <<: *x\n";
    let expected = json!({ "a": { "b": 1 }, "c": { "b": 1 }, "d": { "<<": { "b": 1 } } });
    assert_eq!(read(text), Ok(expected));
    assert_eq!(read("a: 1\na: 2\n"), Ok(json!({ "a": 2 })));
}

#[test]
fn yaml_beyond_its_bounds_is_rejected() {
    let bad = || Err((400, "badRequest".to_owned()));
    let nested = |depth: usize| format!("a: {}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read(&nested(MAX_YAML_DEPTH - 2)).is_ok());
    assert_eq!(read(&nested(MAX_YAML_DEPTH + 1)), bad());
    assert_eq!(read(&nested(20_000)), bad());
    let aliases = |count: usize| format!("a: &x y\nb: [{}]", "*x,".repeat(count));
    assert!(read(&aliases(MAX_YAML_ALIASES / 2)).is_ok());
    assert_eq!(read(&aliases(MAX_YAML_ALIASES + 1)), bad());
    let anchors: String = (0..=MAX_YAML_ANCHORS).map(|n| format!("k{n}: &a{n} v\n")).collect();
    assert_eq!(read(&anchors), bad());
    let repeated = format!("a: &x [{}]\nb: [{}]", "y,".repeat(500), "*x,".repeat(100));
    assert_eq!(read(&repeated), bad());
    for text in ["text", "12", "a: [", "--- {a: 1}\n--- {a: 2}\n", "a: *b"] {
        assert_eq!(read(text), bad(), "{text}");
    }
    let long = format!("a: {}", "x".repeat(MAX_YAML_BYTES));
    assert_eq!(read(&long), Err((413, "bodyTooLarge".to_owned())));
}

#[test]
fn yaml_of_windows_lists_and_empty_documents_are_parsed() {
    let windows = "\u{feff}name: Jane\r\nmeasurements:\r\n  chest: 930\r\n  neck:\r\n";
    let expected = json!({ "name": "Jane", "measurements": { "chest": 930, "neck": null } });
    assert_eq!(read(windows), Ok(expected));
    assert_eq!(read("- a: 1\n- a: 2\n"), Ok(json!([{ "a": 1 }, { "a": 2 }])));
    for empty in ["", "\u{feff}", "\r\n", "# nothing\n", "~", "---\n...\n"] {
        assert_eq!(read(empty), Ok(json!({})), "{empty:?}");
    }
}

#[test]
fn widest_yaml_within_its_size_is_parsed() {
    let wide = format!("a: [{}]", "1,".repeat((MAX_YAML_BYTES - 5) / 2));
    assert_eq!(
        read(&wide).unwrap()["a"].as_array().unwrap().len(),
        (MAX_YAML_BYTES - 5) / 2
    );
}
