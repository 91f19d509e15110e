//! `GET /info/users`, `GET /info/stats` and `GET /info/authors`: how much there is, for everybody; a setting closes them.

use std::collections::BTreeMap;

use axum::response::Response;
use bespoke_database::statistics::{self, Statistics};
use bespoke_web::{Context, Error, Outcome, Public, Result, Session, ok};
use serde::Serialize;
use utoipa::ToSchema;

/// Most designs that are counted one by one.
const MAX_DESIGNS: u32 = 200;
/// The longest name of a design that is shown, in bytes.
const MAX_DESIGN_BYTES: usize = 40;

/// Goes on while the counters are open.
fn open(context: &Context) -> Result<()> {
    if context.config().public_counters {
        Ok(())
    } else {
        Err(Error::unknown_route())
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct UserCount {
    result: Outcome,
    /// How many accounts there are.
    users: i64,
}

/// Count the accounts
#[utoipa::path(get, path = "/info/users", tag = "Service", operation_id = "countUsers",
    responses(
        (status = 200, description = "The number.", body = UserCount),
        (status = 404, description = "`notFound`: the operator has closed the counters."),
    ))]
pub(crate) async fn users(_: Public, session: Session) -> Result<Response> {
    open(&session)?;
    let users = session.read(|db| Ok(statistics::users(db)?)).await?;
    Ok(ok(&UserCount {
        result: Outcome::Success,
        users,
    }))
}

/// Authenticated calls.
#[derive(Serialize, ToSchema)]
struct Activity {
    /// By token.
    jwt: i64,
    /// By API key.
    key: i64,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Counters)]
pub(crate) struct Stats {
    result: Outcome,
    activity: Activity,
    user: i64,
    pattern: i64,
    bookmark: i64,
    set: i64,
    curated_set: i64,
    apikey: i64,
    subscriber: i64,
    /// Patterns by design, for the designs that are used most.
    designs: BTreeMap<String, i64>,
}

impl From<Statistics> for Stats {
    fn from(counted: Statistics) -> Self {
        Self {
            result: Outcome::Success,
            activity: Activity {
                jwt: counted.jwt_calls,
                key: counted.key_calls,
            },
            user: counted.users,
            pattern: counted.patterns,
            bookmark: counted.bookmarks,
            set: counted.sets,
            curated_set: counted.curated_sets,
            apikey: counted.api_keys,
            subscriber: counted.subscribers,
            designs: counted
                .designs
                .into_iter()
                .filter(|(name, _)| is_design(name))
                .collect(),
        }
    }
}

/// Whether that looks like the name of a design: people write it freely, and this is for everybody to read.
fn is_design(name: &str) -> bool {
    name.len() <= MAX_DESIGN_BYTES
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// Count everything
#[utoipa::path(get, path = "/info/stats", tag = "Service", operation_id = "countEverything",
    responses(
        (status = 200, description = "The numbers.", body = Stats),
        (status = 404, description = "`notFound`: the operator has closed the counters."),
    ))]
pub(crate) async fn stats(_: Public, session: Session) -> Result<Response> {
    open(&session)?;
    let counted = session.read(|db| Ok(statistics::read(db, MAX_DESIGNS)?)).await?;
    Ok(ok(&Stats::from(counted)))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Authors {
    result: Outcome,
    /// Nobody: what people write is elsewhere.
    #[schema(max_items = 0)]
    authors: Vec<String>,
}

/// List the authors
///
/// There are none here; clients ask for the list.
#[utoipa::path(get, path = "/info/authors", tag = "Service", operation_id = "listAuthors",
    responses(
        (status = 200, description = "An empty list.", body = Authors),
        (status = 404, description = "`notFound`: the operator has closed the counters."),
    ))]
pub(crate) async fn authors(_: Public, session: Session) -> Result<Response> {
    open(&session)?;
    Ok(ok(&Authors {
        result: Outcome::Success,
        authors: Vec::new(),
    }))
}
