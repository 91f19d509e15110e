//! Stand-ins for the services that a server calls: a bucket of S3 and GitHub, as far as the tests need them.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bespoke_storage::{ETag, Fetched, MemoryStore, ObjectStore as _, PutCondition, StoreError};
use http_body_util::BodyExt as _;

use super::collector::RouterServer;

const BUCKET: &str = "/bucket/";
/// No test depends on the age of an object.
const LAST_MODIFIED: &str = "Thu, 01 Jan 2026 00:00:00 GMT";
const LISTED_MODIFIED: &str = "2026-01-01T00:00:00.000Z";

/// A request that the services received.
#[derive(Debug, Clone)]
pub(super) struct ReceivedRequest {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
}

#[derive(Clone, Default)]
struct Shared {
    store: MemoryStore,
    requests: Arc<Mutex<Vec<ReceivedRequest>>>,
}

/// A server for all services, and the requests that it received.
pub(super) struct ExternalServices {
    pub(super) server: RouterServer,
    shared: Shared,
}

impl ExternalServices {
    pub(super) fn start() -> Self {
        let shared = Shared::default();
        let router = Router::new().fallback(answer).with_state(shared.clone());
        Self {
            server: RouterServer::start(router),
            shared,
        }
    }

    /// Returns the requests so far.
    pub(super) fn requests(&self) -> Vec<ReceivedRequest> {
        self.shared
            .requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

async fn answer(State(shared): State<Shared>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let request = ReceivedRequest {
        method: head.method.clone(),
        path: head.uri.path().to_owned(),
        headers: head.headers.clone(),
    };
    shared
        .requests
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(request);
    let Some(key) = head.uri.path().strip_prefix(BUCKET) else {
        return (StatusCode::CREATED, r#"{"number":7,"state":"open"}"#).into_response();
    };
    let query = head.uri.query().unwrap_or_default();
    let body = body.collect().await.unwrap().to_bytes();
    let response = match head.method {
        Method::GET if query.contains("list-type") => list(&shared.store, query).await,
        Method::GET | Method::HEAD => get(&shared.store, key, &head.headers).await,
        Method::PUT => put(&shared.store, key, &head.headers, body).await,
        _ => shared
            .store
            .delete(key)
            .await
            .map(|()| StatusCode::NO_CONTENT.into_response()),
    };
    response.unwrap_or_else(|error| {
        match error {
            StoreError::PreconditionFailed => (StatusCode::PRECONDITION_FAILED, xml_error("PreconditionFailed")),
            _ => (StatusCode::BAD_REQUEST, xml_error("InvalidRequest")),
        }
        .into_response()
    })
}

fn xml_error(code: &str) -> String {
    format!("<Error><Code>{code}</Code></Error>")
}

async fn list(store: &MemoryStore, query: &str) -> Result<Response, StoreError> {
    let prefix = query
        .split('&')
        .find_map(|part| part.strip_prefix("prefix="))
        .unwrap_or_default();
    let objects = store.list(&prefix.replace("%2F", "/")).await?;
    let objects = objects.iter().map(|object| {
        let (key, bytes) = (&object.key, object.bytes);
        format!(
            "<Contents><Key>{key}</Key><LastModified>{LISTED_MODIFIED}</LastModified><Size>{bytes}</Size></Contents>"
        )
    });
    let objects: String = objects.collect();
    let list = format!("<ListBucketResult><IsTruncated>false</IsTruncated>{objects}</ListBucketResult>");
    Ok(list.into_response())
}

async fn get(store: &MemoryStore, key: &str, headers: &HeaderMap) -> Result<Response, StoreError> {
    let known = text(headers, header::IF_NONE_MATCH).map(|etag| ETag::new(etag.to_owned()));
    let range = text(headers, header::RANGE).and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
    let (status, fetched) = match range {
        None => (StatusCode::OK, store.get(key, known.as_ref()).await?),
        Some((from, to)) => {
            let (from, to): (u64, u64) = (from.parse().unwrap(), to.parse().unwrap());
            let fetched = store.get_range(key, from, to - from + 1).await?;
            (StatusCode::PARTIAL_CONTENT, fetched)
        }
    };
    Ok(match fetched {
        Fetched::Missing => (StatusCode::NOT_FOUND, xml_error("NoSuchKey")).into_response(),
        Fetched::NotModified { .. } => StatusCode::NOT_MODIFIED.into_response(),
        Fetched::Found(object) => {
            let headers = [
                (header::ETAG, text_of(&object.etag)),
                (header::LAST_MODIFIED, LAST_MODIFIED.to_owned()),
            ];
            (status, headers, Body::from(object.body)).into_response()
        }
    })
}

async fn put(store: &MemoryStore, key: &str, headers: &HeaderMap, body: Bytes) -> Result<Response, StoreError> {
    let condition = match headers.get(header::IF_MATCH) {
        Some(etag) => PutCondition::Match(ETag::new(etag.as_bytes().to_vec())),
        None if headers.contains_key(header::IF_NONE_MATCH) => PutCondition::CreateOnly,
        None => PutCondition::None,
    };
    let etag = store.put(key, body, condition).await?;
    Ok([(header::ETAG, text_of(&etag))].into_response())
}

fn text_of(etag: &ETag) -> String {
    String::from_utf8(etag.as_bytes().to_vec()).unwrap()
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}
