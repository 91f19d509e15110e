//! Tests of the clients that are generated from the OpenAPI description: the generators report no warnings, and the clients work.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bespoke_tests::support::{Server, functions};
use bespoke_web::openapi::document;
use tempfile::{TempDir, tempdir};

use crate::lookups::Installation;

/// The Python program and its generator settings.
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/python");
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A folder with the current description in `openapi.json`.
fn described() -> TempDir {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("openapi.json"), document(&functions()).to_string()).unwrap();
    folder
}

/// The absolute path of a tool that `ci/install` installs, because the tools run in other folders.
fn installed(path: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    assert!(
        path.exists(),
        "{} is missing: run make check (or ci/install)",
        path.display()
    );
    path
}

/// A tool from npm.
fn node_tool(name: &str) -> Command {
    Command::new(installed("../clients/typescript/node_modules/.bin").join(name))
}

/// The interpreter that has the Python tools.
fn python() -> Command {
    let mut command = Command::new(installed("../.venv/bin/python"));
    // The generator looks up its formatter by name.
    command.env("PATH", installed("../.venv/bin"));
    command
}

/// Runs the command in that folder, checks that it succeeds, and returns its complete output.
#[track_caller]
fn run(command: &mut Command, folder: &Path) -> String {
    let command = command.current_dir(folder).stdin(Stdio::null()).env("NO_COLOR", "1");
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}: run make check (or ci/install)"));
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    assert!(output.status.success(), "{command:?}: {}\n{text}", output.status);
    text
}

/// Runs the main job against a server of its own.
#[track_caller]
fn do_the_main_job(program: &mut Command, folder: &Path) {
    let data = folder.join("data");
    let server = Server::start(&data);
    let program = program
        .arg(format!("http://127.0.0.1:{}", server.port))
        .arg(data.join("outbox"));
    assert_eq!(run(program, folder), "done");
}

#[test]
fn openapi_description_passes_the_linter() {
    let folder = described();
    let mut linter = node_tool("redocly");
    let linter = linter
        .env("REDOCLY_TELEMETRY", "off")
        .env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true")
        // In this rule set a warning is an error.
        .args(["lint", "openapi.json", "--extends=recommended-strict"])
        // The linter calls `/curated-sets/{id}/clone/jwt` and `/curated-sets/from/{id}/jwt` ambiguous, but the API defines both.
        .arg("--skip-rule=no-ambiguous-paths");
    run(linter, folder.path());
}

/// The TypeScript client, generated from the description and compiled, in `clients/typescript` of that folder.
fn build_client(folder: &Path) -> PathBuf {
    let client = folder.join("clients/typescript");
    let source = Path::new(ROOT).join("clients/typescript");
    fs::create_dir_all(&client).unwrap();
    let schema = client.join("schema.ts");
    let mut generate = node_tool("openapi-typescript");
    let output = run(generate.arg("openapi.json").arg("--output").arg(&schema), folder);
    let unexpected = |line: &&str| !line.starts_with("✨ openapi-typescript ") && !line.starts_with("🚀 openapi.json ");
    let unexpected: Vec<_> = output.lines().filter(unexpected).collect();
    assert!(unexpected.is_empty(), "the generator printed warnings: {output}");
    for file in ["client.ts", "main_job.ts", "package.json", "tsconfig.json"] {
        fs::copy(source.join(file), client.join(file)).unwrap();
    }
    let modules = installed("../clients/typescript/node_modules");
    symlink(modules, client.join("node_modules")).unwrap();
    assert_eq!(run(&mut node_tool("tsc"), &client), "");
    client
}

#[test]
fn generated_typescript_client_does_the_main_job() {
    let folder = described();
    let client = build_client(folder.path());
    do_the_main_job(Command::new("node").arg("out/main_job.js"), &client);
}

/// Generates the clients of two other generators from the description, and compiles them with their main jobs.
fn build_other_clients(folder: &Path) {
    let source = Path::new(ROOT).join("tests/clients/node");
    for file in [
        "hey_api.ts",
        "orval.ts",
        "orval.config.mjs",
        "package.json",
        "sign_up.ts",
        "tsconfig.json",
    ] {
        fs::copy(source.join(file), folder.join(file)).unwrap();
    }
    symlink(installed("clients/node/node_modules"), folder.join("node_modules")).unwrap();
    let tool = |name: &str| Command::new(folder.join("node_modules/.bin").join(name));
    let hey_api = [
        "--input",
        "openapi.json",
        "--output",
        "hey",
        "--client",
        "@hey-api/client-fetch",
    ];
    run(tool("openapi-ts").args(hey_api), folder);
    run(tool("orval").args(["--config", "orval.config.mjs"]), folder);
    assert_eq!(run(&mut tool("tsc"), folder), "");
}

