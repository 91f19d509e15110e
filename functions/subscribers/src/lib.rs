//! The function `subscribers`: subscriptions to the newsletter. A request with an address only sends a mail to this address. Subscribing
//! and unsubscribing need the secrets in that mail.

mod one_click;
mod remove;
mod subscribe;

use bespoke_core::EntityId;
use bespoke_core::entity::subscriber::Subscriber;
use bespoke_core::validate::{clean_email, is_email};
use bespoke_database::{Db, subscribers};
use bespoke_web::{Error, JsonObject, Outcome, Result, Routes, route};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// The routes of the `subscribers` function, one of the deployable groups of routes.
pub fn router() -> Routes {
    Routes::new("subscribers")
        .with(route!(subscribe::subscribe))
        .with(route!(subscribe::confirm))
        .with(route!(remove::by_mail))
        .with(route!(remove::by_id_and_check))
        .with(route!(remove::by_secret))
        .with(route!(one_click::page))
        .with(route!(one_click::unsubscribe))
}

#[derive(Serialize, ToSchema)]
#[schema(as = Done)]
struct Done {
    result: Outcome,
}

/// Returns the cleaned address of a request.
fn email_of(body: &JsonObject) -> Result<String> {
    let email = body.get("email").and_then(Value::as_str).map(clean_email);
    let email = email.filter(|email| !email.is_empty());
    let email = email.ok_or(Error::bad_request("emailMissing"))?;
    if is_email(&email) {
        Ok(email)
    } else {
        Err(Error::bad_request("emailInvalid"))
    }
}

/// Returns the query of a link in a mail to a subscriber. FreeSewing's pages read `id` and `check`, or `x` alone.
fn link_query(subscriber: &Subscriber) -> String {
    let Subscriber { uuid, ehash, .. } = subscriber;
    format!("id={uuid}&check={ehash}&x={ehash}")
}

/// Returns the subscriber with this UUID if `check` is the check of its links.
///
/// # Errors
/// 404 otherwise.
fn find(db: &Db<'_>, id: &str, check: &str) -> Result<Subscriber> {
    let Some(EntityId::Uuid(uuid)) = EntityId::parse(id) else {
        return Err(Error::not_found());
    };
    let found = subscribers::by_uuid(db, uuid)?.filter(|found| found.check_matches(check));
    found.ok_or_else(Error::not_found)
}

/// Returns the subscriber with this UUID or keyed hash. Only mails to the subscriber contain these values.
fn by_secret(db: &Db<'_>, secret: &str) -> Result<Option<Subscriber>> {
    Ok(match EntityId::parse(secret) {
        Some(EntityId::Uuid(uuid)) => subscribers::by_uuid(db, uuid)?,
        _ => subscribers::by_ehash(db, secret)?,
    })
}
