//! Parses the trace of a request from its headers: W3C Trace Context, or the X-Ray header on Lambda.
//!
//! A client can send any value. If a value violates the specification, it is ignored and a new trace begins; the response does not change. This
//! module has its own parser, because the parser of the crate `opentelemetry_sdk` also accepts shorter ids, signs and blanks.

use axum::extract::Request;
use bespoke_storage::trace::{TRACEPARENT, TRACESTATE, TraceContext};
use http::{HeaderMap, HeaderValue};

/// Length of `traceparent` in version 00, in bytes. Later versions may append fields.
const TRACEPARENT_BYTES: usize = 55;
/// The version number that the specification forbids.
const INVALID_VERSION: u128 = 0xff;
/// The flag that the caller may have recorded the trace.
const SAMPLED: u128 = 0x01;
/// Maximum length of a `tracestate`, in bytes. A longer one is dropped.
const MAX_STATE_BYTES: usize = 512;
/// The maximum number of entries of a `tracestate`; one with more entries is dropped.
const MAX_STATE_MEMBERS: usize = 32;
/// Maximum length of a key, and of a value, of an entry, in bytes.
const MAX_MEMBER_BYTES: usize = 256;

/// Values of `X-Amzn-Trace-Id` in the order of preference. The Lambda host inserts them into the extensions of a request.
#[derive(Debug, Clone)]
pub(crate) struct XRay(pub(crate) Vec<String>);

/// Returns the trace of the request; `None` if no header contains a valid one. `new` provides the parent id if X-Ray has none.
pub(crate) fn of(request: &Request, new: &TraceContext) -> Option<TraceContext> {
    of_headers(request.headers()).or_else(|| {
        let XRay(values) = request.extensions().get()?;
        values.iter().find_map(|text| of_x_ray(text, new))
    })
}

/// Parses `traceparent`, and `tracestate` if both are valid.
pub(crate) fn of_headers(headers: &HeaderMap) -> Option<TraceContext> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let mut context = parse(value.as_bytes())?;
    context.state = state_of(headers);
    Some(context)
}

fn parse(text: &[u8]) -> Option<TraceContext> {
    let (fields_of_version_0, rest) = text.split_at_checked(TRACEPARENT_BYTES)?;
    let mut fields = fields_of_version_0.split(|byte| *byte == b'-');
    let mut next = |digits| hex(fields.next()?, digits);
    let (version, trace_id, parent_id, flags) = (next(2)?, next(32)?, next(16)?, next(2)?);
    let is_complete = match version {
        INVALID_VERSION => false,
        0 => rest.is_empty(),
        _ => rest.is_empty() || rest.starts_with(b"-"),
    };
    let parent_id = u64::try_from(parent_id).ok()?;
    (is_complete && trace_id != 0 && parent_id != 0).then_some(TraceContext {
        trace_id,
        parent_id,
        is_sampled: flags & SAMPLED != 0,
        state: None,
    })
}

/// Parses a number with exactly `digits` lower-case hexadecimal digits.
fn hex(field: &[u8], digits: usize) -> Option<u128> {
    let is_hex = field.len() == digits && field.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let text = std::str::from_utf8(field).ok().filter(|_| is_hex)?;
    u128::from_str_radix(text, 16).ok()
}

/// Joins the lines of `tracestate`; `None` without entries, or if one entry is invalid.
fn state_of(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut lines = headers.get_all(TRACESTATE).iter();
    let first = lines.next()?;
    let mut bytes = first.as_bytes().to_vec();
    for line in lines {
        bytes.push(b',');
        bytes.extend_from_slice(line.as_bytes());
        if bytes.len() > MAX_STATE_BYTES {
            return None;
        }
    }
    let mut members = 0;
    for member in bytes.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
        if !member.is_empty() && !is_member(member) {
            return None;
        }
        members += usize::from(!member.is_empty());
    }
    let is_bounded = bytes.len() <= MAX_STATE_BYTES && (1..=MAX_STATE_MEMBERS).contains(&members);
    HeaderValue::from_bytes(&bytes).ok().filter(|_| is_bounded)
}

