//! [`ResponseCache`]: caches responses that are the same for all callers. An entry is valid as long as the database has not changed, and
//! is compressed once.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use bespoke_database::Version;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::collect::collect;
use super::conditional_get::etag_of;
use crate::response::Result;
use crate::state::Session;

/// Capacity of the cache, in bytes. All entries are dropped before the cache exceeds it.
const MAX_CACHE_BYTES: usize = 32 * 1024 * 1024;
/// The memory of an entry in addition to its body and key: about 3.4 KB for headers and map entries, rounded up, in bytes.
const ENTRY_BYTES: usize = 4 * 1024;
/// Maximum length of a cache key (a path with its query), in bytes.
const MAX_KEY_BYTES: usize = 256;
/// Minimum size of a body that is compressed, in bytes. Smaller ones would not shrink much.
const MIN_COMPRESSED_BYTES: usize = 512;

/// The response cache of a gateway.
#[derive(Default)]
pub(super) struct ResponseCache {
    entries: RwLock<Entries>,
}

#[derive(Default)]
struct Entries {
    by_key: HashMap<String, Arc<CachedResponse>>,
    /// The memory of all entries.
    bytes: usize,
}

impl Entries {
    fn insert(&mut self, key: String, response: Arc<CachedResponse>) {
        let bytes = key.len() + response.max_bytes();
        if self.bytes + bytes > MAX_CACHE_BYTES {
            *self = Self::default();
        }
        if bytes <= MAX_CACHE_BYTES {
            let key_bytes = key.len();
            let replaced = self.by_key.insert(key, response);
            let freed_bytes = replaced.map_or(0, |replaced| key_bytes + replaced.max_bytes());
            self.bytes = self.bytes + bytes - freed_bytes;
        }
    }
}

/// A response with status 200.
struct CachedResponse {
    /// The version of the database for which the response is valid; `None` if the handler did not read the database.
    version: Option<Version>,
    headers: HeaderMap,
    body: Bytes,
    /// The body compressed with gzip; `None` if gzip does not make it smaller. Set when the first client that accepts gzip requests it.
    compressed: OnceLock<Option<Bytes>>,
}

impl ResponseCache {
    /// Returns the cached response if the database has not changed since.
    ///
    /// # Errors
    /// 503 if the local copy cannot be revalidated.
    pub(super) async fn get(&self, key: &str, gzip: bool, session: &Session) -> Result<Option<Response>> {
        let Some(cached) = self.find(key) else {
            return Ok(None);
        };
        let is_valid = match cached.version {
            None => true,
            Some(version) => session.newest_version().await? == version,
        };
        Ok(is_valid.then(|| cached.response(gzip)))
    }

    fn find(&self, key: &str) -> Option<Arc<CachedResponse>> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.by_key.get(key).cloned()
    }

    /// Inserts a response that is based on that version of the database or a newer one, and returns it in the encoding that the client accepts.
    pub(super) async fn insert(
        &self,
        key: String,
        gzip: bool,
        response: Response,
        version: Option<Version>,
    ) -> Response {
        if response.status() != StatusCode::OK {
            return response;
        }
        let (parts, body) = response.into_parts();
        let body = match collect(body).await {
            Ok(body) => body,
            Err(error) => return error.into_response(),
        };
        let mut headers = parts.headers;
        headers.insert(header::ETAG, etag_of(&body));
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        let cached = Arc::new(CachedResponse {
            version,
            headers,
            body,
            compressed: OnceLock::new(),
        });
        if key.len() <= MAX_KEY_BYTES {
            let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
            entries.insert(key, Arc::clone(&cached));
        }
        cached.response(gzip)
    }
}

impl CachedResponse {
    /// Returns an upper bound of the memory that the entry can occupy, in bytes. The compressed body is created later, and is smaller than the body.
    fn max_bytes(&self) -> usize {
        let bodies = if self.body.len() < MIN_COMPRESSED_BYTES { 1 } else { 2 };
        ENTRY_BYTES + bodies * self.body.len()
    }

    fn response(&self, gzip: bool) -> Response {
        let compressed = gzip.then(|| self.compressed.get_or_init(|| compress(&self.body)).clone());
        let mut response = Response::default();
        response.headers_mut().clone_from(&self.headers);
        *response.body_mut() = match compressed.flatten() {
            Some(compressed) => {
                let gzip = HeaderValue::from_static("gzip");
                response.headers_mut().insert(header::CONTENT_ENCODING, gzip);
                Body::from(compressed)
            }
            None => Body::from(self.body.clone()),
        };
        response
    }
}

/// Compresses with gzip; `None` if that does not make the body smaller.
fn compress(bytes: &[u8]) -> Option<Bytes> {
    if bytes.len() < MIN_COMPRESSED_BYTES {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let compressed = encoder.write_all(bytes).and_then(|()| encoder.finish()).ok()?;
    (compressed.len() < bytes.len()).then(|| compressed.into())
}

/// Whether `Accept-Encoding` contains gzip with a quality above zero.
pub(super) fn accepts_gzip(headers: &HeaderMap) -> bool {
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
    fn accept_encoding_is_parsed() {
        let accepts = |line: &'static str| {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(line))]);
            accepts_gzip(&headers)
        };
        for line in ["gzip", "br, GZIP;q=0.5", "deflate, gzip; q=1.0"] {
            assert!(accepts(line), "{line}");
        }
        for line in ["", "br", "gzip;q=0", "identity, gzip; q=0.0", "gzip;q=x", "*"] {
            assert!(!accepts(line), "{line}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }

    /// Inserts a body of that size, and returns the number of entries and their memory.
    async fn insert(cache: &ResponseCache, key: String, bytes: usize) -> (usize, usize) {
        let response = Response::new(Body::from(vec![b'x'; bytes]));
        cache.insert(key, false, response, None).await;
        let entries = cache.entries.read().unwrap();
        (entries.by_key.len(), entries.bytes)
    }

    #[tokio::test]
    async fn memory_of_large_responses_is_bounded() {
        let cache = ResponseCache::default();
        for number in 0..9 {
            let (count, bytes) = insert(&cache, format!("/{number}"), MAX_CACHE_BYTES / 10).await;
            assert!((1..=4).contains(&count) && bytes <= MAX_CACHE_BYTES, "{count} {bytes}");
        }
        assert_eq!(insert(&cache, "/large".to_owned(), MAX_CACHE_BYTES).await, (0, 0));
    }

    #[tokio::test]
    async fn memory_of_small_responses_is_bounded() {
        let (cache, most) = (ResponseCache::default(), MAX_CACHE_BYTES / ENTRY_BYTES);
        for number in 0..most + 10 {
            let (count, bytes) = insert(&cache, format!("/?{number}"), 1).await;
            assert!(count < most && bytes <= MAX_CACHE_BYTES, "{count} {bytes}");
        }
    }

    #[tokio::test]
    async fn newer_response_replaces_the_older_one() {
        let cache = ResponseCache::default();
        insert(&cache, "/".to_owned(), 10_000).await;
        let (count, bytes) = insert(&cache, "/".to_owned(), 10).await;
        assert_eq!((count, bytes), (1, ENTRY_BYTES + 11));
        let long = "x".repeat(MAX_KEY_BYTES + 1);
        assert_eq!(insert(&cache, long, 10).await, (count, bytes));
    }
}
