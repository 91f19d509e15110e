//! `GET /info/users` ([`users`]), `GET /info/stats` ([`stats`]) and `GET /info/authors` ([`authors`]): public counters, which a setting
//! can close.

use std::collections::BTreeMap;

use axum::response::Response;
use bespoke_database::statistics::{Statistics, UserCalls};
use bespoke_web::{Context, Error, Outcome, Public, Result, Session, ok};
use serde::Serialize;
use utoipa::ToSchema;

/// Limit for the name of a design in the statistics, in bytes.
const MAX_DESIGN_BYTES: usize = 40;

/// Returns 404 if the counters are closed.
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
    /// Number of accounts.
    users: i64,
}

/// Count the accounts
///
/// The number is up to a minute old.
#[utoipa::path(get, path = "/info/users", tag = "Service", operation_id = "countUsers",
    responses(
        (status = 200, description = "The number.", body = UserCount),
        (status = 404, description = "`notFound`: the operator has closed the counters."),
    ))]
pub(crate) async fn users(_: Public, session: Session) -> Result<Response> {
    open(&session)?;
    let users = session.public_counters().await?.users;
    Ok(ok(&UserCount {
        result: Outcome::Success,
        users,
    }))
}

/// Authenticated calls.
#[derive(Serialize, ToSchema)]
struct Activity {
    /// Calls with tokens.
    jwt: i64,
    /// Calls with API keys.
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
    /// Numbers of patterns by design, for the most used designs.
    designs: BTreeMap<String, i64>,
    /// The users with a public profile and the most calls with tokens, most first.
    top_users: Vec<TopUser>,
}

/// A user and the number of calls with tokens.
#[derive(Serialize, ToSchema)]
struct TopUser {
    id: i64,
    username: String,
    calls: i64,
}

impl From<&UserCalls> for TopUser {
    fn from(UserCalls { id, username, calls }: &UserCalls) -> Self {
        Self {
            id: *id,
            username: username.clone(),
            calls: *calls,
        }
    }
}

impl From<&Statistics> for Stats {
    fn from(counted: &Statistics) -> Self {
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
                .iter()
                .filter(|(name, _)| is_design(name))
                .cloned()
                .collect(),
            top_users: counted.top_users.iter().map(Into::into).collect(),
        }
    }
}

/// Whether a name looks like that of a design. Users choose these names freely, and the statistics are public.
fn is_design(name: &str) -> bool {
    name.len() <= MAX_DESIGN_BYTES
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// Read the statistics
///
/// The numbers are up to a minute old.
#[utoipa::path(get, path = "/info/stats", tag = "Service", operation_id = "countEverything",
    responses(
        (status = 200, description = "The numbers.", body = Stats),
        (status = 404, description = "`notFound`: the operator has closed the counters."),
    ))]
pub(crate) async fn stats(_: Public, session: Session) -> Result<Response> {
    open(&session)?;
    let counted = session.public_counters().await?;
    Ok(ok(&Stats::from(&*counted)))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Authors {
    result: Outcome,
    /// Always empty, because the texts of authors are stored elsewhere.
    #[schema(max_items = 0)]
    authors: Vec<String>,
}

/// List the authors
///
/// The list is empty. It exists because clients request it.
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
