//! [`Account`]: the complete account in responses to its owner and to administrators.

use bespoke_core::entity::user::User;
use bespoke_core::validate::Language;
use bespoke_core::{Role, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

/// An account in a response, with all fields that its owner may see.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(
    missing_docs,
    reason = "the fields are those of the entity `User` and its account status"
)]
pub struct Account {
    pub id: i64,
    pub bio: String,
    pub compare: bool,
    #[schema(minimum = 0, maximum = 3)]
    pub consent: i64,
    #[schema(minimum = 1, maximum = 5)]
    pub control: i64,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    pub email: String,
    #[schema(value_type = HashMap<String, Value>)]
    pub data: Map<String, Value>,
    pub ihash: String,
    pub imperial: bool,
    pub initial: String,
    pub jwt_calls: i64,
    pub key_calls: i64,
    #[schema(value_type = String, pattern = "^(en|de|es|fr|nl|uk)$")]
    pub language: Language,
    #[schema(value_type = Option<String>, format = DateTime, required)]
    pub last_seen: Option<Timestamp>,
    pub mfa_enabled: bool,
    pub newsletter: bool,
    pub patron: i64,
    #[schema(value_type = String, example = "user")]
    pub role: Role,
    #[schema(minimum = -2, maximum = 1)]
    pub status: i64,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    pub username: String,
    pub lusername: String,
    pub password_type: &'static str,
    pub uuid: Uuid,
}

/// The value of `passwordType` for every account, because it is the newest value that existing clients know.
const PASSWORD_TYPE: &str = "v3";

impl From<User> for Account {
    fn from(user: User) -> Self {
        Self {
            id: user.account_status.id,
            bio: user.bio,
            compare: user.compare,
            consent: user.account_status.consent as i64,
            control: user.control,
            created_at: user.account_status.created_at,
            email: user.email,
            data: user.data,
            ihash: user.ihash,
            imperial: user.imperial,
            initial: user.initial,
            jwt_calls: user.jwt_calls,
            key_calls: user.key_calls,
            language: user.language,
            last_seen: user.last_seen,
            mfa_enabled: user.mfa_enabled,
            newsletter: user.newsletter,
            patron: user.patron,
            role: user.account_status.role,
            status: user.account_status.status as i64,
            updated_at: user.updated_at,
            username: user.username,
            lusername: user.lusername,
            password_type: PASSWORD_TYPE,
            uuid: user.account_status.uuid,
        }
    }
}
