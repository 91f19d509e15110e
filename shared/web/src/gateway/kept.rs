//! Answers that are the same for everybody: kept as long as the database has not changed, and packed once.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use bespoke_database::Version;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::etag;
use crate::{Result, Session};

/// What is kept at most, in bytes of bodies; with more than that all is forgotten.
const MAX_KEPT_BYTES: usize = 32 * 1024 * 1024;
/// The longest path with its query under which an answer is kept, in bytes.
const MAX_KEY_BYTES: usize = 256;
/// A body below this size is not packed: it would not get much smaller. Bytes.
const MIN_PACKED_BYTES: usize = 512;

/// The answers that one process keeps, by path and query.
#[derive(Default)]
pub(super) struct Kept {
    answers: RwLock<HashMap<String, Arc<Answer>>>,
}

/// What was answered with status 200.
struct Answer {
    /// The state of the database that it shows; `None` where the handler did not read.
    of: Option<Version>,
    headers: HeaderMap,
    body: Bytes,
    packed: OnceLock<Option<Bytes>>,
}

impl Kept {
    /// The answer that is kept, where it is the one that would be given now.
    ///
    /// # Errors
    /// 503 when the bucket cannot be asked for that.
    pub(super) async fn get(&self, key: &str, gzip: bool, session: &Session) -> Result<Option<Response>> {
        let Some(answer) = self.find(key) else {
            return Ok(None);
        };
        let holds = match answer.of {
            None => true,
            Some(version) => session.newest_version().await? == version,
        };
        Ok(holds.then(|| answer.show(gzip)))
    }

    fn find(&self, key: &str) -> Option<Arc<Answer>> {
        let answers = self.answers.read().unwrap_or_else(PoisonError::into_inner);
        answers.get(key).cloned()
    }

    /// Keeps an answer that was made when the database had at least that version; gives it as the client takes it.
    pub(super) async fn keep(&self, key: String, gzip: bool, response: Response, of: Option<Version>) -> Response {
        if response.status() != StatusCode::OK {
            return response;
        }
        let (parts, body) = response.into_parts();
        let body = match super::whole(body).await {
            Ok(body) => body,
            Err(error) => return error.into_response(),
        };
        let mut headers = parts.headers;
        headers.insert(header::ETAG, etag::of(&body));
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        let answer = Arc::new(Answer {
            of,
            headers,
            body,
            packed: OnceLock::new(),
        });
        if key.len() <= MAX_KEY_BYTES {
            let mut answers = self.answers.write().unwrap_or_else(PoisonError::into_inner);
            let kept: usize = answers.values().map(|answer| answer.body.len()).sum();
            if kept + answer.body.len() > MAX_KEPT_BYTES {
                answers.clear();
            }
            answers.insert(key, Arc::clone(&answer));
        }
        answer.show(gzip)
    }
}

impl Answer {
    fn show(&self, gzip: bool) -> Response {
        let packed = gzip.then(|| self.packed.get_or_init(|| pack(&self.body)).clone());
        let mut response = Response::default();
        response.headers_mut().clone_from(&self.headers);
        *response.body_mut() = match packed.flatten() {
            Some(packed) => {
                let gzip = HeaderValue::from_static("gzip");
                response.headers_mut().insert(header::CONTENT_ENCODING, gzip);
                Body::from(packed)
            }
            None => Body::from(self.body.clone()),
        };
        response
    }
}

/// The bytes with gzip, where that makes them fewer.
fn pack(bytes: &[u8]) -> Option<Bytes> {
    if bytes.len() < MIN_PACKED_BYTES {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let packed = encoder.write_all(bytes).and_then(|()| encoder.finish()).ok()?;
    (packed.len() < bytes.len()).then(|| packed.into())
}

/// Whether the client takes gzip: it is named, and not with a quality of zero.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT_ENCODING).iter();
    let mut items = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','));
    items.any(|item| {
        let (name, quality) = item.split_once(';').unwrap_or((item, "q=1"));
        let quality = quality
            .trim()
            .strip_prefix("q=")
            .and_then(|quality| quality.parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case("gzip") && quality.is_some_and(|quality| quality > 0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_gzip_gets_it() {
        let takes = |line: &'static str| {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(line))]);
            takes_gzip(&headers)
        };
        for line in ["gzip", "br, GZIP;q=0.5", "deflate, gzip; q=1.0"] {
            assert!(takes(line), "{line}");
        }
        for line in ["", "br", "gzip;q=0", "identity, gzip; q=0.0", "gzip;q=x", "*"] {
            assert!(!takes(line), "{line}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded() {
        let kept = Kept::default();
        let part = vec![b'x'; MAX_KEPT_BYTES / 4];
        for number in 0..9 {
            let key = format!("/{number}");
            kept.keep(key, false, Response::new(Body::from(part.clone())), None)
                .await;
            let answers = kept.answers.read().unwrap();
            assert!((1..=4).contains(&answers.len()), "{}", answers.len());
        }
        let (before, long) = (kept.answers.read().unwrap().len(), "x".repeat(MAX_KEY_BYTES + 1));
        kept.keep(long, false, Response::default(), None).await;
        assert_eq!(kept.answers.read().unwrap().len(), before);
    }
}
