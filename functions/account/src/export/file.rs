//! [`Export`]: collects the records of an account, and writes the file of the export.

use bespoke_core::entity::{confirmation, subscriber};
use bespoke_core::validate::Language;
use bespoke_core::{EntityId, Timestamp};
use bespoke_database::{Db, Page, api_keys, bookmarks, confirmations, patterns, sets, subscribers, suggestions, users};
use bespoke_web::content::suggestions::SuggestionView;
use bespoke_web::view::{self, api_key::ApiKeyListItem};
use bespoke_web::{Context, Error, ExportAllowance, Result};
use serde::Serialize;
use utoipa::ToSchema;

use super::writer::ExportWriter;

/// Identifies a file as an export.
pub(crate) const FORMAT: &str = "bespoke-account";
/// Version of the format. It increases if readers of the previous version would misunderstand the file.
pub(crate) const VERSION: u32 = 1;

/// All data of an account, decrypted. Credentials are left out: the password, the secrets of keys, and the ids and checks of links.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a file")]
#[schema(rename_all = "camelCase")]
pub(crate) struct Export {
    /// `bespoke-account`
    format: &'static str,
    /// 1
    version: u32,
    #[schema(value_type = String, format = DateTime)]
    exported_at: Timestamp,
    /// URL of the instance that created the export.
    url: String,
    account: view::Account,
    /// API keys, without their secrets.
    apikeys: Vec<ApiKeyListItem>,
    bookmarks: Vec<view::Bookmark>,
    patterns: Vec<view::Pattern>,
    sets: Vec<view::Set>,
    /// Confirmations whose link has not been opened yet.
    confirmations: Vec<Confirmation>,
    /// Suggestions of the account to the curators.
    suggestions: Vec<SuggestionView>,
    /// Newsletter subscription of the account's address.
    #[schema(required)]
    subscriber: Option<Subscriber>,
}

/// A confirmation whose link has not been opened yet.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ExportedConfirmation)]
struct Confirmation {
    r#type: &'static str,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<subscriber::Subscriber> for Subscriber {
    fn from(subscriber: subscriber::Subscriber) -> Self {
        Self {
            email: subscriber.email,
            language: subscriber.language,
            active: subscriber.active,
            created_at: subscriber.created_at,
        }
    }
}

impl From<confirmation::Confirmation> for Confirmation {
    fn from(confirmation: confirmation::Confirmation) -> Self {
        Self {
            r#type: confirmation.kind.name(),
            created_at: confirmation.created_at,
        }
    }
}

/// A newsletter subscription.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ExportedSubscriber)]
struct Subscriber {
    email: String,
    #[schema(value_type = String, pattern = "^(en|de|es|fr|nl|uk)$")]
    language: Language,
    /// Whether the subscription was confirmed.
    active: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// Writes all data of the account, record by record.
///
/// # Errors
/// 404 if there is no such account, 429 if the file would exceed the allowance.
pub(super) fn write(db: &Db<'_>, user_id: i64, context: &Context, allowance: ExportAllowance) -> Result<Vec<u8>> {
    let user = users::by_id(db, EntityId::Integer(user_id))?.ok_or_else(Error::not_found)?;
    let subscriber = subscribers::by_email(db, &user.email)?.map(Subscriber::from);
    let mut file = ExportWriter::new(allowance);
    file.field("format", &FORMAT)?;
    file.field("version", &VERSION)?;
    file.field("exportedAt", &context.now())?;
    file.field("url", &context.config().url)?;
    file.field("account", &view::Account::from(user))?;
    file.list("apikeys", |list| {
        let keys = api_keys::by_user(db, user_id, Page::ALL)?.into_iter();
        keys.map(ApiKeyListItem::from).try_for_each(|key| list.item(&key))
    })?;
    file.list("bookmarks", |list| {
        bookmarks::each_by_user(db, user_id, |bookmark| list.item(&view::Bookmark::from(bookmark)))
    })?;
    file.list("patterns", |list| {
        patterns::each_by_user(db, user_id, |pattern| list.item(&view::Pattern::new(pattern, context)))
    })?;
    file.list("sets", |list| {
        sets::each_by_user(db, user_id, |set| list.item(&view::Set::new(&set, context)))
    })?;
    file.list("confirmations", |list| {
        let confirmations = confirmations::by_user(db, user_id)?.into_iter();
        confirmations
            .map(Confirmation::from)
            .try_for_each(|confirmation| list.item(&confirmation))
    })?;
    file.list("suggestions", |list| {
        suggestions::each_by_user(db, user_id, |suggestion| list.item(&SuggestionView::from(suggestion)))
    })?;
    file.field("subscriber", &subscriber)?;
    Ok(file.end())
}
