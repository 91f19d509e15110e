//! Reads option packs, alone or as lists, in responses and as bare JSON or YAML. An `{id}` that is neither an id nor a method of
//! authentication (`jwt`, `key`) is the name of a design, and selects the packs of this design.

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::entity::option_pack::OptionPack;
use bespoke_database::{Page, option_packs};
use bespoke_web::{Error, Outcome, Paging, Params, Public, Query, Result, Scheme, Session, list, ok, yaml_list};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{OptionPackResponse, view};

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OptionPackList {
    result: Outcome,
    #[schema(value_type = Vec<view::OptionPack>)]
    option_packs: Vec<view::OptionPackView>,
}

/// An option pack, or the option packs of a design.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes a response")]
pub(crate) enum OneOrSome {
    One(Box<OptionPackResponse>),
    Some(OptionPackList),
}

/// An option pack, or the option packs of a design, as a bare document.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes a response")]
pub(crate) enum OneOrSomeBare {
    One(view::OptionPackDocument),
    Some(Vec<view::OptionPack>),
}

/// The record or records that a path selects.
enum Selection {
    Pack(Box<OptionPack>),
    Design(Vec<view::OptionPackView>),
    Nothing,
}

async fn load(session: &Session, design: Option<&str>, page: Page) -> Result<Vec<view::OptionPackView>> {
    let design = design.map(str::to_lowercase);
    let packs = session
        .read(|db| Ok(option_packs::list(db, design.as_deref(), page)?))
        .await?;
    Ok(packs
        .into_iter()
        .map(|pack| view::OptionPackView::new(pack, session))
        .collect())
}

async fn select(session: &Session, params: &Params, paging: &Paging) -> Result<Selection> {
    let name = params.get("id");
    if let Some(id) = EntityId::parse(name) {
        let pack = session.read(|db| Ok(option_packs::by_id(db, id)?)).await?;
        return Ok(pack.map_or(Selection::Nothing, |pack| Selection::Pack(Box::new(pack))));
    }
    if Scheme::BOTH
        .iter()
        .any(|scheme| scheme.segment().eq_ignore_ascii_case(name))
    {
        return Ok(Selection::Nothing);
    }
    Ok(Selection::Design(load(session, Some(name), paging.page()?).await?))
}

/// List the option packs
#[utoipa::path(get, path = "/option-packs", tag = "Option packs", operation_id = "listOptionPacks", params(Paging),
    responses(
        (status = 200, description = "The option packs, oldest first.", body = OptionPackList),
        (status = 400, description = "`afterUnknown`: unknown cursor."),
        (status = 413, description = "`listTooLarge`: read the list in pages, with `limit` and `after`."),
    ))]
pub(crate) async fn list_all(_: Public, session: Session, paging: Query<Paging>) -> Result<Response> {
    list_response(load(&session, None, paging.0.page()?).await?)
}

fn list_response(option_packs: Vec<view::OptionPackView>) -> Result<Response> {
    list(&OptionPackList {
        result: Outcome::Success,
        option_packs,
    })
}

/// List the option packs, as bare JSON
#[utoipa::path(get, path = "/option-packs.json", tag = "Option packs", operation_id = "listOptionPacksAsJson",
    params(Paging),
    responses(
        (status = 200, description = "The option packs.", body = Vec<view::OptionPack>),
        (status = 400, description = "`afterUnknown`: unknown cursor."),
        (status = 413, description = "`listTooLarge`: read the list in pages, with `limit` and `after`."),
    ))]
pub(crate) async fn list_json(_: Public, session: Session, paging: Query<Paging>) -> Result<Response> {
    list(&load(&session, None, paging.0.page()?).await?)
}

/// List the option packs, as YAML
#[utoipa::path(get, path = "/option-packs.yaml", tag = "Option packs", operation_id = "listOptionPacksAsYaml",
    params(Paging),
    responses(
        (status = 200, description = "The option packs.", body = String, content_type = "text/yaml"),
        (status = 400, description = "`afterUnknown`: unknown cursor."),
        (status = 413, description = "`listTooLarge`: read the list in pages, with `limit` and `after`."),
    ))]
pub(crate) async fn list_yaml(_: Public, session: Session, paging: Query<Paging>) -> Result<Response> {
    yaml_list(&load(&session, None, paging.0.page()?).await?)
}

/// Read an option pack, or list the option packs of a design
#[utoipa::path(get, path = "/option-packs/{id}", tag = "Option packs", operation_id = "readOptionPack",
    params(("id" = String, Path, description = "Integer id, UUID, or the name of a design."), Paging),
    responses(
        (status = 200, description = "The option pack, or the option packs of the design.", body = OneOrSome),
        (status = 400, description = "`afterUnknown`: unknown cursor."),
        (status = 404, description = "There is no such option pack."),
        (status = 413, description = "`listTooLarge`: read the list in pages, with `limit` and `after`."),
    ))]
pub(crate) async fn read(_: Public, session: Session, params: Params, paging: Query<Paging>) -> Result<Response> {
    match select(&session, &params, &paging.0).await? {
        Selection::Pack(pack) => Ok(ok(&OptionPackResponse {
            result: Outcome::Success,
            option_pack: view::OptionPackView::new(*pack, &session),
            ignored: None,
        })),
        Selection::Design(packs) => list_response(packs),
        Selection::Nothing => Err(Error::not_found()),
    }
}

/// Read an option pack, or list the option packs of a design, as bare JSON
#[utoipa::path(get, path = "/option-packs/{id}.json", tag = "Option packs", operation_id = "readOptionPackAsJson",
    params(("id" = String, Path, description = "Integer id, UUID, or the name of a design."), Paging),
    responses(
        (status = 200, description = "The option pack, or the option packs of the design.", body = OneOrSomeBare),
        (status = 400, description = "`afterUnknown`: unknown cursor."),
        (status = 404, description = "There is no such option pack."),
        (status = 413, description = "`listTooLarge`: read the list in pages, with `limit` and `after`."),
    ))]
pub(crate) async fn json(_: Public, session: Session, params: Params, paging: Query<Paging>) -> Result<Response> {
    match select(&session, &params, &paging.0).await? {
        Selection::Pack(pack) => Ok(ok(&view::Document::new(*pack, &session))),
        Selection::Design(packs) => list(&packs),
        Selection::Nothing => Err(Error::not_found()),
    }
}

/// Read an option pack, or list the option packs of a design, as YAML
#[utoipa::path(get, path = "/option-packs/{id}.yaml", tag = "Option packs", operation_id = "readOptionPackAsYaml",
    params(("id" = String, Path, description = "Integer id, UUID, or the name of a design."), Paging),
    responses(
        (status = 200, description = "The option pack, or the option packs of the design.", body = String, content_type = "text/yaml"),
        (status = 400, description = "`afterUnknown`: unknown cursor."),
        (status = 404, description = "There is no such option pack.", body = String, content_type = "text/yaml"),
        (status = 413, description = "`listTooLarge`: read the list in pages, with `limit` and `after`."),
    ))]
pub(crate) async fn yaml(_: Public, session: Session, params: Params, paging: Query<Paging>) -> Result<Response> {
    match select(&session, &params, &paging.0).await? {
        Selection::Pack(pack) => bespoke_web::yaml(Some(&view::Document::new(*pack, &session))),
        Selection::Design(packs) => yaml_list(&packs),
        Selection::Nothing => bespoke_web::yaml(None::<&()>),
    }
}
