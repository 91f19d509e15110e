//! [`Installation`]: an installation in a folder, and the processes that work on it.

use std::path::Path;
use std::process::Stdio;

use bespoke_tests::support::{Function, Key, RuntimeApi, binary, secrets};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};

use super::answer::Answer;
use super::event::{event, http_request};

/// Test mode, in which the demonstration key is valid, and cheap password hashes.
const SETTINGS: &[(&str, &str)] = &[
    ("BACKEND_ENABLE_TESTS", "yes"),
    ("BACKEND_PASSWORD_MEMORY_KIB", "8"),
    ("BACKEND_PASSWORD_ITERATIONS", "1"),
];

pub(super) type Settings<'a> = &'a [(&'a str, &'a str)];

/// A folder with bucket, keys and outbox.
pub(super) struct Installation {
    folder: TempDir,
    /// Folders of the processes' local copies of the database.
    caches: TempDir,
}

/// The result of a command.
pub(super) struct CommandOutput {
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Installation {
    /// An empty installation.
    pub(super) fn empty() -> Self {
        let new = || tempfile::tempdir().expect("a folder");
        Self {
            folder: new(),
            caches: new(),
        }
    }

    /// An installation with the demonstration that `bespoke demo` creates.
    pub(super) async fn demonstration() -> Self {
        let installation = Self::empty();
        let demo = installation.bespoke(&["demo"], &[], None).await;
        assert_eq!((demo.code, demo.stderr.as_str()), (Some(0), ""));
        installation
    }

    /// A copy of the installation.
    pub(super) fn copy(&self) -> Self {
        let copy = Self::empty();
        copy_folder(self.folder.path(), copy.folder.path()).expect("readable folders");
        copy
    }

    /// Replaces the bucket by a file, so that processes that have opened it can neither read nor write.
    pub(super) fn break_bucket(&self) {
        let objects = self.path().join("objects");
        std::fs::remove_dir_all(&objects).expect("a bucket");
        std::fs::write(&objects, "no folder").expect("a file instead");
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The mails in the outbox.
    pub(super) fn mails(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.path().join("outbox")).expect("an outbox");
        let files = files.map(|file| file.expect("a readable folder").path());
        let mails = files.filter(|path| path.extension().is_some_and(|extension| extension == "eml"));
        mails
            .map(|path| std::fs::read_to_string(path).expect("a readable mail"))
            .collect()
    }

    /// The function of that name, in a process whose local copy of the database is in the folder `cache`.
    pub(super) async fn function(&self, name: &str, cache: &str, settings: Settings<'_>) -> Function {
        let (data, cache) = (text(self.path()), text(&self.caches.path().join(cache)));
        let places = [("BACKEND_DATA_DIR", &*data), ("BACKEND_LOCAL_DIR", &*cache)];
        let env: Vec<_> = SETTINGS.iter().chain(settings).copied().chain(places).collect();
        RuntimeApi::start().await.spawn(&binary(name), &env)
    }

    /// Runs `bespoke` to its end, with `input` on standard input, for commands that read it.
    pub(super) async fn bespoke(
        &self,
        arguments: &[&str],
        settings: Settings<'_>,
        input: Option<&str>,
    ) -> CommandOutput {
        let mut command = self.command(arguments, settings);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("bespoke starts");
        let mut stdin = child.stdin.take().expect("the stream is piped");
        stdin
            .write_all(input.unwrap_or_default().as_bytes())
            .await
            .expect("it reads standard input");
        drop(stdin);
        let output = child.wait_with_output().await.expect("bespoke ends");
        let text = |bytes| String::from_utf8(bytes).expect("a text");
        let stderr = text(output.stderr);
        secrets::check_output(&stderr);
        CommandOutput {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr,
        }
    }

    /// `bespoke serve` on a free port.
    pub(super) async fn serve(&self, settings: Settings<'_>) -> Serve {
        let mut command = self.command(&["serve", "--port", "0"], settings);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("bespoke starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("the stream is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).await.expect("it prints its address");
        let url = line
            .trim()
            .strip_prefix("Bespoke serves ")
            .expect("it prints its address")
            .to_owned();
        let port = url.rsplit(':').next().and_then(|port| port.parse().ok());
        Serve {
            port: port.expect("a port"),
            url,
            child,
            _stdout: stdout,
        }
    }

    fn command(&self, arguments: &[&str], settings: Settings<'_>) -> Command {
        let mut command = Command::new(binary("bespoke"));
        // In its own folder, which has no .env file.
        command
            .env_clear()
            .envs(SETTINGS.iter().chain(settings).copied())
            .arg("--data")
            .arg(self.path())
            .args(arguments)
            .current_dir(self.caches.path());
        command
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("a path of this test").to_owned()
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let (entry, target) = entry.map(|entry| (entry.path(), to.join(entry.file_name())))?;
        if entry.is_dir() {
            std::fs::create_dir(&target)?;
            copy_folder(&entry, &target)?;
        } else {
            std::fs::copy(&entry, &target)?;
        }
    }
    Ok(())
}

/// A running `bespoke serve`; it ends when this value is dropped.
pub(super) struct Serve {
    pub(super) url: String,
    port: u16,
    child: Child,
    /// If the pipe were closed, the process would fail at its next line of output.
    _stdout: BufReader<ChildStdout>,
}

impl Serve {
    /// Ends the process and waits for its exit.
    pub(super) async fn stop(mut self) {
        self.child.kill().await.expect("a child process can be killed");
    }

