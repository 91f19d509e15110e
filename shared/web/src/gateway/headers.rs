//! [`join`]: joins the values of repeated headers. A request and a response must mean the same under `bespoke serve`, where a header can have
//! several lines, and behind an API gateway, which joins the lines.

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Separates the values of a request, as API Gateway does.
pub(crate) const IN_REQUESTS: &[u8] = b",";
/// Separates the values of a response.
pub(crate) const IN_RESPONSES: &[u8] = b", ";

/// Joins the values of each header that has several. Values of `Set-Cookie` stay separate, because they cannot be joined.
///
/// # Panics
/// Never, because valid values joined by a comma are a valid value.
pub(crate) fn join(headers: &mut HeaderMap, separator: &[u8]) {
    if headers.len() == headers.keys_len() {
        return;
    }
    let names = headers.keys().filter(|name| **name != header::SET_COOKIE);
    let repeated: Vec<HeaderName> = names
        .filter(|name| headers.get_all(*name).iter().nth(1).is_some())
        .cloned()
        .collect();
    for name in repeated {
        let separator = if name == header::COOKIE { b"; " } else { separator };
        let values: Vec<_> = headers.get_all(&name).iter().map(HeaderValue::as_bytes).collect();
        let joined = HeaderValue::from_bytes(&values.join(separator));
        headers.insert(name, joined.expect("valid values joined by a comma are a valid value"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_joined_except_new_cookies() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("vary", "A"),
            ("vary", "B"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
            ("accept", "*/*"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        join(&mut headers, IN_RESPONSES);
        assert_eq!(headers["vary"], "A, B");
        assert_eq!(headers["cookie"], "a=1; b=2");
        assert_eq!(headers.get_all("set-cookie").iter().count(), 2);
        assert_eq!((headers.len(), headers.keys_len()), (5, 4));
    }
}
