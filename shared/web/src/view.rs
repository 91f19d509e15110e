//! How entities look to clients: the shared response objects of contract-2023 section 3.0, in their key order, with the
//! UUIDs of the second API generation behind.

pub mod api_key;
pub mod texts;
pub mod usage;

use bespoke_core::entity::set::MeasurementSet;
use bespoke_core::entity::user::User;
use bespoke_core::entity::{bookmark, pattern};
use bespoke_core::measurement::StoredMeasurements;
use bespoke_core::validate::Language;
use bespoke_core::{Role, StoredJson, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Context;

/// The account object.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are those of the entity")]
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

/// What `passwordType` says of a password that needs no replacing; clients know no later one.
const PASSWORD_TYPE: &str = "v3";

impl From<User> for Account {
    fn from(user: User) -> Self {
        Self {
            id: user.standing.id,
            bio: user.bio,
            compare: user.compare,
            consent: user.standing.consent as i64,
            control: user.control,
            created_at: user.standing.created_at,
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
            role: user.standing.role,
            status: user.standing.status as i64,
            updated_at: user.updated_at,
            username: user.username,
            lusername: user.lusername,
            password_type: PASSWORD_TYPE,
            uuid: user.standing.uuid,
        }
    }
}

/// The set object. `image` repeats `img`: clients of the second generation read that.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are those of the entity")]
pub struct Set {
    pub id: i64,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(required)]
    pub img: Option<String>,
    pub imperial: bool,
    pub name: String,
    pub notes: String,
    pub user_id: i64,
    #[schema(value_type = schema::Measurements)]
    pub measies: StoredMeasurements,
    pub public: bool,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    pub uuid: Uuid,
    pub user_uuid: Uuid,
    #[schema(required)]
    pub image: Option<String>,
    /// Where the image is seen; the link of a private set works for an hour or two.
    #[schema(required)]
    pub image_url: Option<String>,
}

impl Set {
    /// How a set looks to who may read it.
    pub fn new(set: &MeasurementSet<StoredMeasurements>, context: &Context) -> Self {
        let content = set.content.clone();
        Self {
            image_url: context.image_url(content.img.as_deref(), content.public),
            id: set.id,
            created_at: set.created_at,
            img: content.img.clone(),
            imperial: content.imperial,
            name: content.name,
            notes: content.notes,
            user_id: set.user_id,
            measies: content.measies,
            public: content.public,
            updated_at: set.updated_at,
            uuid: set.uuid,
            user_uuid: set.user_uuid,
            image: content.img,
        }
    }
}

/// The pattern object. `image` repeats `img`: clients of the second generation read that.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are those of the entity")]
pub struct Pattern {
    pub id: i64,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// An object, an array or null.
    #[schema(value_type = Value)]
    pub data: StoredJson,
    pub design: String,
    #[schema(required)]
    pub img: Option<String>,
    pub name: String,
    pub notes: String,
    pub public: bool,
    /// An object, an array or null.
    #[schema(value_type = Value)]
    pub settings: StoredJson,
    pub user_id: i64,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    pub uuid: Uuid,
    pub user_uuid: Uuid,
    #[schema(required)]
    pub image: Option<String>,
    /// Where the image is seen; the link of a private pattern works for an hour or two.
    #[schema(required)]
    pub image_url: Option<String>,
}

impl Pattern {
    /// How a pattern looks to who may read it.
    pub fn new(pattern: pattern::Pattern, context: &Context) -> Self {
        let content = pattern.content;
        Self {
            image_url: context.image_url(content.img.as_deref(), content.public),
            id: pattern.id,
            created_at: pattern.created_at,
            data: content.data,
            design: content.design,
            img: content.img.clone(),
            name: content.name,
            notes: content.notes,
            public: content.public,
            settings: content.settings,
            user_id: pattern.user_id,
            updated_at: pattern.updated_at,
            uuid: pattern.uuid,
            user_uuid: pattern.user_uuid,
            image: content.img,
        }
    }
}

/// The bookmark object.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are those of the entity")]
pub struct Bookmark {
    pub id: i64,
    #[schema(pattern = "^(set|cset|pattern|design|doc|custom)$")]
    pub r#type: String,
    pub title: String,
    pub url: String,
    pub user_id: i64,
    pub uuid: Uuid,
    pub user_uuid: Uuid,
}

impl From<bookmark::Bookmark> for Bookmark {
    fn from(bookmark: bookmark::Bookmark) -> Self {
        Self {
            id: bookmark.id,
            r#type: bookmark.content.kind,
            title: bookmark.content.title,
            url: bookmark.content.url,
            user_id: bookmark.user_id,
            uuid: bookmark.uuid,
            user_uuid: bookmark.user_uuid,
        }
    }
}

/// Schemas of values whose types know nothing of descriptions.
pub mod schema {
    use bespoke_core::measurement::{NAMES, Unit, unit};
    use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema, Type};
    use utoipa::openapi::{Object, RefOr};
    use utoipa::{PartialSchema, ToSchema};

    /// The measurements of a body, by name.
    pub struct Measurements;

    impl PartialSchema for Measurements {
        fn schema() -> RefOr<Schema> {
            measurements().into()
        }
    }

    impl ToSchema for Measurements {}

    fn measurements() -> Object {
        let mut measurements = ObjectBuilder::new()
            .description(Some("The measurements of a body: numbers above zero."))
            .additional_properties(Some(AdditionalProperties::FreeForm(false)))
            .examples([serde_json::json!({ "chest": 925, "neck": 340.5, "shoulderSlope": 13 })]);
        for name in NAMES {
            let unit = match unit(name) {
                Some(Unit::Degree) => "Degrees.",
                _ => "Millimetres.",
            };
            let number = Object::builder()
                .schema_type(Type::Number)
                .exclusive_minimum(Some(0))
                .description(Some(unit));
            measurements = measurements.property(name, number);
        }
        measurements.build()
    }
}
