//! Kinds of callers, and the credential of each.

use bespoke_core::{Claims, Scopes};
use bespoke_tests::support::{Answer, App, Key, Person};
use bespoke_web::Scheme;
use serde_json::{Value, json};

use super::world::Owner;

/// The network of bound keys, an address in it, and one outside.
const NETWORK: &str = "192.0.2.0/24";
const INSIDE: &str = "192.0.2.9";
const OUTSIDE: &str = "198.51.100.9";
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A kind of caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Nobody,
    StrangerToken(&'static str),
    StrangerKey(&'static str),
    OwnerToken,
    OwnerKey(u8),
    /// A key of the owner with this scope. `set` stands for the scope of the owner's set alone.
    Scoped(&'static str),
    /// A key of the owner that is bound to addresses, used from one of them.
    BoundInside,
    BoundOutside,
    /// A key of an administrator that is bound to addresses, used from one of them.
    BoundAdmin,
    /// An account with this role that acts as the owner.
    Impersonator(&'static str),
    /// An impersonator that was blocked afterwards.
    BlockedImpersonator,
    RefusedToken(Refusal),
    RefusedKey(Refusal),
}

/// The reason why a credential is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Refusal {
    Blocked,
    BlockedRole,
    Deactivated,
    Frozen,
    WithoutConsent,
    Removed,
    SignedOut,
    Expired,
    Revoked,
    Rotated,
    WrongSecret,
}

pub(super) const KINDS: &[Kind] = &[
    Kind::Nobody,
    Kind::StrangerToken("readNone"),
    Kind::StrangerToken("readSome"),
    Kind::StrangerToken("readOnly"),
    Kind::StrangerToken("writeSome"),
    Kind::StrangerToken("user"),
    Kind::StrangerToken("curator"),
    Kind::StrangerToken("bughunter"),
    Kind::StrangerToken("support"),
    Kind::StrangerToken("admin"),
    Kind::StrangerKey("user"),
    Kind::StrangerKey("curator"),
    Kind::StrangerKey("bughunter"),
    Kind::StrangerKey("support"),
    Kind::StrangerKey("admin"),
    Kind::OwnerToken,
    Kind::OwnerKey(0),
    Kind::OwnerKey(1),
    Kind::OwnerKey(2),
    Kind::OwnerKey(3),
    Kind::OwnerKey(4),
    Kind::Scoped("sets:read"),
    Kind::Scoped("sets:write"),
    Kind::Scoped("sets:read sets:write"),
    Kind::Scoped("patterns:read"),
    Kind::Scoped("patterns:write"),
    Kind::Scoped("patterns:read patterns:write"),
    Kind::Scoped("account:read"),
    Kind::Scoped("set"),
    Kind::BoundInside,
    Kind::BoundOutside,
    Kind::BoundAdmin,
    Kind::Impersonator("support"),
    Kind::Impersonator("admin"),
    Kind::BlockedImpersonator,
    Kind::RefusedToken(Refusal::Blocked),
    Kind::RefusedToken(Refusal::BlockedRole),
    Kind::RefusedToken(Refusal::Deactivated),
    Kind::RefusedToken(Refusal::Frozen),
    Kind::RefusedToken(Refusal::WithoutConsent),
    Kind::RefusedToken(Refusal::Removed),
    Kind::RefusedToken(Refusal::SignedOut),
    Kind::RefusedToken(Refusal::Expired),
    Kind::RefusedKey(Refusal::Blocked),
    Kind::RefusedKey(Refusal::BlockedRole),
    Kind::RefusedKey(Refusal::Deactivated),
    Kind::RefusedKey(Refusal::Frozen),
    Kind::RefusedKey(Refusal::WithoutConsent),
    Kind::RefusedKey(Refusal::Removed),
    Kind::RefusedKey(Refusal::Expired),
    Kind::RefusedKey(Refusal::Revoked),
    Kind::RefusedKey(Refusal::Rotated),
    Kind::RefusedKey(Refusal::WrongSecret),
];

impl Kind {
    /// Whether callers of this kind call routes of that scheme. `None` stands for public routes, which every kind calls. `Nobody` calls every
    /// route.
    pub(super) fn calls_routes_of(&self, scheme: Option<Scheme>) -> bool {
        let own = match self {
            Self::Nobody => return true,
            Self::StrangerToken(_)
            | Self::OwnerToken
            | Self::Impersonator(_)
            | Self::BlockedImpersonator
            | Self::RefusedToken(_) => Scheme::Jwt,
            _ => Scheme::Key,
        };
        scheme.is_none_or(|scheme| scheme == own)
    }

    /// Whether the credential is derived from the owner, and must be created again with a new owner.
    pub(super) fn depends_on_owner(&self) -> bool {
        matches!(
            self,
            Self::OwnerToken
                | Self::OwnerKey(_)
                | Self::Scoped(_)
                | Self::BoundInside
                | Self::BoundOutside
                | Self::Impersonator(_)
                | Self::BlockedImpersonator
        )
    }
}

#[derive(Clone)]
enum Credential {
    None,
    Token(String),
    Key(Key),
}

/// A caller with its credential, and the facts that the rules depend on.
#[derive(Clone)]
pub(super) struct Caller {
    credential: Credential,
    address: &'static str,
    /// The level of the caller on routes that require a usable account: not blocked, frozen or deactivated, and with consent. `None` if these
    /// routes refuse the caller.
    pub(super) level: Option<u8>,
    /// The level of the caller on routes that accept unusable accounts, too.
    pub(super) level_if_unusable: Option<u8>,
    pub(super) is_owner: bool,
    pub(super) scopes: Option<Scopes>,
    /// Whether it is an API key that is bound to scopes or addresses.
    pub(super) is_restricted: bool,
    pub(super) impersonates: bool,
}

impl Caller {
    fn new(credential: Credential, level: Option<u8>) -> Self {
        Self {
            credential,
            address: INSIDE,
            level,
            level_if_unusable: level,
            is_owner: false,
            scopes: None,
            is_restricted: false,
            impersonates: false,
        }
    }

    fn token(token: String, level: Option<u8>) -> Self {
        Self::new(Credential::Token(token), level)
    }

    fn key(key: Key, level: Option<u8>) -> Self {
        Self::new(Credential::Key(key), level)
    }

    fn of_owner(self) -> Self {
        Self { is_owner: true, ..self }
    }

    /// Whether the caller is a person other than the owner of the records.
    pub(super) fn is_another_person(&self) -> bool {
        !self.is_owner || self.impersonates
    }

    /// The claims of an impersonation token.
    pub(super) fn impersonation(&self, app: &App) -> Option<Claims> {
        let Credential::Token(token) = &self.credential else {
            return None;
        };
        let claims = app.context().tokens().verify(token, app.context().now()).ok()?;
        claims.impersonator.is_some().then_some(claims)
    }

    pub(super) async fn send(&self, app: &App, method: &str, path: &str, body: &Value) -> Answer {
        let request = app.request(method, path).from_ip(self.address);
        let request = match &self.credential {
            Credential::None => request,
            Credential::Token(token) => request.jwt(token),
            Credential::Key(key) => request.key(key),
        };
        if body.is_null() {
            request.send().await
        } else {
            request.json(body).send().await
        }
    }

    /// A caller of that kind. `unique` is a name that no account has.
    pub(super) async fn of(app: &App, kind: Kind, owner: &Owner, admin: &Person, unique: &str) -> Self {
        match kind {
            Kind::Nobody => Self::new(Credential::None, None),
            Kind::StrangerToken(role) => Self::token(app.person_as(unique, role).await.token, Some(level_of(role))),
            Kind::StrangerKey(role) => {
                let person = app.person_as(unique, role).await;
                let level = level_of(role);
                Self::key(app.key(&person, level).await, Some(level))
            }
            Kind::OwnerToken => Self::token(owner.person.token.clone(), Some(4)).of_owner(),
            Kind::OwnerKey(level) => Self::key(app.key(&owner.person, level).await, Some(level)).of_owner(),
            Kind::Scoped(names) => scoped(app, owner, names).await,
            Kind::BoundInside | Kind::BoundOutside => {
                let key = app.key_with(&owner.person, 4, json!({ "cidr": [NETWORK] })).await;
                let inside = kind == Kind::BoundInside;
                Self {
                    address: if inside { INSIDE } else { OUTSIDE },
                    is_restricted: true,
                    ..Self::key(key, inside.then_some(4)).of_owner()
                }
            }
            Kind::BoundAdmin => {
                let person = app.person_as(unique, "admin").await;
                let key = app.key_with(&person, 9, json!({ "cidr": [NETWORK] })).await;
                Self {
                    is_restricted: true,
                    ..Self::key(key, Some(9))
                }
            }
            Kind::Impersonator(role) => {
                let helper = app.person_as(unique, role).await;
                Self {
                    impersonates: true,
                    ..Self::token(app.impersonate(&helper, &owner.person).await, Some(3)).of_owner()
                }
            }
            Kind::BlockedImpersonator => {
                let helper = app.person_as(unique, "support").await;
                let token = app.impersonate(&helper, &owner.person).await;
                app.change_user(admin, &helper, &json!({ "status": -2 })).await;
                Self {
                    impersonates: true,
                    ..Self::token(token, None).of_owner()
                }
            }
            Kind::RefusedToken(refusal) => {
                let person = app.person(unique).await;
                let token = refused_token(app, admin, &person, refusal).await;
                Self {
                    // The account is unusable, but its tokens still identify it.
                    level_if_unusable: [Refusal::Frozen, Refusal::WithoutConsent, Refusal::Deactivated]
                        .contains(&refusal)
                        .then_some(4),
                    ..Self::token(token, None)
                }
            }
            Kind::RefusedKey(refusal) => {
                let person = app.person(unique).await;
                Self::key(refused_key(app, admin, &person, refusal).await, None)
            }
        }
    }
}

fn level_of(role: &str) -> u8 {
    bespoke_core::Role::from_name(role).level().number()
}

async fn scoped(app: &App, owner: &Owner, names: &str) -> Caller {
    let names: Vec<String> = match names {
        "set" => vec![format!("set:{}:read", owner.set)],
        names => names.split(' ').map(str::to_owned).collect(),
    };
    let key = app.key_with(&owner.person, 4, json!({ "scopes": names })).await;
    Caller {
        scopes: Some(Scopes::parse(names.iter().map(String::as_str)).expect("scopes")),
        is_restricted: true,
        ..Caller::key(key, Some(4)).of_owner()
    }
}

/// Blocks, freezes, removes or signs out the account if the refusal has that reason. Does nothing if it concerns a single credential.
async fn change_account(app: &App, admin: &Person, person: &Person, refusal: Refusal) {
    match refusal {
        Refusal::Blocked => app.change_user(admin, person, &json!({ "status": -2 })).await,
        Refusal::BlockedRole => app.change_user(admin, person, &json!({ "role": "blocked" })).await,
        Refusal::Deactivated => app.change_user(admin, person, &json!({ "status": 0 })).await,
        Refusal::WithoutConsent => app.change_user(admin, person, &json!({ "consent": 0 })).await,
        Refusal::Frozen => {
            let freeze = app.post("/account/restrict/jwt").jwt(&person.token).send().await;
            freeze.expect_status(200);
        }
        Refusal::Removed => {
            app.delete("/account/jwt")
                .jwt(&person.token)
                .send()
                .await
                .expect_status(200);
        }
        Refusal::SignedOut => {
            let sign_out = app.patch("/account/jwt").jwt(&person.token);
            let sign_out = sign_out.json(&json!({ "signOutEverywhere": true }));
            sign_out.send().await.expect_status(200);
        }
        Refusal::Expired | Refusal::Revoked | Refusal::Rotated | Refusal::WrongSecret => {}
    }
}

async fn refused_token(app: &App, admin: &Person, person: &Person, refusal: Refusal) -> String {
    change_account(app, admin, person, refusal).await;
    if refusal != Refusal::Expired {
        return person.token.clone();
    }
    let long_ago = app.context().now().plus_ms(-400 * DAY_MS);
    app.token_from(person, long_ago)
}

async fn refused_key(app: &App, admin: &Person, person: &Person, refusal: Refusal) -> Key {
    let key = match refusal {
        Refusal::Expired => app.key_with(person, 4, json!({ "expiresIn": 1 })).await,
        _ => app.key(person, 4).await,
    };
    change_account(app, admin, person, refusal).await;
    let one = format!("/apikeys/{}", key.id);
    match refusal {
        Refusal::Expired => app.clock.advance_ms(1000),
        Refusal::Revoked => {
            let revoke = app.delete(&format!("{one}/jwt")).jwt(&person.token).send().await;
            revoke.expect_status(204);
        }
        Refusal::Rotated => {
            let rotate = app.post(&format!("{one}/rotate/jwt")).jwt(&person.token);
            rotate
                .json(&json!({ "graceSeconds": 0 }))
                .send()
                .await
                .expect_status(200);
        }
        Refusal::WrongSecret => {
            return Key {
                secret: app.key(person, 4).await.secret,
                ..key
            };
        }
        _ => {}
    }
    key
}
