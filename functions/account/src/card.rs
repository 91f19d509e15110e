//! `GET /users/{id}/card`: [`card`] draws the public profile of a user as an SVG image.

use std::fmt::Write;

use axum::body::Body;
use axum::response::Response;
use bespoke_database::profiles::Profile;
use bespoke_web::{Params, Public, Result, Session};
use http::{HeaderValue, StatusCode, header};

use crate::profile;

const SVG: HeaderValue = HeaderValue::from_static("image/svg+xml; charset=utf-8");
/// Content security policy of the image: it runs no script and loads nothing, also if it is opened on its own.
const POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
/// A card may be cached, because its content changes seldom.
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=300");
/// Colours for the letters of the service's name. They repeat for a longer name.
const RAINBOW: [&str; 7] = [
    "#f87171", "#fb923c", "#facc15", "#4ade80", "#38bdf8", "#818cf8", "#e879f9",
];

/// Read a user's profile card
///
/// An account that is not active or has not consented has no card.
#[utoipa::path(get, path = "/users/{id}/card", tag = "Users", operation_id = "readCard",
    params(("id" = String, Path, description = "Integer id, UUID or user name.")),
    responses(
        (status = 200, description = "An SVG image, 500 wide and 100 high.", body = String, content_type = "image/svg+xml"),
        (status = 404, description = "There is no such account, or it has no card.", body = String, content_type = "image/svg+xml"),
    ))]
pub(crate) async fn card(_: Public, session: Session, params: Params) -> Result<Response> {
    let profile = profile::find(&session, &params).await?;
    let (status, picture) = match &profile {
        Some(Profile { name, .. }) => {
            let service = &session.config().mail.service;
            (StatusCode::OK, draw(service, name.account_status.id, &name.username))
        }
        None => (StatusCode::NOT_FOUND, String::new()),
    };
    let mut response = Response::new(Body::from(picture));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, SVG);
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    if profile.is_some() {
        headers.insert(header::CACHE_CONTROL, CACHE);
    }
    Ok(response)
}

fn draw(service: &str, id: i64, username: &str) -> String {
    let letters = service.chars().zip(RAINBOW.iter().cycle());
    let service = letters.fold(String::new(), |mut text, (letter, colour)| {
        let letter = escape(letter.encode_utf8(&mut [0; 4]));
        write!(text, r#"<tspan fill="{colour}">{letter}</tspan>"#).expect("writing to a String cannot fail");
        text
    });
    let username = escape(username);
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 500 100" width="500" height="100" font-family="sans-serif" font-weight="bold">
<rect width="500" height="100" rx="8" fill="#1f2937"/>
<g fill="none" stroke="#4b5563" stroke-width="3" stroke-linecap="round">
<path d="M455 12v76" stroke-dasharray="1 9"/>
<path d="M470 15l-30 70M440 15l30 70"/><circle cx="436" cy="90" r="6"/><circle cx="474" cy="90" r="6"/>
</g>
<text x="16" y="30" font-size="18" fill="#fff">#{id}</text>
<text x="420" y="30" font-size="22" text-anchor="end" xml:space="preserve">{service}</text>
<text x="16" y="84" font-size="30" fill="#fff">{username}</text>
</svg>
"##
    )
}

/// Escapes text for XML. Characters that XML does not allow become spaces.
fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, c| {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push(' '),
            c => escaped.push(c),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped() {
        let card = draw("A&B", 7, "<script>\"'\u{0}\u{ffff}&amp;</text>");
        assert!(
            card.contains(">&lt;script&gt;&quot;&#39;  &amp;amp;&lt;/text&gt;</text>"),
            "{card}"
        );
        assert!(card.contains(r##">#7</text>"##));
        assert!(card.contains(r##"<tspan fill="#fb923c">&amp;</tspan>"##));
    }
}
