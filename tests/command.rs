//! Tests of the command `bespoke`, run as processes.

use std::process::Stdio;

use bespoke_tests::support::{Server, bespoke, secrets};
use serde_json::{Value, json};
use tempfile::tempdir;

#[test]
fn acknowledged_writes_survive_a_kill() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path());
    let sign_in = json!({ "username": "jane@freesewing.dev", "password": "secret words" });
    let token = server.sign_up("jane@freesewing.dev");
    let (status, _) = server.call("PATCH", "/account/jwt", &token, &json!({ "password": "secret words" }));
    assert_eq!(status, 200);
    let mut ids = Vec::new();
    let mut server = Some(server);
    for round in 0..3 {
        let name = format!("Round {round}");
        let running = server.take().unwrap_or_else(|| Server::start(folder.path()));
        let (status, answer) = running.call("POST", "/signin", "", &sign_in);
        assert_eq!(status, 200, "{answer}");
        let token = format!("Bearer {}", answer["token"].as_str().unwrap());
        let (status, answer) = running.call("POST", "/sets/jwt", &token, &json!({ "name": name }));
        running.kill();
        assert_eq!(status, 201, "{answer}");
        ids.push(answer["set"]["id"].clone());
    }
    let server = Server::start(folder.path());
    let (_, answer) = server.call("POST", "/signin", "", &sign_in);
    let token = format!("Bearer {}", answer["token"].as_str().unwrap());
    let (_, list) = server.call("GET", "/sets/jwt", &token, &Value::Null);
    let found: Vec<_> = list["sets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|set| set["id"].clone())
        .collect();
    assert_eq!(found, ids);
}

#[test]
fn damaged_bucket_is_503_until_it_is_repaired() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path());
    let token = server.sign_up("jane@freesewing.dev");
    let objects = folder.path().join("objects");
    // The lock that each writer takes. While the test holds it, no writer is between its comparison and its rename.
    let writers = std::fs::File::open(objects.join(".lock")).unwrap();
    let flip = |good: &[u8]| {
        let flipped = good.iter().enumerate();
        flipped.map(|(at, byte)| byte ^ u8::from(at == 0 || at == 60)).collect()
    };
    // Damage that keeps ETag and time: flipped bits, a truncated object; then another version that is invalid.
    let cut = |good: &[u8]| [&[0; 16], &good[16..good.len() - 9]].concat();
    for damage in [&flip as &dyn Fn(&[u8]) -> Vec<u8>, &cut] {
        writers.lock().unwrap();
        let good = std::fs::read(objects.join("head")).unwrap();
        std::fs::write(objects.join("head"), damage(&good)).unwrap();
        writers.unlock().unwrap();
        for (method, path) in [("GET", "/sets/jwt"), ("POST", "/sets/jwt"), ("GET", "/readyz")] {
            let (status, answer) = server.call(method, path, &token, &json!({ "name": "Any" }));
            assert_eq!(status, 503, "{method} {path}: {answer}");
        }
        std::fs::write(objects.join("head"), &good).unwrap();
        assert_eq!(server.call("GET", "/sets/jwt", &token, &Value::Null).0, 200);
    }
    std::fs::remove_dir_all(folder.path().join("cache")).unwrap();
    for _ in 0..2 {
        let (status, answer) = server.call("POST", "/sets/jwt", &token, &json!({ "name": "Any" }));
        assert_eq!(status, 201, "{answer}");
        assert_eq!(server.call("GET", "/sets/jwt", &token, &Value::Null).0, 200);
    }
}

#[test]
fn two_servers_share_one_folder() {
    let folder = tempdir().unwrap();
    let (one, two) = (Server::start(folder.path()), Server::start(folder.path()));
    one.sign_up("jane@freesewing.dev");
    let body = json!({ "email": "jane@freesewing.dev", "language": "en", "test": true });
    // The second server knows that the account is active, so it refuses the confirmation.
    let (_, answer) = two.call("POST", "/signup", "", &body);
    let path = format!("/confirm/signup/{}", answer["confirmation"].as_str().unwrap());
    assert_eq!(two.call("POST", &path, "", &json!({ "consent": 1 })).0, 404);
    let (_, before) = one.call("GET", "/readyz", "", &Value::Null);
    let (_, other) = two.call("GET", "/readyz", "", &Value::Null);
    assert_eq!(before["database"], other["database"]);
}

