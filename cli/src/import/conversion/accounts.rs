//! Converts accounts, API keys and confirmations of the legacy database.

use bespoke_core::entity::api_key::ApiKey;
use bespoke_core::entity::confirmation::{Confirmation, ConfirmationKind};
use bespoke_core::entity::subscriber::Subscriber;
use bespoke_core::entity::suggestion::{Suggestion, SuggestionKind};
use bespoke_core::entity::user::{AccountStatus, Consent, Status, User};
use bespoke_core::validate::{Language, clean_email, clean_username, fold_username};
use bespoke_core::{ImportedHash, Level, Role, StoredSecret, TotpSecret};
use bespoke_database::import::Record;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::converted::{Converted, Repairs};
use super::fields::{Fields, Problem, text_of};

/// The kind of confirmation with which the legacy backend began a sign-in at GitHub or Google.
const OAUTH: &str = "oauth-init";
/// If `data` is not an object, its value is stored under this key of an object, because clients expect an object.
const ODD_DATA: &str = "imported";

/// Converts an account. Only the columns that identify it, `id` and `email`, can cause its rejection; all others are repaired, because a rejected
/// account loses its sets and patterns, too.
pub(crate) fn user(fields: &Fields<'_>) -> Result<Converted, Problem> {
    let mut repairs = Repairs::default();
    let id = fields.id("id")?;
    let email = fields.sealed_address("email")?;
    if email.is_empty() {
        return Err("email: is empty".to_owned());
    }
    if fields.text("ehash").map(|hash| hash.to_ascii_lowercase()) != Ok(email_hash(&email)) {
        repairs.add("email: does not match its hash; the account is found by the address");
    }
    let (created_at, updated_at) = repairs.moments(fields);
    let (totp, password) = secrets(fields, &mut repairs);
    let username = username(fields, id, &mut repairs);
    let mfa_enabled = repairs.value(fields.flag_or("mfaEnabled", false), false, "no");
    let user = User {
        account_status: AccountStatus {
            id,
            uuid: repairs.uuid(fields),
            role: Role::from_name(&repairs.value(fields.text("role"), String::new(), "user")),
            status: status(
                repairs.value(fields.integer_or("status", 0), UNREADABLE_STATUS, "blocked"),
                &mut repairs,
            ),
            consent: consent(repairs.value(fields.integer_or("consent", 0), 0, "none"), &mut repairs),
            created_at,
            tokens_from: created_at,
        },
        bio: repairs.value(fields.sealed_text("bio"), String::new(), "an empty text"),
        compare: repairs.value(fields.flag_or("compare", true), true, "yes"),
        control: repairs.value(fields.integer_or("control", 1), 1, "1"),
        data: user_data(
            repairs.value(fields.sealed_json("data"), Value::Null, "an empty object"),
            &mut repairs,
        ),
        ihash: repairs.value(fields.text("ihash"), email_hash(&email), "the hash of the address"),
        initial: repairs.value(fields.sealed_address("initial"), email.clone(), "the present address"),
        imperial: repairs.value(fields.flag_or("imperial", false), false, "no"),
        jwt_calls: repairs.value(fields.integer_or("jwtCalls", 0), 0, "0"),
        key_calls: repairs.value(fields.integer_or("keyCalls", 0), 0, "0"),
        language: language(fields, &mut repairs),
        last_seen: repairs.maybe_moment(fields, "lastSeen"),
        mfa_enabled: mfa_enabled && totp.is_some(),
        newsletter: repairs.value(fields.flag_or("newsletter", false), false, "no"),
        patron: repairs.value(fields.integer_or("patron", 0), 0, "0"),
        quota: None,
        updated_at,
        lusername: fold_username(&username),
        username,
        password,
        email,
    };
    Ok(repairs.with(Record::User {
        user: Box::new(user),
        totp,
    }))
}

/// The status of an account whose status cannot be read: blocked, because an administrator may have blocked it.
const UNREADABLE_STATUS: i64 = Status::Blocked as i64;

