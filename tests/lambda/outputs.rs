//! Tests of the outputs of the template.

use std::os::unix::fs::{PermissionsExt, symlink};

use bespoke_tests::support::binary;
use tokio::process::Command;

use super::installation::Installation;
use super::template::template;

const KEY: &str = "a key that Secrets Manager keeps";

/// A mock of the AWS command line that knows one secret.
const AWS: &str = r#"#!/bin/sh
[ "$*" = "secretsmanager get-secret-value --region eu-west-1 --secret-id arn:secret --query SecretString --output text" ] || exit 9
echo "a key that Secrets Manager keeps"
"#;

/// Runs a shell command that finds `bespoke` and the mock, with the bucket in the variable `STORE`.
async fn run(command: &str, bucket: &str) -> std::process::Output {
    let folder = tempfile::tempdir().expect("a folder");
    let aws = folder.path().join("aws");
    std::fs::write(&aws, AWS).expect("a file");
    std::fs::set_permissions(&aws, PermissionsExt::from_mode(0o700)).expect("a program");
    symlink(binary("bespoke"), folder.path().join("bespoke")).expect("a link");
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command).current_dir(folder.path());
    let settings = [
        ("STORE", bucket),
        ("BACKEND_PASSWORD_MEMORY_KIB", "8"),
        ("BACKEND_PASSWORD_ITERATIONS", "1"),
    ];
    shell.env_clear().env("PATH", path).envs(settings);
    shell.output().await.expect("a shell")
}

#[tokio::test]
async fn command_in_the_outputs_creates_the_first_administrator() {
    let template = template();
    let command = template["Outputs"]["CreateAdministrator"]["Value"]["Sub"]
        .as_str()
        .unwrap();
    let store = "s3://${Bucket}/bespoke";
    assert!(command.contains(store) && !command.contains(KEY), "{command}");
    let installation = Installation::empty();
    let folder = format!("dir:{}", installation.path().join("objects").display());
    let command = command
        .replace(store, "\"$STORE\"")
        .replace("${EncryptionKey}", "arn:secret")
        .replace("${AWS::Region}", "eu-west-1")
        .replace("${Instance}", "bespoke-staging")
        .replace("you@example.com", "root@example.com");
    assert!(!command.contains("${"), "{command}");
    let made = run(&command, &folder).await;
    let text = String::from_utf8_lossy(&made.stdout).into_owned();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert!(text.contains("root@example.com") && text.contains("password"), "{text}");
    let settings = [("BACKEND_ENC_KEY", KEY), ("BACKEND_STORE", folder.as_str())];
    let shown = installation
        .bespoke(&["user", "show", "root@example.com"], &settings, None)
        .await;
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert!(shown.stdout.contains("admin"), "{}", shown.stdout);
}
