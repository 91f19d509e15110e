//! Compares responses of the API with its description. Each response to a contract test passes through here.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use bespoke_web::Route;
use bespoke_web::openapi::CODES;
use jsonschema::{Draft, Registry, Validator};
use serde_json::{Value, json};

use super::Answer;

/// The description of the complete API, stricter than the published one: objects have only the properties that it names.
/// It is read from the published file, because every test program would otherwise spend longer on deriving it from the routes.
/// `routes/docs.rs` compares that file with the routes.
static DESCRIPTION: LazyLock<Value> = LazyLock::new(|| {
    let published = include_str!("../../../functions/docs/openapi.json");
    let mut description = published.parse().expect("functions/docs/openapi.json is JSON");
    close(&mut description);
    description
});

/// The URI by which schemas refer to the description.
const DESCRIPTION_URI: &str = "urn:bespoke:description";

static SCHEMAS: LazyLock<Registry<'static>> = LazyLock::new(|| {
    let registry = Registry::new().draft(Draft::Draft202012);
    let registry = registry.add(DESCRIPTION_URI, &*DESCRIPTION).expect("a URI");
    registry.prepare().expect("the references of the description")
});

/// Forbids unnamed properties, in every object that names some.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.get("properties").is_some_and(Value::is_object) && fields.get("type") == Some(&json!("object")) {
                fields.entry("additionalProperties").or_insert(false.into());
            }
            fields.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

/// Checks that the description of the route contains this response: its status, content type, error code, and
/// the schema of its body.
///
/// # Panics
/// If it does not.
#[track_caller]
pub fn check(route: &Route, answer: &Answer) {
    let method = route.method.as_str().to_ascii_lowercase();
    let place = format!("{} {} {}", route.method, route.described_path, answer.status);
    let operation = &DESCRIPTION["paths"][&route.described_path][&method];
    let response = &operation["responses"][answer.status.to_string()];
    assert!(response.is_object(), "{place}: this status is not described");
    if answer.body.is_empty() {
        // A missing record, even if the same status can have the body of an error.
        let optional = answer.status == 404 || response.get("content").is_none();
        assert!(optional, "{place}: the described body is missing");
        return;
    }
    let kind = answer
        .header("content-type")
        .split(';')
        .next()
        .unwrap_or_default()
        .to_owned();
    let content = &response["content"][&kind];
    assert!(content.is_object(), "{place}: {kind} is not described");
    // Compression does not change the content.
    if kind != "application/json" || !answer.header("content-encoding").is_empty() {
        return;
    }
    let body = answer.json();
    if let (Some(codes), Some(code)) = (response[CODES].as_array(), body["error"].as_str()) {
        assert!(
            codes.iter().any(|known| known == code),
            "{place}: {code} is not described"
        );
    }
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    let pointer = format!(
        "/paths/{}/{method}/responses/{}/content/{}/schema",
        escaped(&route.described_path),
        answer.status,
        escaped(&kind)
    );
    validate(&place, &pointer, &body);
}

/// Validates a body with the schema at a JSON pointer into the description.
#[track_caller]
fn validate(place: &str, pointer: &str, body: &Value) {
    static VALIDATORS: LazyLock<Mutex<HashMap<String, Validator>>> = LazyLock::new(Mutex::default);
    let mut validators = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    let validator = validators.entry(pointer.to_owned()).or_insert_with(|| {
        // The pointer is the fragment of a URI, in which braces have to be encoded.
        let fragment = pointer.replace('{', "%7B").replace('}', "%7D");
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_registry(&SCHEMAS)
            .build(&json!({ "$ref": format!("{DESCRIPTION_URI}#{fragment}") }))
            .unwrap_or_else(|error| panic!("{place}: the schema is invalid: {error}"))
    });
    let errors: Vec<_> = validator
        .iter_errors(body)
        .map(|error| format!("{} {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{place}: {errors:#?} in {body:#}");
}