#[test]
fn clients_of_other_generators_do_the_main_job() {
    let folder = described();
    let folder = folder.path();
    build_other_clients(folder);
    for program in ["out/hey_api.js", "out/orval.js"] {
        do_the_main_job(Command::new("node").arg(program), folder);
    }
}

/// The result of the example runner for a set: exit code, complete output, SVG.
fn draft(folder: &Path, installation: &Installation, key: &str, set: &str) -> (i32, String, String) {
    let file = folder.join("aaron.svg");
    let mut runner = Command::new("node");
    let runner = runner
        .current_dir(folder.join("examples/runner"))
        .env("BESPOKE_KEY", key);
    let output = runner
        .args(["draft.mjs", &installation.url(), set])
        .arg(&file)
        .output()
        .unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let svg = fs::read_to_string(&file).unwrap_or_default();
    let _ = fs::remove_file(file);
    (output.status.code().unwrap(), text, svg)
}

#[test]
fn runner_drafts_complete_sets_only() {
    let folder = described();
    let folder = folder.path();
    build_client(folder);
    let runner = folder.join("examples/runner");
    fs::create_dir_all(&runner).unwrap();
    for file in ["draft.mjs", "package.json"] {
        fs::copy(Path::new(ROOT).join("examples/runner").join(file), runner.join(file)).unwrap();
    }
    symlink(
        installed("../examples/runner/node_modules"),
        runner.join("node_modules"),
    )
    .unwrap();
    let installation = Installation::new();
    let [all, one] = &installation.keys;

    let (code, output, svg) = draft(folder, &installation, one, &installation.whole);
    assert_eq!(code, 0, "{output}");
    let front = svg
        .split("<!-- Start of group #fs-stack-aaron.front-part-aaron.front -->")
        .nth(1)
        .unwrap();
    let front = front.split("<!-- end of group").next().unwrap();
    // From the shoulder down: the bust (hpsToBust), the waist (hpsToWaistBack), the hem a tenth below the hips.
    for (line, expected) in [("help", "M 0,275 L"), ("help", "M 0,395 L"), ("fabric", "L 0,572 L")] {
        let drawn = front
            .lines()
            .any(|path| path.contains(&format!("{line}\"")) && path.contains(expected));
        assert!(drawn, "no line `{expected}` in {front}");
    }
    // A quarter of the hips with ease: half of the front.
    let hem = front.split("L 0,572 L ").nth(1).unwrap().split(',').next().unwrap();
    let hem: f64 = hem.parse().unwrap();
    assert!((hem - 900.0 / 4.0 * 1.026).abs() < 0.1, "{hem}");
    for part in ["back", "armBinding", "neckBinding"] {
        assert!(svg.contains(&format!("part-aaron.{part}\"")), "no {part}");
    }

    let (code, output, svg) = draft(folder, &installation, all, &installation.half);
    assert_eq!(
        (code, output.as_str(), svg.as_str()),
        (3, "Half is incomplete, missing: hips\n", "")
    );
    let (code, output, svg) = draft(folder, &installation, one, &installation.half);
    assert_eq!(
        (code, output.as_str(), svg.as_str()),
        (1, "the lookup is refused: 403 insufficientScope\n", "")
    );
}

#[test]
fn generated_python_client_does_the_main_job() {
    let folder = described();
    let folder = folder.path();
    let programs = Path::new(PYTHON);
    let output = run(
        python()
            .args([
                "-m",
                "openapi_python_client",
                "generate",
                "--fail-on-warning",
                "--meta",
                "none",
            ])
            .args(["--path", "openapi.json", "--output-path", "bespoke_client", "--config"])
            .arg(programs.join("config.yaml")),
        folder,
    );
    assert_eq!(output, "Generating bespoke_client");
    // All modules; warnings of Python itself are errors.
    let import_all = "import bespoke_client, importlib, pkgutil
for module in pkgutil.walk_packages(bespoke_client.__path__, 'bespoke_client.'):
    importlib.import_module(module.name)";
    assert_eq!(run(python().args(["-W", "error", "-c", import_all]), folder), "");
    do_the_main_job(
        python().env("PYTHONPATH", folder).arg(programs.join("main_job.py")),
        folder,
    );
}