/// Returns the secret of the second factor and the password hash. If the secret cannot be read, the password is removed as well, because it
/// would be the only factor of a sign-in that required two.
fn secrets(fields: &Fields<'_>, repairs: &mut Repairs) -> (Option<TotpSecret>, String) {
    let password = repairs.value(fields.text("password"), String::new(), "none");
    if ImportedHash::parse(&password).is_none() {
        repairs.add("password: is not a hash, so the owner must sign in by a link");
    }
    match fields.sealed_text("mfaSecret") {
        Ok(secret) => ((!secret.is_empty()).then(|| TotpSecret::from_stored(secret)), password),
        Err(problem) => {
            repairs.add(format!(
                "{problem}; the second factor and the password were removed, so the owner must sign in by a link"
            ));
            (None, String::new())
        }
    }
}

/// Returns the user name. A name that cannot be used to sign in is kept and reported.
fn username(fields: &Fields<'_>, id: i64, repairs: &mut Repairs) -> String {
    let new = format!("user-{id}");
    let name = repairs.value(fields.text("username"), new.clone(), &new);
    if name.trim().is_empty() {
        repairs.add(format!("username: is empty; it was changed to {new}"));
        return new;
    }
    if clean_username(&name).is_none() {
        repairs.add(
            "username: cannot be used to sign in, because it is too short or too long, looks like an id or an address, or has \
             invisible characters; the address can be used",
        );
    }
    name
}

pub(crate) fn api_key(fields: &Fields<'_>) -> Result<Converted, Problem> {
    let mut repairs = Repairs::default();
    let level = fields.integer_or("level", 0)?;
    let (created_at, _) = repairs.moments(fields);
    let secret = ImportedHash::parse(&fields.text("secret")?).ok_or("secret: is not a hash")?;
    let key = ApiKey {
        uuid: fields.uuid("id")?,
        user_id: fields.id("userId")?,
        user_uuid: Uuid::nil(),
        name: repairs.value(fields.sealed("name"), Value::Null, "nothing"),
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
        calls: repairs.value(fields.integer_or("calls", 0), 0, "0"),
        created_at,
        expires_at: fields.moment("expiresAt")?,
        last_seen: repairs.maybe_moment(fields, "lastSeen"),
    };
    Ok(repairs.with(Record::ApiKey(Box::new(key))))
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
    let mut repairs = Repairs::default();
    let email = fields.sealed_address("email")?;
    if email.is_empty() {
        return Err("email: is empty".to_owned());
    }
    let (created_at, updated_at) = repairs.moments(fields);
    let subscriber = Subscriber {
        uuid: fields.uuid("id")?,
        email,
        // Recomputed when it is stored.
        ehash: String::new(),
        language: language(fields, &mut repairs),
        active: fields.flag_or("active", false)?,
        created_at,
    };
    Ok(repairs.with(Record::Subscriber {
        subscriber: Box::new(subscriber),
        updated_at,
    }))
}

fn language(fields: &Fields<'_>, repairs: &mut Repairs) -> Language {
    let code = repairs.value(fields.text("language"), Language::En.code().to_owned(), "English");
    code.parse().unwrap_or_else(|_| {
        repairs.add("language: is not supported; it was changed to English");
        Language::En
    })
}

/// The legacy backend regards positive numbers as active, and negative ones as refused.
fn status(number: i64, repairs: &mut Repairs) -> Status {
    Status::from_number(number).unwrap_or_else(|| {
        repairs.add("status: is unknown");
        if number > 0 { Status::Active } else { Status::Blocked }
    })
}

fn consent(number: i64, repairs: &mut Repairs) -> Consent {
    Consent::from_number(number).unwrap_or_else(|| {
        repairs.add("consent: is unknown");
        if number > 0 {
            Consent::Publication
        } else {
            Consent::None
        }
    })
}

fn user_data(value: Value, repairs: &mut Repairs) -> Map<String, Value> {
    match value {
        Value::Object(data) => data,
        Value::Null => Map::new(),
        odd => {
            repairs.add("data: is not an object; it was moved to `imported`");
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
