//! Tests that the cost of parsers of untrusted bytes grows linearly with their input. The cost is counted in allocations, allocated bytes
//! and parser events, because these are the same on every machine. The inputs repeat a few pieces of the language many times, so that they
//! are nested, wide, long or aliased.

use allocation_counter::{AllocationInfo, measure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bespoke_core::validate::{
    Language, MAX_EMAIL_BYTES, clean_email, clean_username, fold_username, is_email, new_username, older_email_forms,
    older_username_form,
};
use bespoke_core::{Networks, PasswordHasher, PasswordSettings, typed_code};
use bespoke_services::images::prepare;
use bespoke_web::fuzzing;
use proptest::prelude::*;

/// Maximum size of an input, in bytes. It is the limit of YAML.
const BYTES: usize = 64 * 1024;
/// Bytes that a parser may allocate in total for any input.
const FIXED_BYTES: u64 = 256 * 1024;
/// Bytes that the JSON parser may allocate for a byte of input. An object in a list allocates the most.
const JSON_BYTES_PER_BYTE: u64 = 200;
/// Bytes that the YAML parser may allocate for a byte of input. It also allocates events and scalars.
const YAML_BYTES_PER_BYTE: u64 = 600;
/// Bytes that the YAML parser may allocate for events that aliases repeat.
const YAML_ALIAS_BYTES: u64 = 16 * 1024 * 1024;
/// YAML events that aliases may repeat, and those of the document itself.
const YAML_FIXED_EVENTS: usize = 10_100;
const YAML_DEPTH: usize = 65;

const JSON_PIECES: [&str; 20] = [
    "[", "]", "{", "}", ",", ":", "\"", "\"a\":", "\"a\"", "1", "1e", "0.", "9", "-", "null", "{\"a\":", "[1],",
    "\\u0041", " ", "\n",
];
const YAML_PIECES: [&str; 40] = [
    "[", "]", "{", "}", ",", ": ", "a: ", "a:", "- ", "? ", "\"", "'", "&a ", "*a", "*a,", "*a ", "&b", "!t ",
    "!!str ", "<<: ", "|", ">", "\n", "\n ", "\n  ", " ", "\t", "#", "x", "é", "---", "...", "%TAG ! x", "\\", "1",
    ".", "~", "a: &a ", "{a: ", "[x,",
];

/// Generates texts of at most `bytes` bytes: a beginning, a few pieces that are repeated, and an end.
fn repetitive(pieces: &'static [&'static str], bytes: usize) -> impl Strategy<Value = String> {
    let up_to = |max| proptest::collection::vec(proptest::sample::select(pieces), 0..max);
    (up_to(8), up_to(5), up_to(8)).prop_map(move |(begin, middle, end)| {
        let (begin, middle, end) = (begin.concat(), middle.concat(), end.concat());
        let room = bytes.saturating_sub(begin.len() + end.len());
        let count = room.checked_div(middle.len()).unwrap_or_default();
        format!("{begin}{}{end}", middle.repeat(count))
    })
}

fn cost(parse: impl FnOnce()) -> AllocationInfo {
    measure(parse)
}

fn assert_linear(info: AllocationInfo, bytes: usize, per_byte: u64, fixed: u64) -> Result<(), TestCaseError> {
    let limit = fixed + per_byte * bytes as u64;
    prop_assert!(
        info.bytes_total <= limit,
        "{} bytes allocated for {bytes} bytes",
        info.bytes_total
    );
    prop_assert!(
        info.count_total <= limit / 16,
        "{} allocations for {bytes} bytes",
        info.count_total
    );
    Ok(())
}

fn assert_yaml_is_cheap(text: &str) -> Result<(), TestCaseError> {
    let info = cost(|| _ = fuzzing::yaml(text.as_bytes()));
    assert_linear(info, text.len(), YAML_BYTES_PER_BYTE, FIXED_BYTES + YAML_ALIAS_BYTES)?;
    let (events, depth) = fuzzing::yaml_cost(text.as_bytes());
    prop_assert!(
        events <= 2 * text.len() + YAML_FIXED_EVENTS,
        "{events} events for {} bytes",
        text.len()
    );
    prop_assert!(depth <= YAML_DEPTH, "nested {depth} deep");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn json_costs_a_constant_per_byte(text in repetitive(&JSON_PIECES, BYTES)) {
        let info = cost(|| _ = fuzzing::json(text.as_bytes()));
        assert_linear(info, text.len(), JSON_BYTES_PER_BYTE, FIXED_BYTES)?;
    }

    #[test]
    fn yaml_costs_a_constant_per_byte(text in repetitive(&YAML_PIECES, BYTES)) {
        assert_yaml_is_cheap(&text)?;
    }

    #[test]
    fn email_address_costs_a_constant_per_byte(text in repetitive(&["a", "@", ".", "\"", "(", ")", "<", ">", "é", " ", "\\", "[", "]"], 1_000_000)) {
        let info = cost(|| _ = is_email(&text));
        prop_assert!(info.bytes_total <= 64 * MAX_EMAIL_BYTES as u64, "{} bytes allocated", info.bytes_total);
        prop_assert!(text.len() <= MAX_EMAIL_BYTES || info.count_total == 0, "{} allocations", info.count_total);
    }

    #[test]
    fn image_header_allocates_only_for_accepted_images(width in any::<u32>(), height in any::<u32>(), rest in proptest::collection::vec(any::<u8>(), 0..200)) {
        let image = STANDARD.encode([&png_header(width, height)[..], &rest].concat());
        let info = cost(|| drop(prepare(&image)));
        let is_accepted = u64::from(width) * u64::from(height) <= 50_000_000;
        prop_assert!(is_accepted || info.bytes_max < FIXED_BYTES, "{width} x {height} takes {} bytes", info.bytes_max);
    }
}

