//! Benchmark of the verification of credentials, without a query.

use std::hint::black_box;

use bespoke_core::{Grant, Key, KeySecret, Random, Timestamp, TokenAccount, TokenSettings, Tokens};
use criterion::{Criterion, criterion_group, criterion_main};

/// A random source whose bytes are not secret.
struct Counting;

impl Random for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for (byte, number) in bytes.iter_mut().zip(7_u8..) {
            *byte = number;
        }
    }
}

fn credentials(bench: &mut Criterion) {
    let secret = KeySecret::generate(&Counting);
    let (sent, stored) = (secret.expose().to_owned(), secret.digest());
    bench.bench_function("secret of an API key", |bencher| {
        bencher.iter(|| {
            let secret = KeySecret::parse(black_box(&sent)).expect("a secret");
            assert!(black_box(&stored).matches(&secret));
        });
    });
    let settings = TokenSettings {
        issuer: "http://localhost:3000".to_owned(),
        audience: "http://localhost:3000/bespoke".to_owned(),
        lifetime_ms: 86_400_000,
    };
    let tokens = Tokens::new(&Key::from_bytes([7; 32]), settings);
    let now = Timestamp::from_millis(1_800_000_000_000);
    let account = TokenAccount {
        id: 7,
        uuid: uuid::Uuid::from_u128(7),
        username: "jane",
        role: "user",
        status: 1,
        tokens_from: now,
    };
    let token = tokens.issue(account, Grant::SignIn, now);
    bench.bench_function("token", |bencher| {
        bencher.iter(|| tokens.verify(black_box(&token), now).expect("a token"));
    });
}

criterion_group!(all, credentials);
criterion_main!(all);
