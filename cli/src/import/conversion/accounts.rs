//! Converts accounts, API keys and confirmations of the legacy database.

use bespoke_core::entity::api_key::ApiKey;
use bespoke_core::entity::confirmation::{Confirmation, ConfirmationKind};
use bespoke_core::entity::subscriber::Subscriber;
use bespoke_core::entity::suggestion::{Suggestion, SuggestionKind};
use bespoke_core::entity::user::{AccountStatus, Consent, Status, User};
use bespoke_core::validate::{Language, clean_email, fold_username};
use bespoke_core::{ImportedHash, Level, Role, StoredSecret, TotpSecret};
use bespoke_database::import::{Record, Verdict};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::converted::Converted;
use super::fields::{Fields, Problem, text_of};

/// The kind of confirmation with which the legacy backend began a sign-in at GitHub or Google.
const OAUTH: &str = "oauth-init";
/// The key for `data` that is not an object, because clients expect an object.
const ODD_DATA: &str = "imported";

pub(crate) fn user(fields: &Fields<'_>) -> Result<Converted, Problem> {
    let mut notes = Notes::default();
    let email = fields.sealed_address("email")?;
    if email.is_empty() {
        return Err("email: is empty".to_owned());
    }
    if email_hash(&email) != fields.text("ehash")?.to_ascii_lowercase() {
        notes.add("email: does not match its hash; the account is found by the address");
    }
    let password = fields.text("password")?;
    if ImportedHash::parse(&password).is_none() {
        notes.add("password: is not a hash, so the owner must sign in by a link");
    }
    let username = fields.text("username")?;
    let created_at = fields.moment("createdAt")?;
    let totp = fields.sealed_text("mfaSecret")?;
    let user = User {
        account_status: AccountStatus {
            id: fields.id("id")?,
            uuid: fields.uuid_or_new()?,
            role: Role::from_name(&fields.text("role")?),
            status: status(fields.integer_or("status", 0)?, &mut notes),
            consent: consent(fields.integer_or("consent", 0)?, &mut notes),
            created_at,
            tokens_from: created_at,
        },
        bio: fields.sealed_text("bio")?,
        compare: fields.flag_or("compare", true)?,
        control: fields.integer_or("control", 1)?,
        data: user_data(fields.sealed_json("data")?, &mut notes),
        ihash: fields.text("ihash")?,
        initial: fields.sealed_address("initial")?,
        email,
        imperial: fields.flag_or("imperial", false)?,
        jwt_calls: fields.integer_or("jwtCalls", 0)?,
        key_calls: fields.integer_or("keyCalls", 0)?,
        language: language(fields, &mut notes)?,
        last_seen: fields.maybe_moment("lastSeen")?,
        mfa_enabled: fields.flag_or("mfaEnabled", false)?,
        newsletter: fields.flag_or("newsletter", false)?,
        patron: fields.integer_or("patron", 0)?,
        quota: None,
        updated_at: fields.maybe_moment("updatedAt")?.unwrap_or(created_at),
        lusername: fold_username(&username),
        username,
        password,
    };
    let totp = (!totp.is_empty()).then(|| TotpSecret::from_stored(totp));
    Ok(notes.with(Record::User {
        user: Box::new(user),
        totp,
    }))
}

pub(crate) fn api_key(fields: &Fields<'_>) -> Result<Converted, Problem> {
    let level = fields.integer_or("level", 0)?;
    let secret = ImportedHash::parse(&fields.text("secret")?).ok_or("secret: is not a hash")?;
    let key = ApiKey {
        uuid: fields.uuid("id")?,
        user_id: fields.id("userId")?,
        user_uuid: Uuid::nil(),
        name: fields.sealed("name")?,
        level: u8::try_from(level)
            .ok()
            .and_then(Level::new)
            .ok_or("level: is not between 0 and 9")?,
        secret: StoredSecret::Imported(secret),
        grace_until: None,
        scopes: None,
        cidr: None,
        // Imported keys belong to this instance. The name of the legacy instance is not used.
        instance: fields.context.instance.to_owned(),
        calls: fields.integer_or("calls", 0)?,
        created_at: fields.moment("createdAt")?,
        expires_at: fields.moment("expiresAt")?,
        last_seen: fields.maybe_moment("lastSeen")?,
    };
    Ok(Converted::of(Record::ApiKey(Box::new(key))))
}