#[test]
fn server_stops_on_sigterm() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path());
    server.sign_up("jane@freesewing.dev");
    assert!(server.terminate().success());
    let left = std::fs::read_dir(folder.path().join("cache"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let copies = left.filter(|name| name.to_string_lossy().starts_with("copy-")).count();
    assert_eq!(copies, 0, "the local copy is deleted with the process");
}

/// Runs the command to its end; returns success, standard output and standard error.
fn run(arguments: &[&str], settings: &[(&str, &str)]) -> (bool, String, String) {
    let folder = tempdir().unwrap();
    let mut command = bespoke(folder.path());
    let output = command
        .args(arguments)
        .envs(settings.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let errors = text(output.stderr);
    settings
        .iter()
        .for_each(|(name, value)| secrets::plant_setting(name, value));
    secrets::check_output(&errors);
    (output.status.success(), text(output.stdout), errors)
}

#[cfg(unix)]
#[test]
fn stored_files_are_private_to_their_owner() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data);
    let body = json!({ "email": "jane@example.com", "language": "en" });
    assert_eq!(server.call("POST", "/signup", "", &body).0, 201);
    let mut pending = vec![data];
    let mut checked = 0;
    while let Some(path) = pending.pop() {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", path.display());
        checked += 1;
        if path.is_dir() {
            pending.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    assert!(checked > 8, "{checked} files and folders");
}

#[test]
fn failed_start_is_explained_in_one_line() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (arguments, settings, expected) in [
        (
            &["serve", "--port", &port][..],
            &[][..],
            &*format!("bespoke: port {port} is in use; choose another with --port\n"),
        ),
        (
            &["serve"],
            &[("BACKEND_PROT", "1")],
            "BACKEND_PROT is not a setting of Bespoke",
        ),
        (
            &["serve"],
            &[("BACKEND_ENC_KEY", "short"), ("BACKEND_PORT", "0")],
            "BACKEND_ENC_KEY: a passphrase must have at least 16 bytes",
        ),
        (
            &["serve"],
            &[("BACKEND_STORE", "dir:/proc/nowhere"), ("BACKEND_PORT", "0")],
            "cannot open the bucket dir:/proc/nowhere",
        ),
        (
            &["serve"],
            &[("BACKEND_STORE", "s3://bucket"), ("BACKEND_PORT", "0")],
            "cannot open the bucket s3://bucket: storage refused: no region: set AWS_REGION",
        ),
        (
            &["serve"],
            &[
                ("BACKEND_STORE", "s3://bucket/prefix"),
                ("BACKEND_PORT", "0"),
                ("AWS_REGION", "eu-west-3"),
                ("AWS_EC2_METADATA_DISABLED", "true"),
            ],
            "no credentials for bucket bucket: set AWS_ACCESS_KEY_ID",
        ),
        (&["user", "create", "nobody"], &[], "`nobody` is not an e-mail address"),
        (
            &["user", "create", "a@example.com", "--role", "king"],
            &[],
            "`king` is not a role; the roles are readNone, readSome",
        ),
    ] {
        let (success, stdout, stderr) = run(arguments, settings);
        assert!(!success && stdout.is_empty(), "{arguments:?}: {stdout}");
        assert!(stderr.contains(expected), "{expected} in {stderr}");
        assert_eq!(stderr.trim().lines().count(), 1, "{stderr}");
    }
}

#[test]
fn environment_overrides_settings_of_a_file() {
    let folder = tempdir().unwrap();
    let start = |lines: &str, port: &str| {
        std::fs::write(folder.path().join(".env"), lines).unwrap();
        let mut command = bespoke(folder.path());
        command
            .arg("serve")
            .env("BACKEND_PORT", port)
            .current_dir(folder.path());
        String::from_utf8(command.output().unwrap().stderr).unwrap()
    };
    assert!(start("BACKEND_INSTANCES=one\n", "0").contains("BACKEND_INSTANCES is not a setting"));
    assert!(
        start("BACKEND_PORT=nonsense\nBACKEND_HOST=nonsense\n", "0").contains("BACKEND_HOST: must be an IP address")
    );
    assert!(start("this is no setting\n", "0").contains(".env: line 1 is not of the form NAME=value"));
}

#[test]
fn account_made_by_the_operator_signs_in() {
    let folder = tempdir().unwrap();
    let create = |email: &str, options: &[&str]| {
        let output = bespoke(folder.path())
            .args(["user", "create", email])
            .args(options)
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    let (success, output) = create("Root@Example.com", &["--role", "admin", "--username", "Root"]);
    assert!(success, "{output}");
    let password = output.lines().find_map(|line| line.strip_prefix("password  ")).unwrap();
    assert!(!create("root@example.com", &[]).0, "the address is taken");
    assert!(
        !create("other@example.com", &["--username", "ROOT"]).0,
        "the name is taken"
    );
    let server = Server::start(folder.path());
    let (status, answer) = server.call(
        "POST",
        "/signin",
        "",
        &json!({ "username": "root", "password": password }),
    );
    assert_eq!((status, &answer["account"]["role"]), (200, &json!("admin")));
}

#[test]
fn version_contains_the_commit() {
    let (success, output, _) = run(&["--version"], &[]);
    let version = output.trim();
    assert!(
        success && version.starts_with("bespoke ") && version.ends_with(')'),
        "{version}"
    );
}

#[test]
fn simulation_runs_from_the_command_line() {
    let (success, output, _) = run(&["simulate", "--seeds", "20", "--from", "7"], &[]);
    assert!(
        success && output.starts_with("20 schedules: ") && output.ends_with("No guarantee was violated.\n"),
        "{output}"
    );
}

#[test]
fn health_check_follows_the_state_of_the_server() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path());
    let port = server.port.to_string();
    let settings = [
        ("BACKEND_HOST", "0.0.0.0"),
        ("BACKEND_PORT", &*port),
        // The proxy is for outgoing calls and must not receive this one.
        ("http_proxy", "http://192.0.2.1:9"),
    ];
    let health = |arguments: &[&str]| run(&[&["health"], arguments].concat(), &settings);
    for arguments in [&[][..], &["--ready"]] {
        let (success, _, errors) = health(arguments);
        assert!(success, "{arguments:?}: {errors}");
    }
    let objects = folder.path().join("objects");
    // Each writer takes this lock, so none replaces the damaged object.
    let writers = std::fs::File::open(objects.join(".lock")).unwrap();
    writers.lock().unwrap();
    std::fs::write(objects.join("head"), "damaged").unwrap();
    writers.unlock().unwrap();
    let (success, _, errors) = health(&["--ready"]);
    assert!(
        !success && errors.contains("/readyz responds with status 503"),
        "{errors}"
    );
    let url = format!("http://127.0.0.1:{port}/");
    let (success, _, errors) = run(&["health", "--url", &url], &[]);
    assert!(success, "the process responds without its bucket: {errors}");
}

#[test]
fn origin_secret_is_sent_to_this_machine_only() {
    let folder = tempdir().unwrap();
    let secret = ("BACKEND_ORIGIN_SECRET", "0123456789abcdef0123456789abcdef");
    let server = Server::start_with(folder.path(), &[secret]);
    let (port, url) = (server.port.to_string(), format!("http://127.0.0.1:{}", server.port));
    let settings = [("BACKEND_PORT", &*port), secret];
    for arguments in [&["health"][..], &["health", "--ready"]] {
        let (success, _, errors) = run(arguments, &settings);
        assert!(success, "{arguments:?}: {errors}");
    }
    let (success, _, errors) = run(&["health", "--url", &url], &settings);
    assert!(!success && errors.contains("responds with status 403"), "{errors}");
}

#[test]
fn health_check_fails_without_a_response() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let closing = std::thread::spawn(move || drop(listener.accept()));
    let (success, output, errors) = run(&["health"], &[("BACKEND_PORT", &port)]);
    closing.join().unwrap();
    assert!(!success && output.is_empty(), "{output}");
    assert!(
        errors.contains("bespoke: no response from http://127.0.0.1:"),
        "{errors}"
    );
}
