//! What people and curators have made, with its integer ids and both its dates.

use bespoke_core::entity::bookmark::Bookmark;
use bespoke_core::entity::curated_set::CuratedSet;
use bespoke_core::entity::option_pack::OptionPack;
use bespoke_core::entity::pattern::Pattern;
use bespoke_core::entity::set::MeasurementSet;
use rusqlite::named_params;

use crate::row::json;
use crate::{Db, Result};

pub(super) fn set(db: &Db<'_>, set: &MeasurementSet) -> Result<()> {
    let (content, vault) = (&set.content, db.vault.row("sets", set.uuid));
    db.insert(
        "INSERT INTO sets (id, uuid, user_id, name, notes, measies, imperial, public, img, created_at, updated_at)
         VALUES (:id, :uuid, :user_id, :name, :notes, :measies, :imperial, :public, :img, :created_at, :updated_at)",
        named_params! {
            ":id": set.id,
            ":uuid": set.uuid,
            ":user_id": set.user_id,
            ":name": vault.seal("name", &content.name),
            ":notes": vault.seal("notes", &content.notes),
            ":measies": vault.seal_json("measies", &content.measies),
            ":imperial": content.imperial,
            ":public": content.public,
            ":img": content.img,
            ":created_at": set.created_at.as_millis(),
            ":updated_at": set.updated_at.as_millis(),
        },
    )?;
    Ok(())
}

pub(super) fn pattern(db: &Db<'_>, pattern: &Pattern) -> Result<()> {
    let (content, vault) = (&pattern.content, db.vault.row("patterns", pattern.uuid));
    db.insert(
        "INSERT INTO patterns (id, uuid, user_id, design, name, notes, data, settings, public, img, created_at, updated_at)
         VALUES (:id, :uuid, :user_id, :design, :name, :notes, :data, :settings, :public, :img, :created_at, :updated_at)",
        named_params! {
            ":id": pattern.id,
            ":uuid": pattern.uuid,
            ":user_id": pattern.user_id,
            ":design": content.design,
            ":name": vault.seal("name", &content.name),
            ":notes": vault.seal("notes", &content.notes),
            ":data": vault.seal_json("data", &content.data),
            ":settings": vault.seal_json("settings", &content.settings),
            ":public": content.public,
            ":img": content.img,
            ":created_at": pattern.created_at.as_millis(),
            ":updated_at": pattern.updated_at.as_millis(),
        },
    )?;
    Ok(())
}

pub(super) fn bookmark(db: &Db<'_>, bookmark: &Bookmark) -> Result<()> {
    let (content, vault) = (&bookmark.content, db.vault.row("bookmarks", bookmark.uuid));
    db.insert(
        "INSERT INTO bookmarks (id, uuid, user_id, kind, title, url) VALUES (:id, :uuid, :user_id, :kind, :title, :url)",
        named_params! {
            ":id": bookmark.id,
            ":uuid": bookmark.uuid,
            ":user_id": bookmark.user_id,
            ":kind": content.kind,
            ":title": vault.seal("title", &content.title),
            ":url": vault.seal("url", &content.url),
        },
    )?;
    Ok(())
}

pub(super) fn curated_set(db: &Db<'_>, set: &CuratedSet) -> Result<()> {
    let content = &set.content;
    db.insert(
        "INSERT INTO curated_sets (id, uuid, height, names, notes, tags, info, measies, published, created_at, updated_at)
         VALUES (:id, :uuid, :height, :names, :notes, :tags, :info, :measies, :published, :created_at, :updated_at)",
        named_params! {
            ":id": set.id,
            ":uuid": set.uuid,
            ":height": content.height,
            ":names": json(&content.texts.names),
            ":notes": json(&content.texts.notes),
            ":tags": json(&content.texts.tags),
            ":info": content.texts.info,
            ":measies": json(&content.measies),
            ":published": content.published,
            ":created_at": set.created_at.as_millis(),
            ":updated_at": set.updated_at.as_millis(),
        },
    )?;
    Ok(())
}

pub(super) fn option_pack(db: &Db<'_>, pack: &OptionPack) -> Result<()> {
    let content = &pack.content;
    db.insert(
        "INSERT INTO option_packs (id, uuid, design, names, notes, tags, info, options, img, created_at, updated_at)
         VALUES (:id, :uuid, :design, :names, :notes, :tags, :info, :options, :img, :created_at, :updated_at)",
        named_params! {
            ":id": pack.id,
            ":uuid": pack.uuid,
            ":design": content.design,
            ":names": json(&content.texts.names),
            ":notes": json(&content.texts.notes),
            ":tags": json(&content.texts.tags),
            ":info": content.texts.info,
            ":options": json(&content.options),
            ":img": content.img,
            ":created_at": pack.created_at.as_millis(),
            ":updated_at": pack.updated_at.as_millis(),
        },
    )?;
    Ok(())
}
