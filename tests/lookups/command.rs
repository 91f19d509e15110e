//! Tests of `bespoke lookup` and `bespoke designs import`.

use bespoke_tests::support::bespoke;
use serde_json::Value;

use super::Installation;

struct LookupOutput {
    code: i32,
    answer: Value,
    errors: String,
}

fn lookup(installation: &Installation, url: &str, key: &str, arguments: &[&str]) -> LookupOutput {
    let mut command = bespoke(&installation.folder.path().join("data"));
    let command = command
        .args(["lookup", "--url", url])
        .args(arguments)
        .env("BESPOKE_KEY", key);
    let output = command.output().unwrap();
    LookupOutput {
        code: output.status.code().unwrap(),
        answer: serde_json::from_slice(&output.stdout).unwrap_or_default(),
        errors: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn exit_code_reports_the_result_of_a_lookup() {
    let installation = Installation::new();
    let url = installation.url();
    let [all, one] = &installation.keys;
    let whole = lookup(
        &installation,
        &url,
        one,
        &[&installation.whole, "--design", "aaron", "--units", "in"],
    );
    assert_eq!((whole.code, whole.errors.as_str()), (0, ""));
    assert_eq!(whole.answer["design"]["complete"], true);
    assert_eq!(
        (&whole.answer["units"], &whole.answer["measurements"]["shoulderSlope"]),
        (&"in".into(), &13.into())
    );
    let half = lookup(&installation, &url, all, &["half", "--design", "aaron"]);
    assert_eq!(
        (half.code, half.errors.as_str()),
        (3, "bespoke: incomplete, missing: hips\n")
    );
    assert_eq!(
        lookup(&installation, &url, all, &["half"]).code,
        0,
        "complete for nothing in particular"
    );

    let (key, _) = one.split_once(':').unwrap();
    for (key, set, code, words) in [
        (
            one.as_str(),
            installation.half.as_str(),
            4,
            "refused: insufficientScope",
        ),
        (
            &format!("{key}:fsk_wrong"),
            &installation.whole,
            4,
            "refused: unauthorized",
        ),
        (all, "6f9619ff-8b86-4011-b42d-00c04fc964ff", 5, "the set does not exist"),
        (all, "nobody's", 5, "the set does not exist"),
        ("", &installation.whole, 5, "the set does not exist"),
        ("", "Whole", 1, "set BESPOKE_KEY"),
        ("nonsense", "Whole", 1, "is not of the form <key>:<secret>"),
    ] {
        let output = lookup(&installation, &url, key, &[set]);
        assert!(output.errors.contains(words), "{words} in {}", output.errors);
        assert_eq!((output.code, output.answer), (code, Value::Null), "{words}");
    }
    let design = lookup(&installation, &url, all, &[&installation.whole, "--design", "nobody"]);
    assert_eq!(
        (design.code, design.errors.contains("400 designUnknown")),
        (1, true),
        "{}",
        design.errors
    );
    assert_eq!(
        lookup(&installation, &url, all, &[&installation.whole, "--units", "ell"]).code,
        2
    );
    assert_eq!(lookup(&installation, "no url", all, &[&installation.whole]).code, 1);
    let free = std::net::TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap();
    let unreachable = lookup(&installation, &format!("http://{free}"), all, &[&installation.whole]);
    assert_eq!(
        (unreachable.code, unreachable.errors.contains("cannot be reached")),
        (6, true),
        "{}",
        unreachable.errors
    );
    assert!(
        !unreachable.errors.contains(all.as_str()),
        "the output contains the key"
    );
}

#[test]
fn operator_can_replace_the_designs() {
    let installation = Installation::new();
    let file = installation.folder.path().join("designs.json");
    let import = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let mut command = bespoke(&installation.folder.path().join("data"));
        let output = command.args(["designs", "import"]).arg(&file).output().unwrap();
        (
            output.status.success(),
            String::from_utf8([output.stdout, output.stderr].concat()).unwrap(),
        )
    };
    let (success, output) = import(r#"{"mine": {"required": ["chest", "tail"]}}"#);
    assert!(
        !success && output.contains("mine: `tail` is not a measurement"),
        "{output}"
    );
    assert_eq!(
        import(r#"{"mine": {"required": ["chest"]}}"#),
        (true, "Designs stored: 1.\n".to_owned())
    );
    let [all, _] = &installation.keys;
    let found = lookup(&installation, &installation.url(), all, &["Whole", "--design", "mine"]);
    assert_eq!(
        found.answer["measurements"].as_object().unwrap().len(),
        1,
        "{}",
        found.errors
    );
}
