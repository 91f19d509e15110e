//! [`S3Server`]: a bucket of S3 on this machine, for the duration of a test.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use bespoke_storage::aws::Aws;
use bespoke_storage::{S3Settings, S3Store};

/// The bucket that every server has at its start.
pub(crate) const BUCKET: &str = "bespoke-test";

/// A server on a free port. It ends when this value is dropped.
pub(crate) struct S3Server {
    child: Child,
    pub(crate) endpoint: String,
}

impl S3Server {
    pub(crate) fn start() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join("../../.venv/bin/python");
        assert!(
            python.exists(),
            "{} is missing: run make check (or ci/install)",
            python.display()
        );
        let mut child = Command::new(python)
            .arg(root.join("tests/support/s3_server.py"))
            .arg(BUCKET)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut endpoint = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut endpoint).unwrap();
        let endpoint = endpoint.trim_end().to_owned();
        assert!(
            endpoint.starts_with("http://127.0.0.1:"),
            "unexpected output {endpoint:?}"
        );
        Self { child, endpoint }
    }

    pub(crate) fn store(&self) -> S3Store {
        S3Store::open(settings(&self.endpoint)).unwrap()
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The settings of the bucket at `endpoint`.
pub(crate) fn settings(endpoint: &str) -> S3Settings {
    S3Settings {
        bucket: BUCKET.to_owned(),
        prefix: "some/prefix".to_owned(),
        aws: Aws {
            endpoint: Some(endpoint.to_owned()),
            region: Some("us-east-1".to_owned()),
            access: Some(Aws::access("test".to_owned(), "test".to_owned(), None)),
        },
    }
}