    /// Sends the client's request from which the gateway would make this event.
    pub(super) async fn answer(&self, event: &Value) -> Answer {
        self.send(&http_request(event)).await
    }

    /// Sends a request that asks to close the connection.
    pub(super) async fn send(&self, request: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))
            .await
            .expect("the server listens");
        stream.write_all(request).await.expect("the server reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("it responds and closes");
        Answer::from_http(&answer)
    }

    /// An account with a key of level 4.
    pub(super) async fn writer(&self) -> Key {
        let post = async |path: &str, token: &str, body: &Value, status| {
            self.answer(&event("POST", path, token, body)).await.expect(status)
        };
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let body = json!({ "email": "writer@freesewing.dev", "language": "en", "test": true });
        let signup = post("/signup", "", &body, 201).await;
        let confirm = format!("/confirm/signup/{}", text(&signup["confirmation"]));
        let account = post(&confirm, "", &json!({ "consent": 2 }), 200).await;
        let body = json!({ "name": "writer", "level": 4, "expiresIn": 3600 });
        let made = post("/apikeys/jwt", &text(&account["token"]), &body, 201).await;
        Key {
            id: text(&made["apikey"]["key"]),
            secret: text(&made["apikey"]["secret"]),
        }
    }
}

/// Invokes the function with an event and returns its response.
pub(super) async fn invoke(function: &Function, event: Value) -> Answer {
    let answer = function.invoke(event).await.unwrap_or_else(|error| panic!("{error}"));
    Answer::from_function(&answer)
}

/// The body of the function's response to a request, which must have that status.
pub(super) async fn call(
    function: &Function,
    method: &str,
    path: &str,
    token: &str,
    body: &Value,
    status: u16,
) -> Value {
    invoke(function, event(method, path, token, body)).await.expect(status)
}

/// Signs up and confirms over the function `account`; returns the token.
pub(super) async fn signed_up(account: &Function, name: &str) -> String {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let body = json!({ "email": format!("{name}@freesewing.dev"), "language": "en", "test": true });
    let signup = call(account, "POST", "/signup", "", &body, 201).await;
    let path = format!("/confirm/signup/{}", text(&signup["confirmation"]));
    let confirmed = call(account, "POST", &path, "", &json!({ "consent": 2 }), 200).await;
    text(&confirmed["token"])
}
