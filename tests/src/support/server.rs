//! `bespoke serve` as a separate process, as a user starts it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

use super::{binary, secrets};

/// The longest start of a server, in seconds. It is reached only if the start fails.
const START_LIMIT_S: u64 = 60;

/// A running server. Dropping it kills the process and checks that its output contains no secret.
pub struct Server {
    child: Child,
    /// The threads that read its output to the end.
    readers: Vec<JoinHandle<String>>,
    /// The port on which it listens.
    pub port: u16,
}

/// The command `bespoke` with its own environment and cheap password hashes.
pub fn bespoke(data: &Path) -> Command {
    let mut command = Command::new(binary("bespoke"));
    command
        .env_clear()
        .env("BACKEND_PASSWORD_MEMORY_KIB", "8")
        .env("BACKEND_ENABLE_TESTS", "yes");
    command.arg("--data").arg(data).stdin(Stdio::null());
    command
}

impl Server {
    /// Starts a server on that data, on a free port, and waits until it reports its address.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(data: &Path) -> Self {
        Self::start_with(data, &[])
    }

    /// Starts a server with these settings.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_with(data: &Path, settings: &[(&str, &str)]) -> Self {
        Self::wait(bespoke(data), settings)
    }

    /// Starts a server from a line of shell, which gets the command as its arguments.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_behind(data: &Path, settings: &[(&str, &str)], shell: &str) -> Self {
        let server = bespoke(data);
        let mut command = Command::new("sh");
        command.env_clear().args(["-c", shell, "sh"]).arg(server.get_program());
        command.args(server.get_args());
        command.envs(server.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Self::wait(command, settings)
    }

    fn wait(mut command: Command, settings: &[(&str, &str)]) -> Self {
        let mut child = command
            .envs(settings.iter().copied())
            .args(["serve", "--port", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("bespoke runs");
        let (sender, receiver) = channel();
        let look_for_port = move |line: &str| {
            let port = line.strip_prefix("Bespoke serves http://localhost:");
            if let Some(port) = port.and_then(|port| port.parse().ok()) {
                let _ = sender.send(port);
            }
        };
        let out = child.stdout.take().expect("its standard output");
        let err = child.stderr.take().expect("its standard error");
        let readers = vec![read(out, look_for_port), read(err, |line| eprintln!("{line}"))];
        let port = receiver
            .recv_timeout(Duration::from_secs(START_LIMIT_S))
            .expect("the server prints its address");
        Self { child, readers, port }
    }

    /// Sends a request on a new connection; returns status and JSON body.
    ///
    /// # Panics
    /// If the response is incomplete.
    pub fn call(&self, method: &str, path: &str, authorization: &str, body: &Value) -> (u16, Value) {
        secrets::plant_credentials(authorization);
        secrets::plant_sent(body);
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let headers = format!("Content-Type: application/json\r\nAuthorization: {authorization}\r\n");
        let (status, body) = self.exchange(method, path, &headers, &body);
        let body = serde_json::from_str(&body).unwrap_or_default();
        secrets::plant_answered(&body);
        (status, body)
    }

    /// Sends a request with these header lines and this body; returns the raw body.
    ///
    /// # Panics
    /// If the response is incomplete.
    pub fn exchange(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        );
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the server listens");
        stream.write_all(request.as_bytes()).expect("the server reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the server responds");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a complete response");
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .expect("a status");
        (status, body.to_owned())
    }

    /// Signs up and confirms an account; returns the value of the `Authorization` header.
    ///
    /// # Panics
    /// If that is refused.
    pub fn sign_up(&self, email: &str) -> String {
        let body = json!({ "email": email, "language": "en", "test": true });
        let (status, answer) = self.call("POST", "/signup", "", &body);
        assert_eq!(status, 201, "{answer}");
        let path = format!(
            "/confirm/signup/{}",
            answer["confirmation"].as_str().expect("test mode")
        );
        let (status, answer) = self.call("POST", &path, "", &json!({ "consent": 2 }));
        assert_eq!(status, 200, "{answer}");
        format!("Bearer {}", answer["token"].as_str().expect("a token"))
    }

    /// Kills it immediately, like a crash of the machine.
    ///
    /// # Panics
    /// If it cannot be killed.
    pub fn kill(mut self) {
        self.child
            .kill()
            .and_then(|()| self.child.wait())
            .expect("the server can be killed");
    }

    /// Sends SIGTERM, waits for the exit, and returns the complete output.
    ///
    /// # Panics
    /// If the signal cannot be sent, the exit is not a success, or the output contains a secret.
    pub fn stop(mut self) -> String {
        self.ask_to_stop();
        assert!(self.child.wait().expect("the server exits").success());
        let said = self.readers.drain(..).map(|reader| reader.join().expect("a text"));
        let said = said.collect::<String>();
        secrets::check_output(&said);
        said
    }

    fn ask_to_stop(&self) {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status();
        assert!(asked.expect("kill runs").success());
    }

    /// Sends SIGTERM and waits for the exit.
    ///
    /// # Panics
    /// If the signal cannot be sent.
    pub fn terminate(mut self) -> ExitStatus {
        self.ask_to_stop();
        self.child.wait().expect("the server exits")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let said = self.readers.drain(..).filter_map(|reader| reader.join().ok());
        let said: Vec<_> = said.collect();
        if !std::thread::panicking() {
            secrets::check_output(&said.concat());
        }
    }
}

/// Reads to the end, so that the server never waits for a full pipe, and sends the complete text.
fn read(from: impl Read + Send + 'static, mut see: impl FnMut(&str) + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut said = String::new();
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            see(&line);
            said.push_str(&line);
            said.push('\n');
        }
        said
    })
}
