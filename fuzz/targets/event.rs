//! Fuzz target: events of an API gateway.

#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fuzz::on_stage;
use lambda_http::request::LambdaRequest;
use serde_json::Value;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(mut event) = serde_json::from_slice::<Value>(bytes) else {
        return;
    };
    if !as_a_gateway_sends_it(&mut event) {
        return;
    }
    let Ok(mut request) = serde_json::from_value::<LambdaRequest>(event) else {
        return;
    };
    bespoke_web::lambda::prepare(&mut request);
    let request = lambda_http::Request::from(request);
    on_stage(async |stage| {
        let Ok(answer) = bespoke_web::lambda::answer(stage.app.gateway(), request).await;
        Some(answer.status().as_u16())
    });
});

/// Returns whether a gateway could send the event. The crate of the Lambda runtime panics on others: a body that is
/// not base64, an invalid host, or an invalid path. Without a context, it is not an event of this kind.
fn as_a_gateway_sends_it(event: &mut Value) -> bool {
    if !event["requestContext"].is_object() {
        return false;
    }
    event["requestContext"]["domainName"] = "api.example.com".into();
    if let Some(headers) = event["headers"].as_object_mut() {
        headers.retain(|name, _| {
            !["host", "x-forwarded-proto", "x-forwarded-host"].contains(&&*name.to_ascii_lowercase())
        });
    }
    let text = |name: &str| event[name].as_str().unwrap_or_default();
    let path = text("rawPath");
    let is_url = path.starts_with('/') && path.parse::<lambda_http::http::Uri>().is_ok();
    is_url
        && (event["isBase64Encoded"] != true || event["body"].as_str().is_none_or(|body| STANDARD.decode(body).is_ok()))
}
