//! `GET /docs/` ([`index`]) and its files ([`asset`]): the interactive reference, served by Swagger UI.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Bytes;
use axum::response::Response;
use bespoke_web::{Error, Params, Public, Result, moved};
use http::Uri;
use utoipa_swagger_ui::Config;

use crate::page;

/// Show the interactive reference
///
/// `/docs` redirects to `/docs/`.
#[utoipa::path(get, path = "/docs", tag = "Service", operation_id = "reference",
    responses(
        (status = 200, description = "A page.", body = String, content_type = "text/html"),
        (status = 301, description = "The page is at `/docs/`."),
        (status = 404, description = "This build does not contain the reference."),
    ))]
pub(crate) async fn index(_: Public, uri: Uri) -> Result<Response> {
    if uri.path().ends_with('/') {
        return serve("index.html");
    }
    Ok(moved("docs/"))
}

/// Read a file of the interactive reference
#[utoipa::path(get, path = "/docs/{file}", tag = "Service", operation_id = "referenceFile",
    params(("file" = String, Path, description = "Name of the file.")),
    responses(
        (status = 200, description = "A script, a style sheet, an image or a page.", content(
            (String = "text/javascript"), (String = "text/css"), (String = "text/html"), (String = "image/png"),
            (String = "application/json"),
        )),
        (status = 404, description = "There is no such file."),
    ))]
pub(crate) async fn asset(_: Public, params: Params) -> Result<Response> {
    serve(params.get("file"))
}

fn serve(name: &str) -> Result<Response> {
    let config = Config::from("../openapi.json")
        .use_base_layout()
        .deep_linking(true)
        .try_it_out_enabled(true)
        .persist_authorization(false)
        .default_models_expand_depth(0)
        .validator_url("none");
    let file = utoipa_swagger_ui::serve(name, Arc::new(config)).map_err(Error::internal)?;
    let file = file.ok_or_else(Error::not_found)?;
    let bytes = match file.bytes {
        Cow::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    Ok(page::file(&file.content_type, bytes))
}
