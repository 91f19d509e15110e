//! Parses the `Authorization` header: a token ([`bearer`]), or an API key with its secret ([`key_credentials`], also as `Basic`).

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bespoke_core::KeySecret;
use http::{HeaderMap, header};
use uuid::Uuid;

use crate::response::Error;

/// Maximum length of a header, in bytes. Valid credentials are below 1 KiB.
const MAX_HEADER_BYTES: usize = 8 * 1024;

/// Base64 with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Well-formed credentials of an API key, not yet verified.
#[derive(Debug)]
pub(super) struct KeyCredentials {
    pub(super) id: Uuid,
    pub(super) secret: KeySecret,
}

/// Returns the scheme and the value of the `Authorization` header; `None` unless there is exactly one well-formed header.
fn authorization(headers: &HeaderMap) -> Option<(&str, &str)> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (all.next()?, all.next()) else {
        return None;
    };
    if value.len() > MAX_HEADER_BYTES {
        return None;
    }
    let (scheme, value) = value.to_str().ok()?.trim().split_once(' ')?;
    // FreeSewing's client sends `Bearer: <token>` from its page for administrators.
    Some((scheme.strip_suffix(':').unwrap_or(scheme), value.trim()))
}

/// Returns the Bearer token.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = authorization(headers)?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// Parses an API key, in Basic credentials or as the Bearer token `<key>.<secret>`.
///
/// # Errors
/// 400 for a header without a value and for Basic credentials without a colon; 401 for all other malformed credentials. Clients of the original
/// backend depend on this difference.
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
    // Some encoders wrap their output, and some clients send the line breaks as blanks. Others use the alphabet of URLs.
    let bytes = value.bytes().filter(|byte| !byte.is_ascii_whitespace());
    let encoded: Vec<u8> = bytes
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            byte => byte,
        })
        .collect();
    let decoded = BASE64
        .decode(encoded)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(refused)?;
    let mut parts = decoded.split(':');
    // The original backend ignores a second colon and the text after it.
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
    use crate::system::SystemRandom;

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
    fn basic_and_bearer_keys_are_parsed() {
        let secret = KeySecret::generate(&SystemRandom);
        let secret = secret.expose();
        let basic = BASE64.encode(format!("{ID}:{secret}"));
        let of_urls = basic.replace('+', "-").replace('/', "_");
        let key = key_credentials(&headers(&[&format!("Basic {of_urls}")])).unwrap();
        assert_eq!(key.secret.expose(), secret);
        for good in [
            format!("Basic {basic}"),
            format!("bASIC   {basic}"),
            format!("Basic: {basic}"),
            format!("Basic {} {}", &basic[..76], &basic[76..]),
            format!("Basic {}", basic.trim_end_matches('=')),
            format!("Basic {}", BASE64.encode(format!("{ID}:{secret}:more"))),
            format!("Bearer {ID}.{secret}"),
            format!("Bearer: {ID}.{secret}"),
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
            status(&[&format!("Basic {}", BASE64.encode(format!("{ID}:{}", &secret[1..])))]),
            Some(401)
        );
    }

    #[test]
    fn malformed_credentials_are_rejected() {
        for (value, expected) in [
            ("Basic", 400),
            ("abc", 400),
            (&*format!("Basic {}", BASE64.encode(ID)), 400),
            ("", 401),
            ("Basic %%%", 401),
            ("Basic  ", 400),
            ("Digest x", 401),
            (&*format!("Basic {}", BASE64.encode(":")), 401),
            (&*format!("Basic {}", BASE64.encode([0xff, 0xfe])), 401),
            (&*format!("Basic {}", "A".repeat(MAX_HEADER_BYTES)), 401),
            ("Bearer x", 401),
        ] {
            assert_eq!(status(&[value]), Some(expected), "{value}");
        }
        assert_eq!(status(&[]), Some(401));
    }

    #[test]
    fn only_a_well_formed_bearer_token_is_parsed() {
        assert_eq!(bearer(&headers(&["beARer  abc"])), Some("abc"));
        assert_eq!(bearer(&headers(&["Bearer: abc"])), Some("abc"));
        assert_eq!(bearer(&headers(&["Bearer:: abc"])), None);
        assert_eq!(bearer(&headers(&["Bearer"])), None);
        assert_eq!(bearer(&headers(&[])), None);
    }
}
