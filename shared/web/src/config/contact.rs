//! [`Contact`]: the address or the page at which users reach the operator.

use std::fmt;
use std::str::FromStr;

use bespoke_core::validate::is_email;
use http::Uri;

/// How to write a contact.
const EXPECTED: &str = "must be an e-mail address without a name, or the URL of a page without quotes, & and angle brackets, for example \
    help@example.org or https://example.org/help";

/// An e-mail address or a web page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contact {
    /// An e-mail address.
    Email(String),
    /// The URL of a page. It contains no character with a meaning in HTML.
    Page(String),
}

impl Contact {
    /// The target of a link to the contact.
    pub fn href(&self) -> String {
        match self {
            Self::Email(address) => format!("mailto:{address}"),
            Self::Page(url) => url.clone(),
        }
    }
}

impl FromStr for Contact {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_plain = !text.contains(['<', '>', '"', '\'', '&', '\\', '`']);
        let is_page = || {
            let uri = text.parse::<Uri>().ok();
            uri.is_some_and(|uri| matches!(uri.scheme_str(), Some("https" | "http")) && uri.host().is_some())
        };
        match text {
            _ if is_plain && is_email(text) => Ok(Self::Email(text.to_owned())),
            _ if is_plain && is_page() => Ok(Self::Page(text.to_owned())),
            _ => Err(EXPECTED),
        }
    }
}

impl fmt::Display for Contact {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Email(text) | Self::Page(text) => formatter.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_or_a_plain_url_is_accepted() {
        let of = |text: &str| text.parse::<Contact>().map(|contact| contact.href());
        assert_eq!(of("help@example.org").unwrap(), "mailto:help@example.org");
        assert_eq!(
            of("https://example.org/help?a=1").unwrap(),
            "https://example.org/help?a=1"
        );
        for wrong in [
            "",
            "help",
            "/help",
            "javascript:alert(1)",
            "https://",
            "https://example.org/<b>",
            "https://example.org/\"onclick=",
            "o'brien@example.org",
        ] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
