//! Tests of the delivery to a folder.

use bespoke_services::mail::{MailError, MailTransport};

use super::{NOW, mail, settings};
use crate::mailer;

#[tokio::test]
async fn repeated_delivery_writes_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = dir.path().join("outbox");
    let mailer = mailer(&settings(MailTransport::Folder(outbox.clone())), None).unwrap();
    let mut newsletter = mail("jane@example.com");
    newsletter.unsubscribe_url = Some("http://localhost:3000/ocunsub/7".into());
    mailer.deliver(&newsletter, NOW).await.unwrap();
    mailer.deliver(&newsletter, NOW).await.unwrap();
    let files: Vec<_> = std::fs::read_dir(outbox)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    let [file] = files.as_slice() else { panic!("{files:?}") };
    let text = std::fs::read_to_string(file).unwrap();
    for expected in [
        "To: jane@example.com",
        "From: Bespoke <info@bespoke.example>",
        "Reply-To: Help <help@bespoke.example>",
        "check=2",
        "List-Unsubscribe: <http://localhost:3000/ocunsub/7>",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        "Content-Language: en",
        "Content-Type: multipart/alternative",
        "Date: Tue, 14 Nov 2023",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    assert!(!text.contains("\nBcc:") && !text.contains("\nCc:"), "{text}");
}

#[tokio::test]
async fn invalid_address_is_a_permanent_failure() {
    let dir = tempfile::tempdir().unwrap();
    let mailer = mailer(&settings(MailTransport::Folder(dir.path().into())), None).unwrap();
    assert!(matches!(
        mailer.deliver(&mail("jane"), NOW).await,
        Err(MailError::Refused(_))
    ));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn unwritable_folder_is_a_temporary_failure() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let mailer = mailer(&settings(MailTransport::Folder(file.join("outbox"))), None).unwrap();
    let failed = mailer.deliver(&mail("jane@example.com"), NOW).await;
    assert!(matches!(failed, Err(MailError::Failed(_))), "{failed:?}");
}
