//! The OpenAPI 3.1 description, generated from the tables of routes.
//!
//! A handler describes its own properties: its summary (its doc comment), body, responses, and error codes (in backticks, in the
//! description of the response). This module adds everything that follows from the route: path parameters, authentication, level, and the
//! errors that all routes of a kind share.

use serde_json::{Map, Value, json};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::table::{Route, Routes};
use crate::access::{Access, Scheme};
use crate::state::MAX_KEY_BYTES;

/// The extension field with the error codes of a response.
pub const CODES: &str = "x-error-codes";

/// The description of the complete API.
const ABOUT: &str = include_str!("openapi/about.md");

/// The status, the code and the meaning of errors that many routes share.
const COMMON: &[(u16, &str, &str)] = &[
    (
        400,
        "badRequest",
        "The request cannot be read: its path, its `Authorization` header, or its JSON.",
    ),
    (
        401,
        "unauthorized",
        "No valid credentials for an account that can be used.",
    ),
    (401, "keyExpired", "The API key has expired."),
    (
        401,
        "keyRevoked",
        "The API key was revoked, or its secret was replaced by a rotation.",
    ),
    (
        403,
        "insufficientAccessLevel",
        "The level of the caller is too low, or the record belongs to another account.",
    ),
    (
        403,
        "insufficientScope",
        "The API key lacks a required scope; the challenge names the first missing one.",
    ),
    (
        403,
        "addressNotAllowed",
        "The API key may not be used from the address of the client.",
    ),
    (
        403,
        "accountLimitReached",
        "The account has reached a limit; `limit` names it.",
    ),
    (
        403,
        "originForbidden",
        "The service accepts only requests through CloudFront.",
    ),
    (
        412,
        "preconditionFailed",
        "The record has changed since the client read the version in `If-Match`.",
    ),
    (408, "requestTimeout", "The body took more than 30 s to arrive."),
    (
        413,
        "bodyTooLarge",
        "The body is larger than 12 MiB (64 KiB on a route without authentication), or has too many values.",
    ),
    (
        415,
        "unsupportedMediaType",
        "The character set or the encoding of the body is not supported.",
    ),
    (
        422,
        "idempotencyKeyReused",
        "Another request used the same `Idempotency-Key`.",
    ),
    (
        429,
        "tooManyRequests",
        "Too many calls in a short time: try again after `Retry-After` seconds.",
    ),
    (
        429,
        "quotaExceeded",
        "The calls with the API key, or the bytes that the account may write or export (then with `limit`), are used up for this day (UTC).",
    ),
    (500, "internalError", "An error of the service."),
    (
        503,
        "serviceUnavailable",
        "The storage does not respond. A write may or may not have taken place; repeating it is safe.",
    ),
];

/// The field `result` of every error.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Failure {
    /// The only value.
    Error,
}

/// The body of every error, except for a missing record (404 without a body).
#[derive(ToSchema)]
#[schema(title = "Error")]
#[expect(dead_code, reason = "describes a response")]
struct Error {
    result: Failure,
    /// The code of the error.
    #[schema(example = "insufficientAccessLevel")]
    error: String,
    /// With `accountLimitReached`: `sets`, `patterns`, `bookmarks`, `apikeys` or `textBytes`. With `quotaExceeded`: `writtenBytes` or
    /// `exportedBytes`, if the account has written or exported too much on this day.
    #[schema(nullable = false)]
    limit: Option<String>,
    /// The path of the invalid field, for example `sets.3.measurements.chest` (counted from 0), if the error concerns one field.
    #[schema(nullable = false)]
    field: Option<String>,
    /// The reason why that field is invalid, for example `is not a number`.
    #[schema(nullable = false)]
    reason: Option<String>,
}

/// Generates the description of these functions.
///
/// # Panics
/// If two operations have the same id. This is a defect of the handlers.
pub fn document(functions: &[Routes]) -> Value {
    let mut schemas = Map::new();
    add_schemas(&mut schemas, vec![(Error::name().into_owned(), Error::schema())]);
    let mut paths = Map::new();
    let mut ids = std::collections::BTreeSet::new();
    for route in functions.iter().flat_map(Routes::iter) {
        let path = paths.entry(&route.described_path).or_insert_with(|| json!({}));
        let method = route.method.as_str().to_ascii_lowercase();
        if path.get(&method).is_some() {
            // The other scheme of the same path has been described.
            continue;
        }
        let described = (route.describe)();
        add_schemas(&mut schemas, described.schemas);
        let mut operation = operation(route, to_json(&described.operation));
        let mut id = operation["operationId"].as_str().unwrap_or_default().to_owned();
        if route.scheme == Some(Scheme::Key) && ids.contains(&id) {
            // The operation is described separately for each scheme, so the second one needs another id.
            id.push_str("ByKey");
            operation["operationId"] = id.clone().into();
        }
        assert!(ids.insert(id.clone()), "two operations are called {id}");
        path[&method] = operation;
    }
    schemas.sort_keys();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Bespoke",
            "summary": "The FreeSewing backend: accounts, measurements and API keys.",
            "description": ABOUT,
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "servers": [{ "url": "/", "description": "This instance" }],
        "paths": paths,
        "components": { "schemas": schemas, "securitySchemes": security_schemes() },
    })
}

fn to_json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).expect("descriptions are plain data")
}

fn add_schemas(all: &mut Map<String, Value>, schemas: Vec<(String, RefOr<Schema>)>) {
    for (name, schema) in schemas {
        let schema = to_json(&schema);
        if let Some(other) = all.get(&name) {
            assert_eq!(*other, schema, "two schemas are called {name}");
        }
        all.insert(name, schema);
    }
}

