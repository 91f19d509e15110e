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

/// The most memory of the answers that are kept. All are dropped before it is exceeded. Bytes.
const MAX_KEPT_BYTES: usize = 32 * 1024 * 1024;
/// The memory of an answer in addition to its body and key, for headers and entries of maps: about 3.4 KB, rounded up. Bytes.
const ANSWER_BYTES: usize = 4 * 1024;
/// The longest path with its query under which an answer is kept, in bytes.
const MAX_KEY_BYTES: usize = 256;
/// A body below this size is not packed: it would not get much smaller. Bytes.
const MIN_PACKED_BYTES: usize = 512;

/// The answers that one process keeps, by path and query.
#[derive(Default)]
pub(super) struct Kept {
    answers: RwLock<Answers>,
}

#[derive(Default)]
struct Answers {
    by_key: HashMap<String, Arc<Answer>>,
    /// Their memory.
    bytes: usize,
}

impl Answers {
    fn insert(&mut self, key: String, answer: Arc<Answer>) {
        let bytes = key.len() + answer.max_bytes();
        if self.bytes + bytes > MAX_KEPT_BYTES {
            *self = Self::default();
        }
        if bytes <= MAX_KEPT_BYTES {
            let key_bytes = key.len();
            let before = self.by_key.insert(key, answer);
            let freed = before.map_or(0, |before| key_bytes + before.max_bytes());
            self.bytes = self.bytes + bytes - freed;
        }
    }
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
        answers.by_key.get(key).cloned()
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
            answers.insert(key, Arc::clone(&answer));
        }
        answer.show(gzip)
    }
}

impl Answer {
    /// The most memory that it takes. The packed body comes later, and is smaller than the body.
    fn max_bytes(&self) -> usize {
        let bodies = if self.body.len() < MIN_PACKED_BYTES { 1 } else { 2 };
        ANSWER_BYTES + bodies * self.body.len()
    }

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

    /// Keeps a body of so many bytes under a key, and gives the number of answers and their memory.
    async fn keep(kept: &Kept, key: String, bytes: usize) -> (usize, usize) {
        let response = Response::new(Body::from(vec![b'x'; bytes]));
        kept.keep(key, false, response, None).await;
        let answers = kept.answers.read().unwrap();
        (answers.by_key.len(), answers.bytes)
    }

    #[tokio::test]
    async fn memory_of_large_answers_is_bounded() {
        let kept = Kept::default();
        for number in 0..9 {
            let (count, bytes) = keep(&kept, format!("/{number}"), MAX_KEPT_BYTES / 10).await;
            assert!((1..=4).contains(&count) && bytes <= MAX_KEPT_BYTES, "{count} {bytes}");
        }
        assert_eq!(keep(&kept, "/large".to_owned(), MAX_KEPT_BYTES).await, (0, 0));
    }

    #[tokio::test]
    async fn memory_of_small_answers_is_bounded() {
        let (kept, most) = (Kept::default(), MAX_KEPT_BYTES / ANSWER_BYTES);
        for number in 0..most + 10 {
            let (count, bytes) = keep(&kept, format!("/?{number}"), 1).await;
            assert!(count < most && bytes <= MAX_KEPT_BYTES, "{count} {bytes}");
        }
    }

    #[tokio::test]
    async fn newer_answer_takes_the_place_of_the_older_one() {
        let kept = Kept::default();
        keep(&kept, "/".to_owned(), 10_000).await;
        let (count, bytes) = keep(&kept, "/".to_owned(), 10).await;
        assert_eq!((count, bytes), (1, ANSWER_BYTES + 11));
        let long = "x".repeat(MAX_KEY_BYTES + 1);
        assert_eq!(keep(&kept, long, 10).await, (count, bytes));
    }
}
