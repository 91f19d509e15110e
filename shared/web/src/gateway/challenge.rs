//! The `WWW-Authenticate` challenge of a rejected call with an API key.

use axum::response::Response;
use http::{HeaderValue, StatusCode, header};

use crate::response::{INSUFFICIENT_SCOPE, Reason};

/// Adds a challenge to a 401 or 403 response of a `/key` route, with the reason if the caller may know it.
pub(super) fn challenge(response: &mut Response) {
    let reason = response.extensions().get::<Reason>();
    let code = reason.map_or("unauthorized", |reason| &reason.code);
    let mut challenge = String::from(r#"Basic realm="Users""#);
    match response.status() {
        StatusCode::UNAUTHORIZED if code == "unauthorized" => {}
        StatusCode::UNAUTHORIZED => challenge.push_str(&format!(r#", error="{code}""#)),
        StatusCode::FORBIDDEN if code == INSUFFICIENT_SCOPE => {
            challenge.push_str(&format!(r#", error="{code}""#));
            if let Some(scope) = reason.and_then(|reason| reason.missing_scope) {
                challenge.push_str(&format!(r#", scope="{scope}""#));
            }
        }
        _ => return,
    }
    if let Ok(value) = HeaderValue::try_from(challenge) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
}
