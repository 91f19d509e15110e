//! Tests of the delivery to a server that speaks SMTP.

use bespoke_services::mail::{MailError, MailTransport};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::{NOW, mail, settings};
use crate::mailer;

/// Starts a server for one connection. It responds to the command `at` with `instead`, or hangs up if `instead` is
/// `None`. Returns its URL and the received text.
async fn start_server(at: &'static str, instead: Option<&'static str>) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let serve = async move {
        let (stream, _) = listener.accept().await.unwrap();
        drop(listener);
        let (reader, mut writer) = stream.into_split();
        let mut lines = BufReader::new(reader).lines();
        let mut received = String::new();
        let mut in_data = false;
        writer.write_all(b"220 sink\r\n").await.unwrap();
        while let Ok(Some(line)) = lines.next_line().await {
            received.push_str(&line);
            received.push('\n');
            if in_data && line != "." {
                continue;
            }
            let answer = match line.split([' ', ':']).next().unwrap_or_default() {
                command if command == at => match instead {
                    Some(answer) => answer,
                    None => break,
                },
                "EHLO" => "250 sink",
                "DATA" => "354 go on",
                "QUIT" => "221 bye",
                _ => "250 ok",
            };
            in_data = answer.starts_with("354");
            if writer.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
                break;
            }
        }
        received
    };
    (url, tokio::spawn(serve))
}

#[tokio::test]
async fn mail_arrives_complete() {
    let (url, server) = start_server("none", Some("")).await;
    let mailer = mailer(&settings(MailTransport::Smtp(url)), None).unwrap();
    mailer.deliver(&mail("jane@example.com"), NOW).await.unwrap();
    drop(mailer);
    let received = server.await.unwrap();
    for expected in [
        "MAIL FROM:<info@bespoke.example>",
        "RCPT TO:<jane@example.com>",
        "Subject: Confirm your Bespoke account",
        "check=2",
        "<html lang=\"en\">",
    ] {
        assert!(received.contains(expected), "{expected} in {received}");
    }
    assert_eq!(received.matches("RCPT TO").count(), 1, "no copy to anybody: {received}");
}

#[tokio::test]
async fn domain_beyond_ascii_is_sent_in_punycode() {
    let (url, server) = start_server("none", Some("")).await;
    let mailer = mailer(&settings(MailTransport::Smtp(url)), None).unwrap();
    mailer.deliver(&mail("jane@m\u{fc}nchen.example"), NOW).await.unwrap();
    drop(mailer);
    let received = server.await.unwrap();
    assert!(received.contains("RCPT TO:<jane@xn--mnchen-3ya.example>"), "{received}");
}

#[tokio::test]
async fn mailbox_beyond_ascii_is_refused_by_a_server_without_smtputf8() {
    let (url, _server) = start_server("none", Some("")).await;
    let mailer = mailer(&settings(MailTransport::Smtp(url)), None).unwrap();
    let error = mailer.deliver(&mail("j\u{f6}rg@example.com"), NOW).await.unwrap_err();
    assert!(
        matches!(&error, MailError::Refused(reason) if reason.contains("SMTPUTF8")),
        "{error:?}"
    );
}

#[tokio::test]
async fn permanent_and_temporary_refusals_are_distinguished() {
    for (at, answer, refused) in [
        ("RCPT", Some("550 jane@example.com is unknown"), true),
        ("RCPT", Some("451 jane@example.com later"), false),
        ("MAIL", Some("552 too much"), true),
        (".", Some("554 spam"), true),
        (".", Some("421 going down"), false),
        ("EHLO", Some("garbage"), false),
        ("DATA", None, false),
        (".", None, false),
    ] {
        let (url, _server) = start_server(at, answer).await;
        let mailer = mailer(&settings(MailTransport::Smtp(url)), None).unwrap();
        let error = mailer.deliver(&mail("jane@example.com"), NOW).await.unwrap_err();
        assert_eq!(
            matches!(error, MailError::Refused(_)),
            refused,
            "{at} {answer:?}: {error}"
        );
        assert!(!error.to_string().contains("jane"), "{error}");
    }
}

#[tokio::test]
async fn missing_server_is_temporary_and_invalid_url_is_permanent() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let unreachable = MailTransport::Smtp(format!("smtp://127.0.0.1:{port}"));
    let mailer = mailer(&settings(unreachable), None).unwrap();
    let failed = mailer.deliver(&mail("jane@example.com"), NOW).await;
    assert!(matches!(failed, Err(MailError::Failed(_))), "{failed:?}");
    let bad = MailTransport::Smtp("smtp://jane:secret@:::".into());
    let error = crate::mailer(&settings(bad), None).err().expect("an error").to_string();
    assert!(!error.contains("secret"), "{error}");
}
