//! `GET /slugs/blog/{slug}/{auth}` ([`blog`]) and `GET /slugs/showcase/{slug}/{auth}` ([`showcase`]): tell whether the name of a page is
//! taken.

use axum::response::Response;
use bespoke_core::validate::is_slug;
use bespoke_services::github::PageKind;
use bespoke_web::level::READ_SOME;
use bespoke_web::{Caller, Error, Outcome, Params, Result, Session, ok};
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(crate) struct SlugTaken {
    result: Outcome,
    slug: String,
    /// Always false.
    available: bool,
}

/// Check whether the name of a blog post is taken
#[utoipa::path(get, path = "/slugs/blog/{slug}/{auth}", tag = "Flows", operation_id = "readBlogSlug",
    params(("slug" = String, Path, description = "The name.")),
    responses(
        (status = 200, description = "The name is taken.", body = SlugTaken),
        (status = 400, description = "`notEnabled`: there is no repository. `slugInvalid`: the name is not valid."),
        (status = 404, description = "The name is free."),
    ))]
pub(crate) async fn blog(_: Caller<READ_SOME>, session: Session, params: Params) -> Result<Response> {
    check_slug(&session, PageKind::Blog, params.get("slug")).await
}

/// Check whether the name of a showcase post is taken
#[utoipa::path(get, path = "/slugs/showcase/{slug}/{auth}", tag = "Flows", operation_id = "readShowcaseSlug",
    params(("slug" = String, Path, description = "The name.")),
    responses(
        (status = 200, description = "The name is taken.", body = SlugTaken),
        (status = 400, description = "`notEnabled`: there is no repository. `slugInvalid`: the name is not valid."),
        (status = 404, description = "The name is free."),
    ))]
pub(crate) async fn showcase(_: Caller<READ_SOME>, session: Session, params: Params) -> Result<Response> {
    check_slug(&session, PageKind::Showcase, params.get("slug")).await
}

// A failure of GitHub is an error, so that it never makes a name look free.
async fn check_slug(session: &Session, kind: PageKind, slug: &str) -> Result<Response> {
    let github = crate::github(session)?;
    if !is_slug(slug) {
        return Err(Error::bad_request("slugInvalid"));
    }
    let is_taken = github.has_page(kind, slug, session.now()).await;
    if !is_taken.map_err(crate::unavailable)? {
        return Err(Error::not_found());
    }
    Ok(ok(&SlugTaken {
        result: Outcome::Success,
        slug: slug.to_owned(),
        available: false,
    }))
}
