//! The `Authorization` header.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bespoke_core::KeySecret;
use http::{HeaderMap, header};
use uuid::Uuid;

use crate::Error;

/// The longest header that is looked at, in bytes. Ours are below 1 KiB.
const MAX_HEADER_BYTES: usize = 8 * 1024;

/// The credentials of an API key, well-formed but not yet verified.
#[derive(Debug)]
pub(super) struct KeyCredentials {
    pub(super) id: Uuid,
    pub(super) secret: KeySecret,
}

/// Scheme and value of the one `Authorization` header; none when there is not exactly one that makes sense.
fn authorization(headers: &HeaderMap) -> Option<(&str, &str)> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (all.next()?, all.next()) else {
        return None;
    };
    if value.len() > MAX_HEADER_BYTES {
        return None;
    }
    let (scheme, value) = value.to_str().ok()?.trim().split_once(' ')?;
    Some((scheme, value.trim()))
}

/// The Bearer token.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = authorization(headers)?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// The API key, as Basic credentials or as one Bearer token `<key>.<secret>`.
///
/// # Errors
/// 400 for a header without a value and for Basic credentials without a colon (contract-2023 section 1.4); 401 for
/// everything else that is no API key of ours.
pub(super) fn key_credentials(headers: &HeaderMap) -> Result<KeyCredentials, Error> {
    let refused = || Error::unauthorized("unauthorized");
    let Some((scheme, value)) = authorization(headers) else {
        let single = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let without_value = !single.trim().is_empty() && !single.trim().contains(' ');
        return Err(if without_value {
            Error::bad_request("badRequest")
        } else {
            refused()
        });
    };
    if scheme.eq_ignore_ascii_case("bearer") {
        let (id, secret) = value.split_once('.').ok_or_else(refused)?;
        return parse(id, secret).ok_or_else(refused);
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(refused());
    }
    let decoded = STANDARD
        .decode(value)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(refused)?;
    let mut parts = decoded.split(':');
    // What stands behind a second colon is ignored, as the original does.
    let (Some(id), Some(secret)) = (parts.next(), parts.next()) else {
        return Err(Error::bad_request("badRequest"));
    };
    parse(id, secret).ok_or_else(refused)
}

fn parse(id: &str, secret: &str) -> Option<KeyCredentials> {
    Some(KeyCredentials {
        id: Uuid::try_parse(id).ok()?,
        secret: KeySecret::parse(secret).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemRandom;

    const ID: &str = "6f9619ff-8b86-4011-b42d-00c04fc964ff";

    fn headers(values: &[&str]) -> HeaderMap {
        values
            .iter()
            .map(|value| (header::AUTHORIZATION, value.parse().unwrap()))
            .collect()
    }

    fn status(values: &[&str]) -> Option<u16> {
        key_credentials(&headers(values))
            .err()
            .map(|error| error.status().as_u16())
    }

    #[test]
    fn keys_come_as_basic_or_bearer_in_any_letter_case() {
        let secret = KeySecret::generate(&SystemRandom);
        let secret = secret.expose();
        let basic = STANDARD.encode(format!("{ID}:{secret}"));
        for good in [
            format!("Basic {basic}"),
            format!("bASIC   {basic}"),
            format!("Basic {}", STANDARD.encode(format!("{ID}:{secret}:more"))),
            format!("Bearer {ID}.{secret}"),
        ] {
            let credentials = key_credentials(&headers(&[&good])).unwrap();
            assert_eq!(
                (credentials.id.to_string().as_str(), credentials.secret.expose()),
                (ID, secret)
            );
        }
        assert_eq!(
            status(&[&format!("Basic {basic}"), &format!("Basic {basic}")]),
            Some(401)
        );
        assert_eq!(
            status(&[&format!("Basic {}", STANDARD.encode(format!("{ID}:{}", &secret[1..])))]),
            Some(401)
        );
    }

    #[test]
    fn what_is_no_key_is_refused_as_the_contract_says() {
        for (value, expected) in [
            ("Basic", 400),
            ("abc", 400),
            (&*format!("Basic {}", STANDARD.encode(ID)), 400),
            ("", 401),
            ("Basic %%%", 401),
            ("Basic  ", 400),
            ("Digest x", 401),
            (&*format!("Basic {}", STANDARD.encode(":")), 401),
            (&*format!("Basic {}", STANDARD.encode([0xff, 0xfe])), 401),
            (&*format!("Basic {}", "A".repeat(MAX_HEADER_BYTES)), 401),
            ("Bearer x", 401),
        ] {
            assert_eq!(status(&[value]), Some(expected), "{value}");
        }
        assert_eq!(status(&[]), Some(401));
    }

    #[test]
    fn a_bearer_token_is_found_and_the_extra_colon_is_not() {
        assert_eq!(bearer(&headers(&["beARer  abc"])), Some("abc"));
        assert_eq!(bearer(&headers(&["Bearer: abc"])), None);
        assert_eq!(bearer(&headers(&["Bearer"])), None);
        assert_eq!(bearer(&headers(&[])), None);
    }
}
