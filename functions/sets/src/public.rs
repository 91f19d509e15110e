//! `GET /sets/{id}.json` ([`json`]) and `GET /sets/{id}.yaml` ([`yaml`]): public sets, without authentication.

use axum::response::Response;
use bespoke_core::entity::set::MeasurementSet;
use bespoke_core::measurement::Measurements;
use bespoke_core::{EntityId, Timestamp};
use bespoke_database::sets;
use bespoke_web::{Error, Outcome, Params, Public, Result, Session, ok};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

const AUTHOR: &str = "FreeSewing.org";
const ABOUT: &str = "Measurements of one body. Lengths are in millimetres, shoulderSlope is in degrees.";

/// A public set, without the fields that are only for its owner.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PublicSet)]
pub(crate) struct Document {
    result: Outcome,
    author: &'static str,
    r#type: &'static str,
    about: &'static str,
    id: i64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(required)]
    img: Option<String>,
    name: String,
    notes: String,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    uuid: Uuid,
    #[schema(required)]
    image: Option<String>,
    #[schema(value_type = bespoke_web::view::schema::Measurements)]
    measurements: Measurements,
    /// The unit that the owner prefers. The values are always in millimetres.
    #[schema(pattern = "^(metric|imperial)$")]
    units: &'static str,
}

impl From<MeasurementSet> for Document {
    fn from(set: MeasurementSet) -> Self {
        Self {
            result: Outcome::Success,
            author: AUTHOR,
            r#type: "measurementsSet",
            about: ABOUT,
            id: set.id,
            created_at: set.created_at,
            img: set.content.img.clone(),
            name: set.content.name,
            notes: set.content.notes,
            updated_at: set.updated_at,
            uuid: set.uuid,
            image: set.content.img,
            measurements: set.content.measies,
            units: if set.content.imperial { "imperial" } else { "metric" },
        }
    }
}

/// Read a public measurements set, as JSON
#[utoipa::path(get, path = "/sets/{id}.json", tag = "Sets", operation_id = "readPublicSet",
    responses(
        (status = 200, description = "The set.", body = Document),
        (status = 404, description = "There is no such set, or it is private."),
    ))]
pub(crate) async fn json(_: Public, session: Session, params: Params) -> Result<Response> {
    let document = find(&session, &params).await?.ok_or_else(Error::not_found)?;
    Ok(ok(&document))
}

/// Read a public measurements set, as YAML
#[utoipa::path(get, path = "/sets/{id}.yaml", tag = "Sets", operation_id = "readPublicSetAsYaml",
    responses(
        (status = 200, description = "The set.", body = String, content_type = "text/yaml"),
        (status = 404, description = "There is no such set, or it is private.", body = String, content_type = "text/yaml"),
    ))]
pub(crate) async fn yaml(_: Public, session: Session, params: Params) -> Result<Response> {
    bespoke_web::yaml(find(&session, &params).await?.as_ref())
}

async fn find(session: &Session, params: &Params) -> Result<Option<Document>> {
    let Some(id) = EntityId::parse(params.get("id")) else {
        return Ok(None);
    };
    let set = session.read(|db| Ok(sets::by_id(db, id)?)).await?;
    Ok(set.filter(|set| set.content.public).map(Document::from))
}
