//! The words of the mails.

use bespoke_core::entity::mail::{OutboxMail, Template};

/// A mail's words.
pub(super) struct Text {
    pub(super) subject: String,
    pub(super) body: String,
}

/// Renders a mail in plain English text.
pub(super) fn render(mail: &OutboxMail, service: &str) -> Text {
    let link = mail.action_url.as_deref().unwrap_or_default();
    let (subject, paragraphs) = match mail.template {
        Template::Signup => (
            format!("Confirm your {service} account"),
            vec![
                "Welcome! One step is left: open this link to confirm that this address is yours.".to_owned(),
                link.to_owned(),
                "The link works for seven days. If you did not sign up, do nothing: without it there is no account."
                    .to_owned(),
            ],
        ),
        Template::SignupAea => (
            format!("You already have a {service} account"),
            vec![
                "Somebody, probably you, tried to sign up with this address. There is an account for it already, so \
                 you can sign in right here:"
                    .to_owned(),
                link.to_owned(),
                "The link works once, within an hour. If it was not you, do nothing.".to_owned(),
            ],
        ),
        Template::SignupAed => (
            format!("Your {service} account is disabled"),
            vec![
                "Somebody, probably you, tried to sign up with this address. There is an account for it, but it has \
                 been disabled, so it cannot be used and no new one can be made."
                    .to_owned(),
                "Write to whoever runs this service if you think that this is a mistake.".to_owned(),
            ],
        ),
        Template::PasswordChanged => (
            format!("Your {service} password was changed"),
            vec![
                "The password of your account has just been changed.".to_owned(),
                "If it was not you, write to whoever runs this service now.".to_owned(),
            ],
        ),
        Template::Nlsub | Template::Nlsubinact => (
            format!("Confirm your subscription to the {service} newsletter"),
            vec![
                if mail.template == Template::Nlsub {
                    "You are about to subscribe to our newsletter. Open this link to confirm that you want it:"
                } else {
                    "A subscription for this address waits to be confirmed. Open this link if you want the newsletter:"
                }
                .to_owned(),
                link.to_owned(),
                "If it was not you, do nothing: without it you get no newsletter.".to_owned(),
            ],
        ),
        Template::Nlsubact => (
            format!("You are subscribed to the {service} newsletter already"),
            vec![
                "Somebody, probably you, asked for our newsletter for this address, which gets it already. If you want \
                 it no longer, open this link:"
                    .to_owned(),
                link.to_owned(),
                "Otherwise there is nothing to do.".to_owned(),
            ],
        ),
        Template::Nlunsub => (
            format!("Leave the {service} newsletter"),
            vec![
                "Somebody, probably you, asked to take this address off our newsletter. Open this link to confirm it:"
                    .to_owned(),
                link.to_owned(),
                "If you want to keep the newsletter, do nothing.".to_owned(),
            ],
        ),
    };
    let body = format!("{}\n\n-- \n{service}\n", paragraphs.join("\n\n"));
    Text { subject, body }
}