pub(crate) fn confirmation(fields: &Fields<'_>) -> Result<Converted, Problem> {
    let kind = fields.text("type")?;
    if kind == OAUTH {
        return Ok(Converted::skipped(
            "an unfinished sign-in at a provider; it has to be started again",
        ));
    }
    let (uuid, user_id, created_at) = (fields.uuid("id")?, fields.id("userId")?, fields.moment("createdAt")?);
    let Value::Object(mut data) = fields.sealed_json("data")? else {
        return Err("data: is not an object".to_owned());
    };
    if let Some(kind) = SuggestionKind::from_name(&kind) {
        return Ok(Converted::of(Record::Suggestion(Box::new(Suggestion {
            uuid,
            kind,
            user_id,
            user_uuid: Uuid::nil(),
            data,
            created_at,
        }))));
    }
    let kind = ConfirmationKind::from_name(&kind).ok_or("type: is unknown")?;
    let Some(Value::String(check)) = data.shift_remove("check") else {
        return Err("data: has no check".to_owned());
    };
    if kind == ConfirmationKind::EmailChange
        && let Some(Value::Object(addresses)) = data.shift_remove("email")
    {
        let cleaned = |(name, address): (String, Value)| (name, clean_email(&text_of(address)).into());
        data.extend(addresses.into_iter().map(cleaned));
    }
    Ok(Converted::of(Record::Confirmation(Box::new(Confirmation {
        uuid,
        kind,
        user_id,
        check,
        data,
        created_at,
    }))))
}

pub(crate) fn subscriber(fields: &Fields<'_>) -> Result<Converted, Problem> {
    let mut notes = Notes::default();
    let email = fields.sealed_address("email")?;
    if email.is_empty() {
        return Err("email: is empty".to_owned());
    }
    let created_at = fields.moment("createdAt")?;
    let subscriber = Subscriber {
        uuid: fields.uuid("id")?,
        email,
        // Recomputed when it is stored.
        ehash: String::new(),
        language: language(fields, &mut notes)?,
        active: fields.flag_or("active", false)?,
        created_at,
    };
    Ok(notes.with(Record::Subscriber {
        subscriber: Box::new(subscriber),
        updated_at: fields.maybe_moment("updatedAt")?.unwrap_or(created_at),
    }))
}

/// Changes to a row that are to be reported.
#[derive(Default)]
struct Notes(Vec<(Verdict, String)>);

impl Notes {
    fn add(&mut self, note: &str) {
        self.0.push((Verdict::Changed, note.to_owned()));
    }

    fn with(self, record: Record) -> Converted {
        Converted {
            record: Some(record),
            notes: self.0,
        }
    }
}

fn language(fields: &Fields<'_>, notes: &mut Notes) -> Result<Language, Problem> {
    let code = fields.text("language")?;
    Ok(code.parse().unwrap_or_else(|_| {
        notes.add("language: is not supported; it was changed to English");
        Language::En
    }))
}

/// The legacy backend regards positive numbers as active, and negative ones as refused.
fn status(number: i64, notes: &mut Notes) -> Status {
    Status::from_number(number).unwrap_or_else(|| {
        notes.add("status: is unknown");
        if number > 0 { Status::Active } else { Status::Blocked }
    })
}

fn consent(number: i64, notes: &mut Notes) -> Consent {
    Consent::from_number(number).unwrap_or_else(|| {
        notes.add("consent: is unknown");
        if number > 0 {
            Consent::Publication
        } else {
            Consent::None
        }
    })
}

fn user_data(value: Value, notes: &mut Notes) -> Map<String, Value> {
    match value {
        Value::Object(data) => data,
        Value::Null => Map::new(),
        odd => {
            notes.add("data: is not an object; it was moved to `imported`");
            Map::from_iter([(ODD_DATA.to_owned(), odd)])
        }
    }
}

/// Returns the hash by which the legacy backend looks up an address.
fn email_hash(cleaned: &str) -> String {
    hex::encode(Sha256::digest(cleaned.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_normalised_and_hashed_as_before() {
        let vectors: Value = serde_json::from_str(include_str!("../../../../tests/data/vectors.json")).unwrap();
        for vector in vectors["email_hash"].as_array().unwrap() {
            let cleaned = clean_email(vector["input"].as_str().unwrap());
            assert_eq!(cleaned, vector["cleaned"]);
            assert_eq!(email_hash(&cleaned), vector["sha256_hex"]);
        }
    }
}
