//! What stands in an export.

use bespoke_core::entity::confirmation;
use bespoke_core::validate::Language;
use bespoke_core::{EntityId, Timestamp};
use bespoke_database::{Db, confirmations, subscribers, suggestions, users};
use bespoke_web::content::suggestions::SuggestionView;
use bespoke_web::view::{self, api_key::ApiKeyListItem};
use bespoke_web::{Context, Error, Result};
use serde::Serialize;
use utoipa::ToSchema;

use crate::data::AccountRecords;

/// By this an import knows an export.
pub(crate) const FORMAT: &str = "bespoke-account";
/// Version of the format. A later one that a reader of this one would misunderstand has a higher number.
pub(crate) const VERSION: u32 = 1;

/// Everything of an account, in clear, save what opens it: no password, no secret of a key, no id or check of a link.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Export {
    /// `bespoke-account`
    format: &'static str,
    /// 1
    version: u32,
    #[schema(value_type = String, format = DateTime)]
    exported_at: Timestamp,
    /// Where it comes from.
    url: String,
    account: view::Account,
    /// Without their secrets.
    apikeys: Vec<ApiKeyListItem>,
    bookmarks: Vec<view::Bookmark>,
    patterns: Vec<view::Pattern>,
    sets: Vec<view::Set>,
    /// What waits for a link to be opened.
    confirmations: Vec<Confirmation>,
    /// What was suggested to curators.
    suggestions: Vec<SuggestionView>,
    /// What the newsletter knows of the account's address.
    #[schema(required)]
    subscriber: Option<Subscriber>,
}

/// Something that waits for a link to be opened.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ExportedConfirmation)]
struct Confirmation {
    r#type: &'static str,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<confirmation::Confirmation> for Confirmation {
    fn from(confirmation: confirmation::Confirmation) -> Self {
        Self {
            r#type: confirmation.kind.name(),
            created_at: confirmation.created_at,
        }
    }
}

/// What the newsletter knows of somebody.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ExportedSubscriber)]
struct Subscriber {
    email: String,
    #[schema(value_type = String, pattern = "^(en|de|es|fr|nl|uk)$")]
    language: Language,
    /// Whether the newsletter goes there.
    active: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl Export {
    /// Everything of the account of that id, or 404.
    pub(crate) fn of(db: &Db<'_>, user_id: i64, context: &Context) -> Result<Self> {
        let user = users::by_id(db, EntityId::Integer(user_id))?.ok_or_else(Error::not_found)?;
        let subscriber = subscribers::by_email(db, &user.email)?;
        let confirmations = confirmations::by_user(db, user_id)?;
        let suggestions = suggestions::by_user(db, user_id)?;
        let AccountRecords {
            apikeys,
            bookmarks,
            patterns,
            sets,
        } = AccountRecords::of(db, user_id, context)?;
        Ok(Self {
            format: FORMAT,
            version: VERSION,
            exported_at: context.now(),
            url: context.config().url.clone(),
            account: user.into(),
            apikeys,
            bookmarks,
            patterns,
            sets,
            confirmations: confirmations.into_iter().map(Into::into).collect(),
            suggestions: suggestions.into_iter().map(Into::into).collect(),
            subscriber: subscriber.map(|subscriber| Subscriber {
                email: subscriber.email,
                language: subscriber.language,
                active: subscriber.active,
                created_at: subscriber.created_at,
            }),
        })
    }
}
