//! Test that `.env` files mean the same to this server and to the npm package dotenv 16, which the original backend uses.

use std::collections::BTreeMap;
use std::process::Command;

use bespoke_web::fuzzing::env_file;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::programs::{ROOT, run_with_input};

/// The number of random files that both parsers read.
const RANDOM_FILES: usize = 20_000;

/// A piece of a random file.
fn piece() -> impl Strategy<Value = String> {
    let syntax = [
        "A=", "B = ", "c.d-e: ", "export ", "export\n", "=", ":", "\n", "\r\n", "\r", " ", "\t", "#", "'", "\"", "`",
        "\\", "\\n", "\\r",
    ];
    prop_oneof![
        4 => proptest::sample::select(syntax.to_vec()).prop_map(str::to_owned),
        1 => "[A-Za-z0-9_$<>{}@|é-]{1,4}",
    ]
}

#[test]
fn variables_are_those_of_dotenv() {
    let (mut runner, pieces) = (TestRunner::deterministic(), proptest::collection::vec(piece(), 0..16));
    let random = (0..RANDOM_FILES).map(|_| pieces.new_tree(&mut runner).unwrap().current().concat());
    let files: Vec<String> = [
        "BACKEND_ENC_KEY=pa$$word$HOME${HOME}\nBACKEND_MAIL_FROM=Bespoke <a@example.org>\n",
        "BACKEND_AWS_SES_REPLY_TO='[\"A <a@example.org>\"]' # reply\nexport BACKEND_PORT = 3000\n",
        "\u{feff}BACKEND_MAIL_POSTAL_ADDRESS=\"1 Street\nTown\"\r\nBACKEND_SERVICE_NAME=`It's \"us\"`\r\n",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain(random)
    .collect();
    let mut node = Command::new("node");
    node.arg(format!("{ROOT}/tests/clients/node/read_env.js"));
    let output = run_with_input(node, json!(files).to_string().as_bytes());
    let expected: Vec<Value> = serde_json::from_slice(&output).unwrap();
    let mut without_problem = 0;
    for (file, expected) in files.iter().zip(expected) {
        let (variables, unreadable_line) = env_file(file);
        let variables: BTreeMap<_, _> = variables.into_iter().collect();
        assert_eq!(json!(variables), expected, "{file:?}");
        without_problem += usize::from(unreadable_line.is_none());
    }
    assert!(without_problem > RANDOM_FILES / 20, "{without_problem}");
}
