//! Parses URLs, origins and hosts in settings. Each error says how to write the value.

use bespoke_core::validate::{clean_email, is_email};
use url::{Host, Url};

/// Parses a URL to which paths are appended. Returns it without a trailing slash, and otherwise unchanged, because tokens contain it.
pub(super) fn base(text: &str) -> Result<String, String> {
    let example = "must be an http or https URL, for example https://api.example.org";
    let url = Url::parse(text).map_err(|_| example)?;
    if !is_web(&url) || !text.contains("://") || text.contains(char::is_whitespace) {
        return Err(example.to_owned());
    }
    if has_user(&url) || url.query().is_some() || url.fragment().is_some() {
        return Err(format!("{example}, without user, ? and #"));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// Parses the scheme of a website.
pub(super) fn scheme(text: &str) -> Result<String, &'static str> {
    match text.to_ascii_lowercase() {
        scheme if matches!(scheme.as_str(), "http" | "https") => Ok(scheme),
        _ => Err("must be http or https"),
    }
}

/// Parses a host with an optional port.
pub(super) fn host(text: &str) -> Result<String, &'static str> {
    let url = Url::parse(&format!("https://{text}")).ok();
    let is_host = url.is_some_and(|url| !has_user(&url) && url.host().is_some_and(|host| is_complete(&host)))
        && !text.contains(|character: char| "/\\?#@*,;".contains(character) || character.is_whitespace());
    let problem = "must be a host, for example example.org, without https:// and without a path";
    is_host.then(|| text.to_owned()).ok_or(problem)
}

/// Parses the domain of e-mail addresses. Returns it as addresses are compared: in lower case and in its ASCII form.
pub(super) fn email_domain(text: &str) -> Result<String, &'static str> {
    let cleaned = clean_email(&format!("user@{text}"));
    let is_domain = is_email(&cleaned) && !text.contains('@');
    let domain = cleaned.strip_prefix("user@").filter(|_| is_domain);
    let problem = "must be the domain of e-mail addresses, for example example.org, without @ and without a port";
    domain.map(str::to_owned).ok_or(problem)
}

/// Parses an origin, in the form in which a browser sends it: in lower case, without a default port and without a trailing slash.
pub(super) fn origin(text: &str) -> Result<String, String> {
    let problem = |problem: &str| format!("{text} {problem}");
    if text == "*" || text.eq_ignore_ascii_case("all") {
        return Err(problem("allows every origin, so no other may be listed"));
    }
    if text.contains('*') {
        return Err(problem(
            "has a wildcard, which is not supported: list each origin, or write all",
        ));
    }
    let example = "is not an origin: write it with its scheme, as in https://lab.example.org";
    if !text.contains("://") {
        return Err(problem(example));
    }
    let url = Url::parse(text).map_err(|_| problem(example))?;
    let Some(host) = url.host() else {
        return Err(problem(example));
    };
    if !matches!(url.path(), "" | "/") || has_user(&url) || url.query().is_some() || url.fragment().is_some() {
        return Err(problem(
            "has more than scheme, host and port, which an origin cannot have",
        ));
    }
    if is_web(&url) {
        return Ok(url.origin().ascii_serialization());
    }
    // Applications have schemes of their own, for example `capacitor`.
    let port = url.port().map(|port| format!(":{port}"));
    let host = host.to_string().to_ascii_lowercase();
    Ok(format!("{}://{host}{}", url.scheme(), port.unwrap_or_default()))
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

fn has_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// Whether a host is more than an empty name or a name with an empty label.
fn is_complete(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => name.split('.').all(|label| !label.is_empty()),
        Host::Ipv4(_) | Host::Ipv6(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_have_the_form_of_browsers() {
        for (text, expected) in [
            ("https://lab.example.org", "https://lab.example.org"),
            ("https://Lab.Example.org/", "https://lab.example.org"),
            ("HTTPS://lab.example.org:443", "https://lab.example.org"),
            ("http://localhost:8000", "http://localhost:8000"),
            ("http://[::1]:80", "http://[::1]"),
            ("https://münchen.example", "https://xn--mnchen-3ya.example"),
            ("capacitor://localhost", "capacitor://localhost"),
        ] {
            assert_eq!(origin(text).as_deref(), Ok(expected), "{text}");
        }
        for wrong in [
            "*",
            "All",
            "lab.example.org",
            "localhost:8000",
            "https://lab.example.org/path",
            "https://lab.example.org?x",
            "https://*.example.org",
            "https://jane@example.org",
            "https://",
            "null",
            "//example.org",
            "file:///",
        ] {
            let problem = origin(wrong).unwrap_err();
            assert!(
                problem.starts_with(wrong) && problem.len() > wrong.len() + 20,
                "{wrong}: {problem}"
            );
        }
    }

    #[test]
    fn hosts_have_neither_scheme_nor_path() {
        for host_and_port in [
            "example.org",
            "localhost:3000",
            "127.0.0.1",
            "[::1]:80",
            "münchen.example",
        ] {
            assert_eq!(host(host_and_port).as_deref(), Ok(host_and_port));
        }
        for wrong in [
            "",
            "https://example.org",
            "example.org/",
            "example.org/lab",
            "a b",
            "jane@example.org",
            ".org",
            "a..b",
            "*.example.org",
            "a:b",
            "a.org,b.org",
        ] {
            assert!(host(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn base_urls_are_complete() {
        for (text, expected) in [
            ("https://api.example.org/", "https://api.example.org"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("https://API.example.org/v3//", "https://API.example.org/v3"),
        ] {
            assert_eq!(base(text).as_deref(), Ok(expected));
        }
        for wrong in [
            "",
            "api.example.org",
            "localhost:3000",
            "/v3",
            "ftp://example.org",
            "https://",
            "https:/example.org",
            "https://a b",
            "https://example.org?x=1",
            "https://example.org/#x",
            "https://jane:secret@example.org",
        ] {
            let problem = base(wrong).unwrap_err();
            assert!(
                problem.contains("https://api.example.org") && !problem.contains("secret"),
                "{wrong}"
            );
        }
    }
}
