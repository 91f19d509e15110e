//! Encrypts and inserts imported sets, patterns, bookmarks and curated content, with their integer ids, creation times and update times.

use bespoke_core::entity::bookmark::Bookmark;
use bespoke_core::entity::curated_set::CuratedSet;
use bespoke_core::entity::option_pack::OptionPack;
use bespoke_core::entity::pattern::Pattern;
use bespoke_core::entity::set::MeasurementSet;
use rusqlite::named_params;
use uuid::Uuid;

use crate::connection::{Db, Vault, json};
use crate::content::sets::name_entry;
use crate::error::Result;

/// A set or a pattern with encrypted content. It takes a tenth of the memory of the decrypted record, which matters
/// because many records wait to be stored.
#[derive(Debug, Clone)]
pub struct EncryptedContent(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Set {
        common: Common,
        name_index: [u8; 32],
        measies: Vec<u8>,
        imperial: bool,
    },
    Pattern {
        common: Common,
        design: String,
        data: Vec<u8>,
        settings: Vec<u8>,
    },
}

#[derive(Debug, Clone)]
/// The columns that both kinds have.
struct Common {
    id: i64,
    uuid: Uuid,
    user_id: i64,
    name: Vec<u8>,
    notes: Vec<u8>,
    public: bool,
    img: Option<String>,
    created_at: i64,
    updated_at: i64,
}

impl EncryptedContent {
    pub(super) fn set(vault: &Vault, set: MeasurementSet) -> Self {
        let (content, row) = (set.content, vault.row("sets", set.uuid));
        Self(Kind::Set {
            name_index: name_entry(vault.index(), set.user_id, &content.name),
            measies: row.seal_json("measies", &content.measies),
            imperial: content.imperial,
            common: Common {
                id: set.id,
                uuid: set.uuid,
                user_id: set.user_id,
                name: row.seal("name", &content.name),
                notes: row.seal("notes", &content.notes),
                public: content.public,
                img: content.img,
                created_at: set.created_at.as_millis(),
                updated_at: set.updated_at.as_millis(),
            },
        })
    }

    pub(super) fn pattern(vault: &Vault, pattern: Pattern) -> Self {
        let (content, row) = (pattern.content, vault.row("patterns", pattern.uuid));
        Self(Kind::Pattern {
            data: row.seal_json("data", &content.data),
            settings: row.seal_json("settings", &content.settings),
            design: content.design,
            common: Common {
                id: pattern.id,
                uuid: pattern.uuid,
                user_id: pattern.user_id,
                name: row.seal("name", &content.name),
                notes: row.seal("notes", &content.notes),
                public: content.public,
                img: content.img,
                created_at: pattern.created_at.as_millis(),
                updated_at: pattern.updated_at.as_millis(),
            },
        })
    }
}

pub(super) fn insert_encrypted(db: &Db<'_>, EncryptedContent(kind): &EncryptedContent) -> Result<()> {
    match kind {
        Kind::Set {
            common,
            name_index,
            measies,
            imperial,
        } => db.insert(
            "INSERT INTO sets (id, uuid, user_id, name, name_index, notes, measies, imperial, public, img, created_at, updated_at)
             VALUES (:id, :uuid, :user_id, :name, :name_index, :notes, :measies, :imperial, :public, :img, :created_at,
               :updated_at)",
            named_params! {
                ":name_index": name_index,
                ":id": common.id,
                ":uuid": common.uuid,
                ":user_id": common.user_id,
                ":name": common.name,
                ":notes": common.notes,
                ":measies": measies,
                ":imperial": imperial,
                ":public": common.public,
                ":img": common.img,
                ":created_at": common.created_at,
                ":updated_at": common.updated_at,
            },
        ),
        Kind::Pattern {
            common,
            design,
            data,
            settings,
        } => db.insert(
            "INSERT INTO patterns (id, uuid, user_id, design, name, notes, data, settings, public, img, created_at, updated_at)
             VALUES (:id, :uuid, :user_id, :design, :name, :notes, :data, :settings, :public, :img, :created_at, :updated_at)",
            named_params! {
                ":id": common.id,
                ":uuid": common.uuid,
                ":user_id": common.user_id,
                ":design": design,
                ":name": common.name,
                ":notes": common.notes,
                ":data": data,
                ":settings": settings,
                ":public": common.public,
                ":img": common.img,
                ":created_at": common.created_at,
                ":updated_at": common.updated_at,
            },
        ),
    }?;
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
