//! `GET /patterns/{id}.json` ([`json`]) and `GET /patterns/{id}.yaml` ([`yaml`]): public patterns, without authentication.

use axum::response::Response;
use bespoke_core::{EntityId, StoredJson, Timestamp};
use bespoke_database::patterns;
use bespoke_web::{Context, Error, Outcome, Params, Public, Result, Session, ok, yaml_record};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

const PROVIDER: &str = "FreeSewing.org";

/// A public pattern, without its owner.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PublicPattern)]
pub(crate) struct Document {
    result: Outcome,
    provider: &'static str,
    r#type: &'static str,
    id: i64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// An object, an array or null.
    #[schema(value_type = serde_json::Value)]
    data: StoredJson,
    design: String,
    #[schema(required)]
    img: Option<String>,
    name: String,
    notes: String,
    /// An object, an array or null.
    #[schema(value_type = serde_json::Value)]
    settings: StoredJson,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    uuid: Uuid,
    #[schema(required)]
    image: Option<String>,
    #[schema(required)]
    image_url: Option<String>,
}

async fn find(session: &Session, params: &Params) -> Result<Option<Document>> {
    let Some(id) = EntityId::parse(params.get("id")) else {
        return Ok(None);
    };
    let pattern = session.read(|db| Ok(patterns::by_id(db, id)?)).await?;
    let public = pattern.filter(|pattern| pattern.content.public);
    Ok(public.map(|pattern| document(pattern, session)))
}

fn document(pattern: bespoke_core::entity::pattern::Pattern, context: &Context) -> Document {
    let content = pattern.content;
    Document {
        result: Outcome::Success,
        provider: PROVIDER,
        r#type: "pattern",
        id: pattern.id,
        created_at: pattern.created_at,
        data: content.data,
        design: content.design,
        img: content.img.clone(),
        name: content.name,
        notes: content.notes,
        settings: content.settings,
        updated_at: pattern.updated_at,
        uuid: pattern.uuid,
        image_url: context.image_url(content.img.as_deref(), content.public),
        image: content.img,
    }
}

/// Read a public pattern, as JSON
#[utoipa::path(get, path = "/patterns/{id}.json", tag = "Patterns", operation_id = "readPublicPattern",
    responses(
        (status = 200, description = "The pattern.", body = Document),
        (status = 404, description = "There is no such pattern, or it is private."),
    ))]
pub(crate) async fn json(_: Public, session: Session, params: Params) -> Result<Response> {
    let document = find(&session, &params).await?.ok_or_else(Error::not_found)?;
    Ok(ok(&document))
}

/// Read a public pattern, as YAML
#[utoipa::path(get, path = "/patterns/{id}.yaml", tag = "Patterns", operation_id = "readPublicPatternAsYaml",
    responses(
        (status = 200, description = "The pattern.", body = String, content_type = "text/yaml"),
        (status = 404, description = "There is no such pattern, or it is private.", body = String, content_type = "text/yaml"),
        (status = 413, description = "`listTooLarge`: the document is too large for YAML. Read it as JSON."),
    ))]
pub(crate) async fn yaml(_: Public, session: Session, params: Params) -> Result<Response> {
    match find(&session, &params).await? {
        Some(document) => yaml_record(&session, document).await,
        None => bespoke_web::yaml(None::<&Document>),
    }
}
