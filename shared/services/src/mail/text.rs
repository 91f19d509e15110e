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
        Template::SigninLink => (
            format!("Sign in to {service}"),
            vec![
                "Open this link to sign in:".to_owned(),
                link.to_owned(),
                "The link works once, within an hour. If you did not ask for it, do nothing.".to_owned(),
            ],
        ),
        Template::EmailChange => (
            format!("Confirm your new address for {service}"),
            vec![
                "Open this link to make this the address of your account:".to_owned(),
                link.to_owned(),
                "The link works once, within 24 hours. If you did not ask for it, do nothing: the account keeps the \
                 address that it has."
                    .to_owned(),
            ],
        ),
        Template::EmailChangeAsked => (
            format!("Another address for your {service} account"),
            vec![
                "Somebody who is signed in to your account, probably you, wants to give it another address. That \
                 happens once the link in a mail to the new address is opened."
                    .to_owned(),
                "If it was not you, change your password and sign out everywhere now.".to_owned(),
            ],
        ),
        Template::EmailChanged => (
            format!("Your {service} account has another address"),
            vec![
                "The address of your account has just been changed; from now on this one does not belong to it."
                    .to_owned(),
                "If it was not you, write to whoever runs this service now.".to_owned(),
            ],
        ),
        Template::SigninLocked => (
            format!("Many failed sign-ins to your {service} account"),
            vec![
                "Somebody has tried many wrong passwords for your account. For now nobody can sign in with a password; \
                 that ends by itself within a quarter of an hour after the last try."
                    .to_owned(),
                "Nothing in your account has changed. To get in meanwhile, ask for a sign-in link by mail.".to_owned(),
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
