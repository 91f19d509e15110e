//! `PATCH /admin/user/{id}/{auth}`: [`update`] changes the account of any user.

use axum::response::Response;
use bespoke_core::Role;
use bespoke_core::entity::user::{Consent, Status, User};
use bespoke_database::{second_factors, users};
use bespoke_web::level::ADMIN;
use bespoke_web::{Body, Caller, Id, JsonObject, Result, Session};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::UserResponse;

/// The existing tiers of patronage.
const PATRON_TIERS: std::ops::RangeInclusive<i64> = 0..=8;

/// Limit for the daily quota of an account's API keys, in calls.
const QUOTA_MAX: u32 = 1_000_000_000;

/// Changes of an account. Missing fields do not change.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct UserChanges {
    /// Name of a role.
    #[schema(example = "curator")]
    role: Option<String>,
    /// 1 active, 0 inactive, -1 disabled, -2 blocked; a number or a numeric string.
    #[schema(value_type = Option<Value>, example = -2)]
    status: Option<Value>,
    /// Level of consent, 0 to 3.
    consent: Option<u8>,
    /// Tier of patronage.
    patron: Option<u8>,
    /// Calls per day with each API key of the account, 0 to 1,000,000,000. `null`: the default limit.
    quota: Option<u32>,
    /// `false` removes the second factor.
    mfa_enabled: Option<bool>,
}

/// The valid changes of a request.
#[derive(Debug, Default)]
struct Changes {
    role: Option<Role>,
    status: Option<Status>,
    consent: Option<Consent>,
    patron: Option<i64>,
    /// `Some(None)` resets the account to the default limit.
    quota: Option<Option<u32>>,
    mfa_off: bool,
}

impl Changes {
    /// Parses a request. Also returns the names of the ignored fields.
    fn read(body: JsonObject) -> (Self, Vec<String>) {
        let (mut changes, mut ignored) = (Self::default(), Vec::new());
        for (field, value) in body {
            let taken = match (field.as_str(), &value) {
                ("role", Value::String(name)) => set(&mut changes.role, role(name)),
                // Zero is a status, so it is not treated as missing.
                ("status", value) => set(&mut changes.status, integer(value).and_then(Status::from_number)),
                ("consent", value) => set(&mut changes.consent, integer(value).and_then(Consent::from_number)),
                ("patron", value) => {
                    let tier = integer(value).filter(|tier| PATRON_TIERS.contains(tier));
                    set(&mut changes.patron, tier)
                }
                ("quota", Value::Null) => set(&mut changes.quota, Some(None)),
                ("quota", value) => {
                    let calls = integer(value).and_then(|calls| u32::try_from(calls).ok());
                    set(&mut changes.quota, calls.filter(|calls| *calls <= QUOTA_MAX).map(Some))
                }
                ("mfaEnabled", Value::Bool(false)) => {
                    changes.mfa_off = true;
                    true
                }
                ("test", _) => true,
                _ => false,
            };
            if !taken {
                ignored.push(field);
            }
        }
        (changes, ignored)
    }

    fn apply(&self, user: &mut User) {
        let account_status = &mut user.account_status;
        if let Some(role) = &self.role {
            account_status.role.clone_from(role);
        }
        account_status.status = self.status.unwrap_or(account_status.status);
        account_status.consent = self.consent.unwrap_or(account_status.consent);
        user.patron = self.patron.unwrap_or(user.patron);
        user.quota = self.quota.unwrap_or(user.quota);
        user.mfa_enabled &= !self.mfa_off;
    }
}

/// Stores `value` in `field`. Returns whether it is `Some`.
fn set<T>(field: &mut Option<T>, value: Option<T>) -> bool {
    *field = value;
    field.is_some()
}

/// Parses a role that can be assigned: the name of a level, or `blocked`.
fn role(name: &str) -> Option<Role> {
    match Role::from_name(name) {
        Role::Other(_) => None,
        role => Some(role),
    }
}

/// Parses a whole number or a numeric string.
fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_i64(),
    }
}

/// The fields of an account that the audit records.
fn audited(user: &User) -> Value {
    json!({
        "role": user.account_status.role,
        "status": user.account_status.status as i64,
        "consent": user.account_status.consent as i64,
        "patron": user.patron,
        "quota": user.quota,
        "mfaEnabled": user.mfa_enabled,
    })
}

/// Change an account
///
/// Changes role, status, consent, patronage and quota, or removes the second factor. Invalid fields do not fail the request;
/// `ignored` lists them.
#[utoipa::path(patch, path = "/admin/user/{id}/{auth}", tag = "Administration", operation_id = "updateUser",
    request_body = UserChanges,
    responses(
        (status = 200, description = "The updated account.", body = UserResponse),
        (status = 403, description = "`restrictedKey`: a key that is bound to addresses cannot change a role or a second factor."),
        (status = 404, description = "There is no such account."),
    ))]
pub(crate) async fn update(caller: Caller<ADMIN>, session: Session, id: Id, body: Body) -> Result<Response> {
    let (audit_entry, now) = (session.audit_entry("users.update"), session.now());
    let (changes, ignored) = Changes::read(body.0);
    let change = caller.write(&session, move |db, actor| {
        if changes.role.is_some() || changes.mfa_off {
            actor.may_change_credentials()?;
        }
        let mut user = crate::find(db, id)?;
        let (before, was_blocked) = (audited(&user), user.account_status.is_blocked());
        changes.apply(&mut user);
        let after = audited(&user);
        if after != before {
            user.updated_at = now;
            users::update(db, &user)?;
        }
        if let Some(status) = changes.status {
            users::set_deactivated(db, user.account_status.id, status == Status::Inactive)?;
        }
        if user.account_status.is_blocked() && !was_blocked {
            users::revoke_tokens(db, user.account_status.id, now)?;
        }
        if changes.mfa_off {
            second_factors::delete(db, user.account_status.id)?;
        }
        let audit_entry = audit_entry.clone().target("users", user.account_status.id);
        audit_entry.change(before, after).record(db, actor)?;
        Ok(user.account_status.id)
    });
    let user_id = change.await?;
    crate::respond(&session, user_id, Some(ignored)).await
}
