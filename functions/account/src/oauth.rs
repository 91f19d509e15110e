//! Sign-in with a provider: `POST /signin/oauth/init` ([`init`]) starts it, and `POST /signin/oauth` ([`signin`]) completes it.

mod enter;

use axum::response::Response;
use bespoke_core::entity::oauth::{OauthIdentity, OauthState, Provider};
use bespoke_core::validate::{Language, clean_email, is_email};
use bespoke_database::{oauth_states, users};
use bespoke_services::oauth::{self, OauthError, OauthSettings, ProviderIdentity};
use bespoke_web::{Body, ClientIp, Error, JsonObject, Outcome, Public, Result, Session, ok};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::SignedIn;
use crate::second_factor::SubmittedCode;

use enter::Entered;

const INVALID_PROVIDER: Error = Error::forbidden("invalidProvider");
const INVALID_STATE: Error = Error::forbidden("stateInvalid");
const INVALID_CODE: Error = Error::forbidden("codeInvalid");
/// Seconds after which a client may retry when the provider fails.
const RETRY_AFTER_S: u64 = 5;
/// Length of the PKCE verifier, in bytes. It is sent as twice as many hexadecimal digits.
const VERIFIER_BYTES: usize = 32;
/// Limit for the code from the provider, in bytes.
const MAX_CODE_BYTES: usize = 2_048;

/// Body of `POST /signin/oauth/init`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct OauthStart {
    /// `github` or `google`, in any letter case.
    provider: String,
    /// Language of the account, if the sign-in creates one.
    #[schema(example = "en")]
    language: String,
}

/// The start of a sign-in with a provider.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OauthBegun {
    result: Outcome,
    /// URL of the provider's page.
    auth_url: String,
}

/// Body of `POST /signin/oauth`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct OauthReturn {
    /// The provider from the start of the sign-in.
    provider: String,
    state: String,
    code: String,
    /// Code from the authenticator app, or a scratch code, if the account has a second factor.
    token: Option<String>,
}

/// Start a sign-in with a provider
#[utoipa::path(post, path = "/signin/oauth/init", tag = "Accounts", operation_id = "beginOauth", request_body = OauthStart,
    responses(
        (status = 200, description = "The URL of the provider's page.", body = OauthBegun),
        (status = 403, description = "`invalidProvider`: the provider is unknown or not enabled. `invalidLanguage`: the language \
            is missing or unsupported."),
    ))]
pub(crate) async fn init(_: Public, session: Session, body: Body) -> Result<Response> {
    let (provider, settings) = provider_of(&session, &body.0)?;
    let language = body.0.get("language").and_then(Value::as_str);
    let language: Option<Language> = language.and_then(Language::from_code_in_any_case);
    let state = OauthState {
        uuid: session.random().uuid(),
        provider,
        language: language.ok_or(Error::forbidden("invalidLanguage"))?,
        verifier: session.random().hex::<VERIFIER_BYTES>(),
        returned: None,
        created_at: session.now(),
    };
    let auth_url = oauth::authorize_url(provider, settings, &state.uuid.to_string(), &state.verifier);
    let auth_url = auth_url.ok_or_else(|| Error::internal("the URL of the provider is not valid"))?;
    session.write(move |db| Ok(oauth_states::insert(db, &state)?)).await?;
    Ok(ok(&OauthBegun {
        result: Outcome::Success,
        auth_url,
    }))
}

/// Sign in with a provider
///
/// Works once, within ten minutes. If the account requires a code, send the same request again with `token`. If no account has
/// the address, the call creates one, which becomes usable when its owner consents (`PATCH /consent/jwt`).
#[utoipa::path(post, path = "/signin/oauth", tag = "Accounts", operation_id = "signInByOauth", request_body = OauthReturn,
    responses(
        (status = 200, description = "The account, and a token.", body = SignedIn),
        (status = 401, description = "`signInFailed`: the code of the second factor is wrong. Try again."),
        (status = 403, description = "`invalidProvider`: the provider is unknown or not enabled. `stateInvalid`: the sign-in did not start \
            here, with this provider, within the last ten minutes, or was already used. `codeInvalid`: the provider does not know \
            the code. `emailNotVerified`: the provider has not verified an address. `mfaTokenRequired`: the account requires a code. \
            `statusLacking`: the account is not active. `accountBlocked`: an administrator has blocked it."),
        (status = 451, description = "`consentLacking`: the owner of the account has not consented."),
    ))]
