//! `GET /admin/subscribers/{auth}`: [`list`] returns the subscribers of the newsletter.

use std::collections::BTreeMap;

use axum::response::Response;
use bespoke_core::entity::subscriber::Subscriber;
use bespoke_database::subscribers;
use bespoke_web::level::SUPPORT;
use bespoke_web::{Caller, Outcome, Paging, Query, Result, Session};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

#[derive(Serialize, ToSchema)]
#[schema(as = Subscriber)]
struct SubscriberView {
    email: String,
    /// The check in the links of the newsletter's mails. `DELETE /subscriber/{ehash}` unsubscribes the address.
    ehash: String,
    uuid: Uuid,
}

impl From<Subscriber> for SubscriberView {
    fn from(subscriber: Subscriber) -> Self {
        Self {
            email: subscriber.email,
            ehash: subscriber.ehash,
            uuid: subscriber.uuid,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct SubscriberList {
    result: Outcome,
    /// The subscribers by language.
    subscribers: BTreeMap<&'static str, Vec<SubscriberView>>,
}

/// List the newsletter's subscribers
#[utoipa::path(get, path = "/admin/subscribers/{auth}", tag = "Administration", operation_id = "listSubscribers",
    params(Paging),
    responses(
        (status = 200, description = "The confirmed subscribers by language, oldest first.", body = SubscriberList),
        (status = 400, description = "`afterUnknown`: unknown cursor."),
        (status = 413, description = "`listTooLarge`: read the list in pages, with `limit` and `after`."),
    ))]
pub(crate) async fn list(caller: Caller<SUPPORT>, session: Session, paging: Query<Paging>) -> Result<Response> {
    let page = paging.0.page()?;
    let audit_entry = session.audit_entry("subscribers.list");
    caller
        .write(&session, move |db, actor| audit_entry.record(db, actor))
        .await?;
    let found = session
        .read_blocking(move |db| Ok(subscribers::active(db, page)?))
        .await?;
    let mut subscribers: BTreeMap<_, Vec<SubscriberView>> = BTreeMap::new();
    for subscriber in found {
        let of_language = subscribers.entry(subscriber.language.code()).or_default();
        of_language.push(subscriber.into());
    }
    bespoke_web::list(&SubscriberList {
        result: Outcome::Success,
        subscribers,
    })
}