/// Whether the bytes are a valid entry: `key=value`, or `tenant@system=value`.
fn is_member(member: &[u8]) -> bool {
    let Some(end) = member.iter().position(|byte| *byte == b'=') else {
        return false;
    };
    let (key, value) = (&member[..end], &member[end + 1..]);
    let in_key = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(byte);
    let begins_well = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let in_value = |byte: &u8| matches!(byte, b' '..=b'~') && *byte != b'=';
    key.first().is_some_and(begins_well)
        && key.iter().all(in_key)
        && !value.is_empty()
        && value.iter().all(in_value)
        && key.len().max(value.len()) <= MAX_MEMBER_BYTES
}

/// Parses an X-Ray header: `Root=1-<8 digits>-<24 digits>;Parent=<16 digits>;Sampled=1`. The digits of `Root` are the trace id. An API gateway
/// omits `Parent` and `Sampled`. In that case the parent is that of `new`, and the trace counts as sampled, because no service has decided
/// against it.
fn of_x_ray(text: &str, new: &TraceContext) -> Option<TraceContext> {
    let (mut root, mut parent, mut is_sampled) = (None, None, true);
    for (name, value) in text.split(';').filter_map(|field| field.trim().split_once('=')) {
        match name {
            "Root" => root = Some(value),
            "Parent" => parent = Some(value),
            "Sampled" => is_sampled = value != "0",
            _ => {}
        }
    }
    let (time, unique) = root?.strip_prefix("1-")?.split_once('-')?;
    let trace_id = hex(time.as_bytes(), 8)? << 96 | hex(unique.as_bytes(), 24)?;
    let parent_id = match parent {
        Some(digits) => u64::try_from(hex(digits.as_bytes(), 16)?).ok()?,
        None => new.parent_id,
    };
    (trace_id != 0 && parent_id != 0).then_some(TraceContext {
        trace_id,
        parent_id,
        is_sampled,
        state: None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn of_lines(parents: &[&str], states: &[&str]) -> Option<TraceContext> {
        let mut headers = HeaderMap::new();
        for (name, lines) in [(TRACEPARENT, parents), (TRACESTATE, states)] {
            for line in lines {
                headers.append(&name, HeaderValue::from_str(line).unwrap());
            }
        }
        of_headers(&headers)
    }

    fn state(lines: &[&str]) -> Option<String> {
        let context = of_lines(&[VALID], lines).unwrap();
        context.state.map(|state| state.to_str().unwrap().to_owned())
    }

    #[test]
    fn valid_traceparent_is_parsed() {
        let context = of_lines(&[VALID], &[]).unwrap();
        assert_eq!(context.trace_id, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
        assert_eq!(context.parent_id, 0xb7ad_6b71_6920_3331);
        assert!(context.is_sampled);
        assert_eq!(context.traceparent(), VALID);
        let unsampled = of_lines(&[&VALID.replace("-01", "-fe")], &[]).unwrap();
        assert!(!unsampled.is_sampled);
    }

    #[test]
    fn later_versions_may_be_longer() {
        for more in ["", "-", "-what-the-future-will-be-like"] {
            let text = format!("cc{}{more}", &VALID[2..]);
            assert_eq!(of_lines(&[&text], &[]), of_lines(&[VALID], &[]), "{text}");
        }
        assert_eq!(of_lines(&[&format!("cc{}.x", &VALID[2..])], &[]), None);
    }

    #[test]
    fn invalid_traceparent_is_ignored() {
        let zero_trace = "00-00000000000000000000000000000000-b7ad6b7169203331-01";
        let zero_parent = "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01";
        let invalid = [
            "",
            "00",
            zero_trace,
            zero_parent,
            &VALID.to_uppercase(),
            &VALID.replace("00-", "ff-"),
            &VALID.replace("00-", "0-"),
            &VALID.replace("-01", "-1"),
            &VALID.replace("-01", "-0g"),
            &VALID.replace("-01", "-+1"),
            &VALID.replace("-0a", "-+a"),
            &VALID.replace('-', "_"),
            &format!("{VALID}-"),
            &format!("{VALID}-00"),
            &format!("{VALID},{VALID}"),
            &VALID[..54],
        ];
        for text in invalid {
            assert_eq!(of_lines(&[text], &[]), None, "{text}");
        }
        assert_eq!(of_lines(&[VALID, VALID], &[]), None);
        assert_eq!(of_lines(&[], &["vendor=1"]), None);
    }

    #[test]
    fn valid_tracestate_is_forwarded() {
        for text in [
            "a=1",
            "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
            "t@v=x y",
            "0a/b*=1",
            "a=1, ,b=2",
        ] {
            assert_eq!(state(&[text]).as_deref(), Some(text));
        }
        assert_eq!(state(&["a=1", "b=2"]).as_deref(), Some("a=1,b=2"));
        let most = ["a=1"; MAX_STATE_MEMBERS].join(",");
        assert_eq!(state(&[&most]), Some(most));
    }

    #[test]
    fn invalid_tracestate_is_dropped() {
        let (many, long) = (
            ["a=1"; MAX_STATE_MEMBERS + 1].join(","),
            "a".repeat(MAX_MEMBER_BYTES + 1),
        );
        let (long_key, long_value) = (format!("{long}=1"), format!("a={long}"));
        let longest = format!("a={0},b={0}", "x".repeat(255));
        for text in [
            "",
            "a",
            "a=",
            "=1",
            "A=1",
            "a=1=2",
            "a=\t",
            "é=1",
            &many,
            &long_key,
            &long_value,
            &longest,
        ] {
            assert_eq!(state(&[text]), None, "{text}");
        }
        assert_eq!(state(&[&"a=1,".repeat(100), &"b=2,".repeat(100)]), None);
    }

    #[test]
    fn x_ray_header_is_converted() {
        let new = TraceContext::new(7, 9);
        let of = |text| of_x_ray(text, &new);
        let complete =
            of("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=a:0").unwrap();
        assert_eq!(
            complete.traceparent(),
            "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01"
        );
        let root = of("Root=1-5759e988-bd862e3fe1be46a994272793").unwrap();
        assert_eq!((root.parent_id, root.is_sampled), (9, true));
        let unsampled = of("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0").unwrap();
        assert!(!unsampled.is_sampled);
        for text in [
            "",
            "Parent=53995c3f42cd8ad8",
            "Root=2-5759e988-bd862e3fe1be46a994272793",
            "Root=1-5759e988-bd862e3fe1be46a99427279",
            "Root=1-5759E988-bd862e3fe1be46a994272793",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=1",
            "Root=1-00000000-000000000000000000000000",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn written_context_is_parsed_again(trace_id in 1_u128.., parent_id in 1_u64.., is_sampled: bool) {
            let context = TraceContext { is_sampled, ..TraceContext::new(trace_id, parent_id) };
            prop_assert_eq!(parse(context.traceparent().as_bytes()), Some(context));
        }

        /// The parser accepts exactly the texts that `TraceContext` would write, and longer texts of later versions.
        #[test]
        fn accepted_text_is_canonical(
            text in "[0-9a-f]{1,2}-[0-9a-fA+]{31,33}-[0-9a-f]{15,17}-[0-9a-f]{2}(-[a-z]{0,3})?|[0-9a-f-]{0,60}|[ -~]{55}",
        ) {
            if let Some(context) = parse(text.as_bytes()) {
                let (written, flags) = (context.traceparent(), u8::from_str_radix(&text[53..55], 16));
                prop_assert_eq!(&written.as_bytes()[2..53], &text.as_bytes()[2..53]);
                prop_assert_eq!(context.is_sampled, flags.unwrap() & 1 == 1);
                prop_assert!(!text.starts_with("ff") && (text.len() == 55 || !text.starts_with("00")));
            }
        }

        #[test]
        fn any_header_is_parsed_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let mut headers = HeaderMap::new();
            headers.insert(TRACEPARENT, HeaderValue::from_static(VALID));
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                headers.insert(TRACESTATE, value);
            }
            let state = of_headers(&headers).and_then(|context| context.state);
            prop_assert!(state.is_none_or(|state| state.len() <= MAX_STATE_BYTES));
            parse(&bytes);
            of_x_ray(&String::from_utf8_lossy(&bytes), &TraceContext::new(1, 1));
        }
    }
}
