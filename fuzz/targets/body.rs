#![no_main]

use fuzz::on_stage;

const PLACES: [(&str, &str); 6] = [
    ("/sets/jwt", "application/json"),
    ("/sets/import/jwt", "application/json"),
    ("/sets/import/jwt", "text/yaml"),
    ("/patterns/jwt", "application/json"),
    ("/apikeys/jwt", "application/json"),
    ("/measurements/check", "application/json"),
];

// The first byte selects the route for the other bytes.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((place, body)) = bytes.split_first() else {
        return;
    };
    let (path, kind) = PLACES[usize::from(*place) % PLACES.len()];
    on_stage(async |stage| {
        let request = stage.app.post(path).jwt(&stage.person.token).body(kind, body);
        Some(request.send().await.status)
    });
});
