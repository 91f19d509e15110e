//! Tests of mails and their delivery.

mod folder;
mod ses;
mod smtp;
mod texts;

use bespoke_core::Timestamp;
use bespoke_core::entity::mail::{OutboxMail, Template};
use bespoke_core::validate::Language;
use bespoke_services::mail::{MailSettings, MailTransport};
use uuid::Uuid;

const LINK: &str = "https://bespoke.example/confirm/signup?id=1&check=2";

/// 2026-11-22.
const NOW: Timestamp = Timestamp::from_millis(1_795_307_240_000);

fn settings(transport: MailTransport) -> MailSettings {
    MailSettings {
        from: "Bespoke <info@bespoke.example>".parse().unwrap(),
        reply_to: "Help <help@bespoke.example>".parse().unwrap(),
        service: "Bespoke".into(),
        website: Some("https://bespoke.example".into()),
        postal_address: Some("1 Long Street, Antwerp".into()),
        transport,
    }
}

fn mail(to: &str) -> OutboxMail {
    OutboxMail {
        uuid: Uuid::from_u128(7),
        template: Template::Signup,
        to: to.into(),
        language: Language::En,
        action_url: Some(LINK.into()),
        unsubscribe_url: None,
        details: None,
        created_at: Timestamp::from_millis(1_700_000_000_000),
    }
}
