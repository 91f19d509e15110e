//! Fuzz target: the header `Authorization`, and the claims of signed tokens.

#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bespoke_core::{Key, Timestamp, TokenSettings, Tokens};
use fuzz::on_stage;
use jsonwebtoken::{EncodingKey, Header};

// The value of `Authorization`, raw and as Basic, and the claims of a correctly signed token.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    claims(bytes);
    for value in [bytes.to_vec(), format!("Basic {}", STANDARD.encode(bytes)).into_bytes()] {
        let Ok(value) = http::HeaderValue::from_bytes(&value) else {
            continue;
        };
        for path in ["/whoami/key", "/account/jwt"] {
            let request = http::Request::get(path).header("authorization", value.clone());
            let request = request.body(Vec::new().into()).expect("a request");
            on_stage(async |stage| Some(stage.app.gateway().handle(request).await.status().as_u16()));
        }
    }
});

fn claims(bytes: &[u8]) {
    let Ok(claims) = serde_json::from_slice::<serde_json::Value>(bytes) else {
        return;
    };
    let key = Key::from_bytes([1; 32]);
    let settings = TokenSettings {
        issuer: "i".into(),
        audience: "a".into(),
        lifetime_ms: 1,
    };
    let signed = jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(key.as_bytes()));
    if let Ok(token) = signed {
        let _ = Tokens::new(&key, settings).verify(&token, Timestamp::from_millis(0));
    }
}
