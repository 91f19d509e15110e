//! [`Answer`]: a response in one form, whichever host returned it. [`Answer::masked`] replaces the values that may differ between two
//! responses to one request.

use std::collections::BTreeMap;
use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use serde_json::Value;

/// Headers of the connection or of the moment. The gateway computes the length of the body itself.
const CONNECTION_HEADERS: [&str; 3] = ["connection", "content-length", "date"];

/// The beginning of the ids of the demonstration, which are always the same.
const FIXED_IDS: &str = "00000000-0000-4000-8000-";

/// The separator between the head and the body of a response.
const HEAD_END: &[u8] = b"\r\n\r\n";

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

/// Returns the body as text, decompressed if necessary.
fn decoded_body(headers: &BTreeMap<String, String>, body: &[u8]) -> String {
    let mut text = String::new();
    if body.is_empty() {
        // A response to HEAD has the headers of the body that it does not contain.
        return text;
    }
    if headers
        .get("content-encoding")
        .is_some_and(|encoding| encoding == "gzip")
    {
        GzDecoder::new(body).read_to_string(&mut text).expect("a packed text");
    } else {
        std::str::from_utf8(body).expect("a text").clone_into(&mut text);
    }
    text
}

impl Answer {
    /// Converts the response of a function to the gateway.
    pub(super) fn from_function(answer: &Value) -> Self {
        let headers = answer["headers"].as_object().expect("headers");
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().expect("one value").to_owned()));
        let headers = headers.collect();
        let body = answer["body"].as_str().unwrap_or_default().to_owned();
        let body = match answer["isBase64Encoded"].as_bool().expect("a flag") {
            true => STANDARD.decode(body).expect("base64"),
            false => body.into(),
        };
        let body = decoded_body(&headers, &body);
        // In version 2.0 the gateway ignores these, or converts them to unwanted headers.
        assert_eq!(answer["multiValueHeaders"], serde_json::json!({}));
        assert_eq!(answer["cookies"], serde_json::json!([]));
        let status = answer["statusCode"]
            .as_u64()
            .and_then(|status| u16::try_from(status).ok());
        Self {
            status: status.expect("a status"),
            headers,
            body,
        }
    }

    /// Parses all bytes of a connection that the server has closed.
    pub(super) fn from_http(bytes: &[u8]) -> Self {
        let end = bytes.windows(HEAD_END.len()).position(|window| window == HEAD_END);
        let (head, body) = bytes.split_at(end.expect("a head"));
        let head = std::str::from_utf8(head).expect("a text");
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let mut headers = BTreeMap::<String, String>::new();
        for line in lines {
            let (name, value) = line.split_once(": ").expect("a header");
            // Several lines with one name are joined.
            headers
                .entry(name.to_ascii_lowercase())
                .and_modify(|before| *before = format!("{before}, {value}"))
                .or_insert_with(|| value.to_owned());
        }
        assert!(
            !headers.contains_key("transfer-encoding"),
            "this client reads no chunks"
        );
        Self {
            status: status.and_then(|status| status.parse().ok()).expect("a status"),
            body: decoded_body(&headers, &body[HEAD_END.len()..]),
            headers,
        }
    }

    /// The body as JSON; null if it is empty.
    fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// Checks the status; returns the body.
    #[track_caller]
    pub(super) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.json()
    }

    /// The response with placeholders for values that differ each time: times, ids, secrets, tokens, and ETags of such bodies.
    pub(super) fn masked(mut self) -> Self {
        for name in CONNECTION_HEADERS {
            self.headers.remove(name);
        }
        if let Some(id) = self.headers.get_mut("x-request-id") {
            *id = mask(id).to_owned();
        }
        // The remaining quota decreases with each call.
        if let Some(left) = self.headers.get_mut("ratelimit") {
            "<left>".clone_into(left);
        }
        // The delivery of a mail is a commit of its own.
        if let Some(version) = self.headers.get_mut("db-seq") {
            "<version>".clone_into(version);
        }
        if let Ok(mut body) = serde_json::from_str(&self.body) {
            mask_all(&mut body);
            let masked = body.to_string();
            if masked != self.body {
                self.body = masked;
                self.headers
                    .entry("etag".into())
                    .and_modify(|tag| *tag = "<tag>".into());
            }
        }
        self
    }
}

fn mask_all(value: &mut Value) {
    match value {
        Value::String(text) => *text = mask(text).to_owned(),
        Value::Array(items) => items.iter_mut().for_each(mask_all),
        Value::Object(fields) => {
            for (name, field) in fields {
                // Each process counts its own calls.
                if name == "calls" && field.is_number() {
                    *field = "<calls>".into();
                } else {
                    mask_all(field);
                }
            }
        }
        _ => {}
    }
}

fn mask(text: &str) -> &str {
    let is_id = text.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && !text.starts_with(FIXED_IDS);
    let is_time = text.len() == 24 && text.ends_with('Z') && text.as_bytes()[10] == b'T';
    match text {
        _ if is_id => "<id>",
        _ if is_time => "<time>",
        _ if text.starts_with("fsk_") => "<secret>",
        _ if text.starts_with("eyJ") => "<token>",
        _ => text,
    }
}

#[test]
fn only_values_that_differ_on_each_call_are_masked() {
    let body = serde_json::json!({ "uuid": "6f9619ff-8b86-4011-b42d-00c04fc964ff", "id": format!("{FIXED_IDS}000000000003"),
        "at": ["2026-01-01T00:00:00.000Z"], "secret": "fsk_x", "token": "eyJ.x.y", "name": "Jane", "count": 3 });
    let mut answer = Answer {
        status: 200,
        headers: BTreeMap::from([("etag".into(), "W/x".into()), ("date".into(), "now".into())]),
        body: body.to_string(),
    };
    let masked = answer.clone().masked();
    assert_eq!(
        masked.body,
        r#"{"uuid":"<id>","id":"00000000-0000-4000-8000-000000000003","at":["<time>"],"secret":"<secret>","token":"<token>","name":"Jane","count":3}"#
    );
    assert_eq!(masked.headers, BTreeMap::from([("etag".into(), "<tag>".into())]));
    answer.body = r#"{"name":"Jane"}"#.into();
    assert_eq!(answer.masked().headers["etag"], "W/x");
}
