//! `POST /signin/oauth/init` and `POST /signin/oauth`
//!
//! No provider is built in, so whatever is asked for is none that is enabled.

use axum::response::Response;
use bespoke_web::{Body, Error, Outcome, Public, Result};
use utoipa::ToSchema;

use crate::SignedIn;

const INVALID_PROVIDER: Error = Error::forbidden("invalidProvider");

/// The beginning of a sign-in with somebody else's account.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct OauthStart {
    /// `github` or `google`, in any letter case.
    provider: String,
    /// Language of the account that may come of it.
    #[schema(example = "en")]
    language: String,
}

/// Where to go on.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes an answer")]
pub(crate) struct OauthBegun {
    result: Outcome,
    /// The provider's page.
    auth_url: String,
}

/// What the provider sent back.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct OauthReturn {
    /// The provider with which it began.
    provider: String,
    state: String,
    code: String,
}

/// Begin to sign in through a provider
// A provider that was no text ended the original's process: defect D8.
#[utoipa::path(post, path = "/signin/oauth/init", tag = "Accounts", operation_id = "beginOauth", request_body = OauthStart,
    responses(
        (status = 200, description = "Where to go on.", body = OauthBegun),
        (status = 403, description = "`invalidProvider`: the provider is unknown, or not enabled."),
    ))]
pub(crate) async fn init(_: Public, _: Body) -> Result<Response> {
    Err(INVALID_PROVIDER)
}

/// Sign in through a provider
#[utoipa::path(post, path = "/signin/oauth", tag = "Accounts", operation_id = "signInByOauth", request_body = OauthReturn,
    responses(
        (status = 200, description = "The account, and a token.", body = SignedIn),
        (status = 403, description = "`invalidProvider`: the provider is unknown, or not enabled."),
    ))]
pub(crate) async fn signin(_: Public, _: Body) -> Result<Response> {
    Err(INVALID_PROVIDER)
}
