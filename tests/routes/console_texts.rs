//! Tests of the texts of the console, in all languages.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bespoke_core::measurement::NAMES;
use bespoke_core::validate::Language;
use bespoke_tests::support::functions;
use bespoke_web::openapi::document;
use regex::Regex;

type Words = BTreeMap<String, String>;

/// Text keys whose last part a script computes, and the possible values of that part.
const COMPUTED_KEYS: &str = r"^(error|m|level|role|scope|status|consent|unit|theme|outbox|subscribe|unsubscribe)\.";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../functions/console/assets")
}

fn texts_of(language: Language) -> Words {
    let path = folder().join(format!("text/{}.json", language.code()));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn scripts() -> String {
    let files = |folder: PathBuf| std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let scripts = files(folder()).chain(files(folder().join("pages")));
    let scripts = scripts.filter(|path| path.extension().is_some_and(|extension| extension == "js"));
    scripts.map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// The error codes of all routes in the description.
fn codes() -> BTreeSet<String> {
    let (description, code) = (
        document(&functions()),
        Regex::new("`([a-z]+[A-Z][A-Za-z]*|unauthorized)`").unwrap(),
    );
    let mut codes = BTreeSet::new();
    for operations in description["paths"].as_object().unwrap().values() {
        for operation in operations.as_object().unwrap().values() {
            for (status, response) in operation["responses"].as_object().unwrap() {
                if status.starts_with(['4', '5']) {
                    let text = response["description"].as_str().unwrap();
                    codes.extend(code.captures_iter(text).map(|found| found[1].to_owned()));
                }
            }
        }
    }
    codes
}

#[test]
fn languages_have_the_same_texts_and_placeholders() {
    let place = Regex::new(r"\{(\w+)\}").unwrap();
    let places = |text: &str| {
        place
            .find_iter(text)
            .map(|found| found.as_str().to_owned())
            .collect::<BTreeSet<_>>()
    };
    let english = texts_of(Language::En);
    for language in Language::ALL {
        let theirs = texts_of(language);
        assert!(theirs.keys().eq(english.keys()), "{}", language.code());
        for (key, text) in &theirs {
            assert!(!text.trim().is_empty(), "{}: {key}", language.code());
            assert_eq!(places(text), places(&english[key]), "{}: {key}", language.code());
        }
    }
}

#[test]
fn each_error_code_has_a_text() {
    let (codes, english) = (codes(), texts_of(Language::En));
    assert!(codes.len() > 80, "only {} codes", codes.len());
    for code in codes {
        assert!(
            english.contains_key(&format!("error.{code}")),
            "{code} has no text in functions/console/assets/text"
        );
    }
}

#[test]
fn each_measurement_has_a_name_and_each_text_is_used() {
    let (english, scripts) = (texts_of(Language::En), scripts());
    for name in NAMES {
        assert!(english.contains_key(&format!("m.{name}")), "{name}");
    }
    let asked = Regex::new(r"\bt\('([^']+)'").unwrap();
    for found in asked.captures_iter(&scripts) {
        assert!(
            english.contains_key(&found[1]),
            "{} is missing in every language",
            &found[1]
        );
    }
    let put_together = Regex::new(COMPUTED_KEYS).unwrap();
    for key in english.keys().filter(|key| !put_together.is_match(key)) {
        assert!(scripts.contains(&format!("'{key}'")), "{key} is used nowhere");
    }
}

#[test]
fn no_script_parses_markup() {
    let scripts = scripts();
    for way in [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "DOMParser",
    ] {
        assert!(!scripts.contains(way), "{way}");
    }
}