pub(crate) async fn signin(_: Public, session: Session, client: ClientIp, body: Body) -> Result<Response> {
    let body = body.0;
    let (provider, settings) = provider_of(&session, &body)?;
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let state = text("state")
        .and_then(|state| Uuid::try_parse(&state).ok())
        .ok_or(INVALID_STATE)?;
    let code = text("code").filter(|code| (1..=MAX_CODE_BYTES).contains(&code.len()));
    let code = code.ok_or(INVALID_CODE)?;
    let state = open_state(&session, state, provider).await?;
    let identity = identity_of(&session, settings, &state, &code).await?;
    let returned = OauthIdentity {
        code: digest(&code),
        email: identity.email.clone(),
    };
    let (now, uuid) = (session.now(), session.random().uuid());
    let code = SubmittedCode::of(&body, session.origin(client));
    let user = session.read(|db| Ok(users::by_email(db, &identity.email)?)).await?;
    let code = match user.filter(|user| enter::may_enter(user).is_ok()) {
        Some(user) => code.reserve(&session, &user).await?,
        None => code.without_attempt(),
    };
    let (picture, attempt) = (identity.picture.clone(), code.clone());
    let entered = session
        .write(move |db| enter::sign_in(db, &state, &identity, &returned, &attempt, uuid, now))
        .await;
    code.release_or_keep(&session, entered.as_ref().map(Entered::decision))
        .await?;
    match entered? {
        Entered::In(id) => Ok(crate::signed_in(&session, crate::load(&session, id).await?)),
        Entered::New(id) => {
            let user = crate::load(&session, id).await?;
            session.save_provider_picture(picture, &user).await;
            Ok(crate::signed_in(&session, user))
        }
        Entered::CodeMissing => Err(Error::forbidden("mfaTokenRequired")),
        Entered::CodeWrong => Err(crate::signin::FAILED),
    }
}

/// Returns the provider of a request if it is enabled.
fn provider_of<'a>(session: &'a Session, body: &JsonObject) -> Result<(Provider, &'a OauthSettings)> {
    let provider = body
        .get("provider")
        .and_then(Value::as_str)
        .and_then(Provider::from_name);
    let provider = provider.ok_or(INVALID_PROVIDER)?;
    let settings = session.config().oauth.get(provider).ok_or(INVALID_PROVIDER)?;
    Ok((provider, settings))
}

/// Returns the state of a sign-in that started with this provider and has not expired.
async fn open_state(session: &Session, uuid: Uuid, provider: Provider) -> Result<OauthState> {
    let found = session.read(|db| Ok(oauth_states::by_uuid(db, uuid)?)).await?;
    let now = session.now();
    found
        .filter(|state| state.provider == provider && !state.expired(now))
        .ok_or(INVALID_STATE)
}

/// Returns the identity that belongs to the provider's code. A provider accepts a code once, so only the request that claims the
/// state calls the provider. A repeat with the code of a second factor uses the stored address.
async fn identity_of(
    session: &Session,
    settings: &OauthSettings,
    state: &OauthState,
    code: &str,
) -> Result<ProviderIdentity> {
    if let Some(returned) = &state.returned {
        let is_same_code = returned.code == digest(code);
        return is_same_code
            .then(|| identity_with_address(&returned.email))
            .ok_or(INVALID_STATE);
    }
    let uuid = state.uuid;
    if !session.write(move |db| Ok(oauth_states::claim(db, uuid)?)).await? {
        return Err(INVALID_STATE);
    }
    let identified = oauth::identify(state.provider, settings, session.http(), code, &state.verifier).await;
    let mut identity = identified.map_err(refusal)?;
    identity.email = clean_email(&identity.email);
    if is_email(&identity.email) {
        Ok(identity)
    } else {
        Err(refusal(OauthError::Unverified))
    }
}

fn refusal(error: OauthError) -> Error {
    match error {
        OauthError::Code => INVALID_CODE,
        OauthError::Unverified => Error::forbidden("emailNotVerified"),
        OauthError::Call(error) => Error::unavailable(RETRY_AFTER_S, format!("sign-in provider: {error}")),
    }
}

/// An identity with only an address, for an existing account.
fn identity_with_address(email: &str) -> ProviderIdentity {
    ProviderIdentity {
        email: email.to_owned(),
        name: String::new(),
        bio: None,
        picture: None,
        data: Vec::new(),
    }
}

fn digest(code: &str) -> String {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(code);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
