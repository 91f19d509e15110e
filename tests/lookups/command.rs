//! `bespoke lookup` and `bespoke designs import`.

use bespoke_tests::support::bespoke;
use serde_json::Value;

use super::Installation;

struct Said {
    code: i32,
    answer: Value,
    errors: String,
}

fn lookup(installation: &Installation, url: &str, key: &str, arguments: &[&str]) -> Said {
    let mut command = bespoke(&installation.folder.path().join("data"));
    let command = command
        .args(["lookup", "--url", url])
        .args(arguments)
        .env("BESPOKE_KEY", key);
    let output = command.output().unwrap();
    Said {
        code: output.status.code().unwrap(),
        answer: serde_json::from_slice(&output.stdout).unwrap_or_default(),
        errors: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn exit_code_reports_the_result_of_a_lookup() {
    let at = Installation::new();
    let url = at.url();
    let [all, one] = &at.keys;
    let whole = lookup(&at, &url, one, &[&at.whole, "--design", "aaron", "--units", "in"]);
    assert_eq!((whole.code, whole.errors.as_str()), (0, ""));
    assert_eq!(whole.answer["design"]["complete"], true);
    assert_eq!(
        (&whole.answer["units"], &whole.answer["measurements"]["shoulderSlope"]),
        (&"in".into(), &13.into())
    );
    let half = lookup(&at, &url, all, &["half", "--design", "aaron"]);
    assert_eq!(
        (half.code, half.errors.as_str()),
        (3, "bespoke: incomplete, missing: hips\n")
    );
    assert_eq!(
        lookup(&at, &url, all, &["half"]).code,
        0,
        "complete for nothing in particular"
    );

    let (key, _) = one.split_once(':').unwrap();
    for (key, set, code, words) in [
        (one.as_str(), at.half.as_str(), 4, "refused: insufficientScope"),
        (&format!("{key}:fsk_wrong"), &at.whole, 4, "refused: unauthorized"),
        (all, "6f9619ff-8b86-4011-b42d-00c04fc964ff", 5, "the set does not exist"),
        (all, "nobody's", 5, "the set does not exist"),
        ("", &at.whole, 5, "the set does not exist"),
        ("", "Whole", 1, "set BESPOKE_KEY"),
        ("nonsense", "Whole", 1, "is no <key>:<secret>"),
    ] {
        let said = lookup(&at, &url, key, &[set]);
        assert!(said.errors.contains(words), "{words} in {}", said.errors);
        assert_eq!((said.code, said.answer), (code, Value::Null), "{words}");
    }
    let design = lookup(&at, &url, all, &[&at.whole, "--design", "nobody"]);
    assert_eq!(
        (design.code, design.errors.contains("400 designUnknown")),
        (1, true),
        "{}",
        design.errors
    );
    assert_eq!(lookup(&at, &url, all, &[&at.whole, "--units", "ell"]).code, 2);
    assert_eq!(lookup(&at, "no url", all, &[&at.whole]).code, 1);
    let free = std::net::TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap();
    let gone = lookup(&at, &format!("http://{free}"), all, &[&at.whole]);
    assert_eq!(
        (gone.code, gone.errors.contains("cannot be reached")),
        (6, true),
        "{}",
        gone.errors
    );
    assert!(!gone.errors.contains(all.as_str()), "the output contains the key");
}

#[test]
fn operator_can_replace_the_designs() {
    let at = Installation::new();
    let file = at.folder.path().join("designs.json");
    let import = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let mut command = bespoke(&at.folder.path().join("data"));
        let output = command.args(["designs", "import"]).arg(&file).output().unwrap();
        (
            output.status.success(),
            String::from_utf8([output.stdout, output.stderr].concat()).unwrap(),
        )
    };
    let (success, said) = import(r#"{"mine": {"required": ["chest", "tail"]}}"#);
    assert!(!success && said.contains("mine: `tail` is not a measurement"), "{said}");
    assert_eq!(
        import(r#"{"mine": {"required": ["chest"]}}"#),
        (true, "Designs stored: 1.\n".to_owned())
    );
    let [all, _] = &at.keys;
    let found = lookup(&at, &at.url(), all, &["Whole", "--design", "mine"]);
    assert_eq!(
        found.answer["measurements"].as_object().unwrap().len(),
        1,
        "{}",
        found.errors
    );
}
