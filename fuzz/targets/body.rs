//! Fuzz target: bodies of requests to routes that parse JSON or YAML.

#![no_main]

use fuzz::on_stage;

const ROUTES: [(&str, &str); 6] = [
    ("/sets/jwt", "application/json"),
    ("/sets/import/jwt", "application/json"),
    ("/sets/import/jwt", "text/yaml"),
    ("/patterns/jwt", "application/json"),
    ("/apikeys/jwt", "application/json"),
    ("/measurements/check", "application/json"),
];

// The first byte selects the route for the other bytes.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((selector, body)) = bytes.split_first() else {
        return;
    };
    let (path, kind) = ROUTES[usize::from(*selector) % ROUTES.len()];
    on_stage(async |stage| {
        let request = stage.app.post(path).jwt(&stage.person.token).body(kind, body);
        Some(request.send().await.status)
    });
});