fn security_schemes() -> Value {
    json!({
        "jwt": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The token that a sign-in returns. For paths that end in `/jwt`.",
        },
        "key": {
            "type": "http",
            "scheme": "basic",
            "description": "An API key: its id is the user name, its secret the password. For paths that end in `/key`. \
                Alternatively a Bearer token, `<id>.<secret>`.",
        },
    })
}

/// Completes the description of a handler by the facts that follow from its route.
fn operation(route: &Route, mut operation: Value) -> Value {
    let level = match route.access {
        Access::Public => None,
        Access::Guest(level) | Access::Level(level) => Some(level),
    };
    if let Some(level) = level {
        let description = operation["description"].as_str().unwrap_or_default();
        operation["description"] = format!("{description}\n\nNeeds level {level}.").trim().into();
        operation["x-level"] = level.into();
    }
    operation["security"] = schemes(route).map(|scheme| json!({ scheme.segment(): [] })).collect();
    operation["parameters"] = parameters(route, operation["parameters"].take());
    let responses = operation["responses"]
        .as_object_mut()
        .expect("every handler describes its responses");
    for (status, response) in responses.iter_mut() {
        list_codes(status, response);
    }
    for (status, code, meaning) in common(route, level) {
        let response = responses
            .entry(status.to_string())
            .or_insert_with(|| json!({ "description": "" }));
        add_code(response, code, meaning);
    }
    if let Some(missing) = missing(route) {
        responses
            .entry("404")
            .or_insert_with(|| json!({ "description": missing }));
    }
    if route.method == http::Method::GET {
        responses.insert(
            "304".into(),
            json!({ "description": "The client has this body already (`If-None-Match`)." }),
        );
    }
    responses.sort_keys();
    operation
}

fn schemes(route: &Route) -> impl Iterator<Item = Scheme> {
    let both = route.described_path.ends_with("{auth}");
    let one = route.scheme;
    Scheme::BOTH
        .into_iter()
        .filter(move |scheme| both || one == Some(*scheme))
}

/// Returns the reason for a 404 of a route that names no record.
fn missing(route: &Route) -> Option<&'static str> {
    if route.repeatable {
        Some("The record that was created with this `Idempotency-Key` has been deleted.")
    } else if route.described_path.ends_with("{auth}") {
        Some("The path ends in neither `/jwt` nor `/key`.")
    } else {
        None
    }
}

/// Returns the parameters of the handler, and those of the path and the headers that it does not describe.
fn parameters(route: &Route, described: Value) -> Value {
    let mut parameters = described.as_array().cloned().unwrap_or_default();
    for part in route.described_path.split('{').skip(1) {
        let name = part.split('}').next().unwrap_or_default();
        if parameters.iter().any(|parameter| parameter["name"] == name) {
            continue;
        }
        let (description, schema) = match name {
            "auth" => (
                "The authentication scheme.",
                json!({ "type": "string", "enum": ["jwt", "key"] }),
            ),
            "id" => (
                "Integer id, or UUID.",
                json!({ "oneOf": [{ "type": "integer", "format": "int64", "minimum": 1 }, { "type": "string", "format": "uuid" }] }),
            ),
            other => panic!("{}: the parameter {other} is not described", route.described_path),
        };
        let parameter =
            json!({ "name": name, "in": "path", "required": true, "description": description, "schema": schema });
        parameters.push(parameter);
    }
    if route.repeatable {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header",
            "description": "Makes the request repeatable: for 24 hours, a repeat by the same caller creates nothing, and returns the record \
                that the first request created.",
            "schema": { "type": "string", "minLength": 1, "maxLength": MAX_KEY_BYTES },
        }));
    }
    if route.conditional {
        parameters.push(json!({
            "name": "If-Match", "in": "header",
            "description": "The `ETag` of the version that the client has read. If the record has changed since, the request changes nothing.",
            "schema": { "type": "string" },
        }));
    }
    parameters.into()
}

/// Returns the errors that all routes of this kind share.
fn common(route: &Route, level: Option<u8>) -> impl Iterator<Item = (u16, &'static str, &'static str)> {
    let has_body = route.method != http::Method::GET && route.method != http::Method::DELETE;
    let writes = has_body && level.is_some_and(|level| level > 0);
    let by_key = schemes(route).any(|scheme| scheme == Scheme::Key);
    COMMON
        .iter()
        .copied()
        .filter(move |(status, code, _)| match (status, *code) {
            (_, "keyExpired" | "keyRevoked" | "insufficientScope" | "addressNotAllowed") => by_key,
            (_, "quotaExceeded") => by_key || writes,
            (_, "idempotencyKeyReused") => route.repeatable,
            (_, "preconditionFailed") => route.conditional,
            (_, "accountLimitReached") => writes,
            (_, "originForbidden") => true,
            (401, _) => level.is_some(),
            (403, _) => level.is_some_and(|level| level > 0),
            (408 | 413 | 415, _) => has_body,
            _ => true,
        })
}

/// Lists the error codes that the description of a response contains, and adds the schema of errors.
fn list_codes(status: &str, response: &mut Value) {
    if !status.starts_with(['4', '5']) || response.get("content").is_some() {
        return;
    }
    let description = response["description"].as_str().unwrap_or_default().to_owned();
    for code in description.split('`').skip(1).step_by(2) {
        add_code(response, code, "");
    }
}

fn add_code(response: &mut Value, code: &str, meaning: &str) {
    if !meaning.is_empty() {
        let description = response["description"].as_str().unwrap_or_default();
        response["description"] = format!("{description} `{code}`: {meaning}").trim().into();
    }
    if response.get("content").is_none() {
        response["content"] = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } });
    }
    match response.get_mut(CODES).and_then(Value::as_array_mut) {
        Some(codes) => codes.push(code.into()),
        None => response[CODES] = json!([code]),
    }
}