/// Returns the beginning of a PNG with these dimensions, up to its first chunk of content.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut chunk = b"IHDR".to_vec();
    chunk.extend([width.to_be_bytes(), height.to_be_bytes()].concat());
    chunk.extend([8, 6, 0, 0, 0]);
    let mut crc = flate2::Crc::new();
    crc.update(&chunk);
    [b"\x89PNG\r\n\x1a\n\0\0\0\x0d", &chunk[..], &crc.sum().to_be_bytes()].concat()
}

#[test]
fn known_attacks_on_yaml_are_cheap() {
    let bytes = BYTES - 64;
    let fill = |unit: &str| unit.repeat(bytes / unit.len());
    let nested = (1..40).fold("a0: &a0 x\n".to_owned(), |text, level| {
        let aliases = format!("*a{},", level - 1).repeat(9);
        format!("{text}a{level}: &a{level} [{aliases}]\n")
    });
    let keys: String = (0..bytes / 16).map(|n| format!("k{n}: v, ")).collect();
    for text in [
        format!("a: {}", fill("[")),
        format!("a: {}", fill("{")),
        format!("a: {}", fill("{a: ")),
        format!("a: {}{}", "[".repeat(bytes / 2), "]".repeat(bytes / 2)),
        fill("- "),
        fill("? "),
        fill("a:"),
        nested,
        format!("a: &a [{}]\nb: [{}]\n", "x,".repeat(bytes / 4), "*a,".repeat(bytes / 7)),
        format!(
            "a: &a {{{}}}\nb: {{<<: [{}]}}\n",
            &keys[..bytes / 2],
            "*a,".repeat(bytes / 7)
        ),
        format!("a: {}", fill("9")),
        format!("a: \"{}", fill("\n")),
        (0..bytes / 10).map(|n| format!("- &a{n}\n")).collect(),
        fill("a: b\n"),
    ] {
        assert_yaml_is_cheap(&text).unwrap();
    }
}

#[test]
fn compressed_body_is_decompressed_to_its_limit_only() {
    use std::io::Read as _;
    let zeros = vec![0; 100_000_000];
    let mut packed = Vec::new();
    flate2::read::GzEncoder::new(&zeros[..], flate2::Compression::fast())
        .read_to_end(&mut packed)
        .unwrap();
    let info = cost(|| assert!(!fuzzing::gunzip(&packed, BYTES)));
    assert!(
        info.bytes_max < packed.len() as u64 + 4 * BYTES as u64 + FIXED_BYTES,
        "{} bytes",
        info.bytes_max
    );
}

#[test]
fn list_of_networks_is_parsed_to_its_limit_only() {
    let texts = vec!["10.0.0.0/8"; 100_000];
    let info = cost(|| assert!(Networks::parse(texts.iter().copied()).is_err()));
    assert!(info.bytes_total < 10_000, "{} bytes", info.bytes_total);
}

/// Texts of a megabyte whose normalization costs the most: letters that grow in lower case, marks that have to be sorted, letters that are
/// decomposed, and a domain of many labels.
fn texts_of_a_megabyte() -> [String; 5] {
    let repeat = |text: &str| text.repeat(1_000_000 / text.len());
    [
        repeat("\u{130}"),
        format!("a@{}", repeat("\u{130}")),
        format!("a{}", repeat("\u{315}\u{300}")),
        format!("{}@example.com", repeat("\u{390}")),
        format!("a@{}", repeat("xn--aaaaaaaaaaaa.")),
    ]
}

#[test]
fn names_and_addresses_are_normalized_to_their_limit_only() {
    for text in texts_of_a_megabyte() {
        let nothing = cost(|| {
            assert_eq!(clean_username(&text), None);
            assert_eq!(new_username(&text, 1), None);
            assert_eq!(older_username_form(&text), None);
            assert!(older_email_forms(&text).is_empty());
            assert!(!is_email(&text));
            assert_eq!(Language::from_code_in_any_case(&text), None);
        });
        assert_eq!(nothing.bytes_total, 0);
        // A copy of the text.
        let copies = cost(|| {
            assert!(!is_email(&clean_email(&text)));
            assert_eq!(fold_username(&text), text);
        });
        assert_eq!((copies.count_total, copies.bytes_total), (2, 2 * text.len() as u64));
    }
}

#[test]
fn passwords_and_codes_are_read_to_their_limit_only() {
    let cheap = PasswordSettings {
        memory_kib: 8,
        iterations: 1,
        parallelism: 1,
    };
    let hasher = PasswordHasher::new(cheap).unwrap();
    for text in texts_of_a_megabyte() {
        let info = cost(|| assert!(!hasher.verify(&text, None)));
        assert!(info.bytes_total < FIXED_BYTES, "{} bytes", info.bytes_total);
        assert_eq!(typed_code(&text.into()).as_deref(), Some(""));
    }
}
