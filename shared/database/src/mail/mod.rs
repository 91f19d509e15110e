//! Mails to deliver, the limits of mails, and the subscribers of the newsletter.

pub mod mail_budgets;
pub mod outbox;
pub mod subscribers;
