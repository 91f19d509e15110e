//! Tests of [`Config::load`] with complete sets of settings.

use super::environment::{Environment, Overrides};
use super::settings::SETTINGS;
use super::values::Config;
use crate::system::SystemRandom;

fn load(variables: &[(&str, &str)]) -> Result<Config, String> {
    let dir = tempfile::tempdir().unwrap();
    let overrides = Overrides {
        data_dir: Some(dir.path().into()),
        ..Overrides::default()
    };
    let has_data_dir = variables.iter().any(|(name, _)| *name == "BACKEND_DATA_DIR");
    let overrides = if has_data_dir { Overrides::default() } else { overrides };
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(Environment::of(variables, overrides), &SystemRandom).map_err(|error| error.to_string())
}

#[test]
fn empty_environment_is_valid() {
    let config = load(&[]).unwrap();
    assert_eq!(config.url, "http://localhost:3000");
    assert_eq!(config.tokens.audience, "http://localhost:3000/bespoke");
    assert_eq!(config.tokens.lifetime_ms, 7 * 24 * 3_600_000);
    assert_eq!(config.test_domain, None);
}

#[test]
fn error_names_the_unknown_or_invalid_setting() {
    for (name, value) in [
        ("BACKEND_PROT", "3000"),
        ("BACKEND_PORT", "x"),
        ("BACKEND_ENC_KEY", "short"),
        ("BACKEND_DATA_KEY", "short"),
        ("BACKEND_OLD_ENC_KEY", "short"),
        ("BACKEND_OLD_INDEX_KEY", "short"),
        ("BACKEND_JWT_EXPIRY", "soon"),
        ("BACKEND_ENABLE_TESTS", "perhaps"),
        ("BACKEND_STORE", "ftp://bucket"),
        ("BACKEND_STORE", "s3://"),
        ("BACKEND_PASSWORD_MEMORY_KIB", "1"),
        ("BACKEND_APIKEY_MAX_DAYS", "0"),
        ("BACKEND_MAIL_FROM", "nobody"),
        ("BACKEND_AWS_SES_FROM", "nobody"),
        ("BACKEND_MAIL_REPLY_TO", "a@example.com, nobody"),
        ("BACKEND_AWS_SES_REPLY_TO", "a@example.com"),
        ("BACKEND_AWS_SES_REPLY_TO", "[\"nobody\"]"),
        ("BACKEND_SMTP_URL", "http://mail.example"),
        ("BACKEND_CALL_TIMEOUT_MS", "soon"),
        ("BACKEND_MAINTAINER_EMAIL", "nobody"),
        ("BACKEND_CROWDIN_URL", "nowhere"),
        ("BACKEND_CROWDIN_INVITE_NL", "a b"),
        ("BACKEND_RATE_LIMITS", "perhaps"),
        ("BACKEND_LIMIT_CALLERS", "0"),
        ("BACKEND_TRUSTED_PROXIES", "proxy.example"),
        ("BACKEND_ORIGIN_SECRET", "short"),
        ("BACKEND_ORIGIN_SECRET", "a secret with blanks, of 32 bytes"),
        ("BACKEND_ORIGIN_SECRET", "0123456789abcdef\n0123456789abcdef"),
        ("BACKEND_MAX_STALENESS_MS", "-1"),
        ("BACKEND_CORS_ORIGINS", "lab.example.org"),
        ("BACKEND_CORS_ORIGINS", "https://a.example, *"),
        ("BACKEND_CORS_ORIGINS", "https://*.example.org"),
        ("BACKEND_CORS_ORIGINS", "https://lab.example.org/path"),
        ("BACKEND_WEBSITE_DOMAIN", "https://freesewing.org"),
        ("BACKEND_WEBSITE_DOMAIN", "freesewing.org/"),
        ("BACKEND_WEBSITE_SCHEME", "https://"),
        ("BACKEND_URL", "api.example.org"),
        ("BACKEND_URL", "localhost:3000"),
        ("BACKEND_TEST_DOMAIN", "@example.org"),
        ("BACKEND_DATA_DIR", "~/bespoke"),
        ("BACKEND_LOCAL_DIR", "~"),
        ("BACKEND_STORE", "dir:~/objects"),
    ] {
        let error = load(&[(name, value)]).unwrap_err();
        assert!(error.starts_with(name), "{name}: {error}");
        assert!(!error.contains("short,"), "{error}");
    }
}

#[test]
fn origins_are_normalized() {
    let origins = |value: &str| load(&[("BACKEND_CORS_ORIGINS", value)]).unwrap().cors_origins;
    for all in ["all", "ALL", "*", " * "] {
        assert_eq!(origins(all), None, "{all}");
    }
    let list = Some(vec!["https://a.example".to_owned(), "http://localhost:8000".to_owned()]);
    assert_eq!(origins("https://A.example/ , http://localhost:8000,"), list);
}

#[test]
fn error_has_an_example_of_a_valid_value() {
    for setting in SETTINGS {
        let Err(error) = load(&[(setting.name, "soon")]) else {
            continue;
        };
        assert!(!error.contains("invalid") && !error.contains("parse"), "{error}");
        let is_value = setting.default.parse::<u64>().is_ok() || setting.default.contains("://");
        assert!(!is_value || error.contains(", for example "), "{error}");
    }
    for (name, value, example) in [
        ("BACKEND_PORT", "65536", "from 0 to 65535, for example 3000"),
        ("BACKEND_LIMIT_CALLERS", "0", "from 1 to 4294967295, for example 1200"),
        ("BACKEND_MAX_STALENESS_MS", "1.5", "of 0 or more, for example 0"),
        ("BACKEND_JWT_EXPIRY", "soon", "such as 7d"),
        ("BACKEND_STORE", "bucket", "for example s3://bucket/prefix"),
        (
            "BACKEND_MAIL_FROM",
            "nobody",
            "for example Bespoke <bespoke@example.org>",
        ),
    ] {
        let error = load(&[(name, value)]).unwrap_err();
        assert!(error.contains(example), "{error}");
    }
    let host = [("BACKEND_HOST".to_owned(), "localhost".to_owned())];
    let error = Environment::of(host, Overrides::default()).address().unwrap_err();
    assert!(error.to_string().contains("for example 127.0.0.1"), "{error}");
}

#[test]
fn settings_select_the_mail_transport() {
    let transport = |variables: &[(&str, &str)]| format!("{:?}", load(variables).unwrap().mail.transport);
    assert!(transport(&[]).starts_with("folder "));
    let smtp = ("BACKEND_SMTP_URL", "smtps://jane:secret@mail.example");
    assert_eq!(transport(&[smtp]), "SMTP");
    let ses = ("BACKEND_ENABLE_AWS_SES", "yes");
    assert_eq!(transport(&[ses]), "AWS SES in us-east-1");
    assert_eq!(
        transport(&[ses, ("BACKEND_AWS_SES_REGION", "eu-west-1")]),
        "AWS SES in eu-west-1"
    );
    let both = load(&[ses, smtp]).unwrap_err();
    assert!(
        both.starts_with("BACKEND_SMTP_URL") && !both.contains("secret"),
        "{both}"
    );
    let list = ("BACKEND_AWS_SES_REPLY_TO", "[\"A <a@example.com>\", \"b@example.com\"]");
    assert_eq!(load(&[list]).unwrap().mail.reply_to.iter().count(), 2);
    let header = ("BACKEND_MAIL_REPLY_TO", "A <a@example.com>, b@example.com");
    assert_eq!(load(&[header]).unwrap().mail.reply_to.iter().count(), 2);
}

#[test]
fn enabled_service_requires_its_settings_and_debug_hides_tokens() {
    let enabled = ("BACKEND_ENABLE_CLOUDFLARE_IMAGES", "yes");
    let account = ("BACKEND_CLOUDFLARE_ACCOUNT", "acme");
    let token = ("BACKEND_CLOUDFLARE_IMAGES_TOKEN", "very secret");
    assert!(load(&[enabled]).unwrap_err().starts_with("BACKEND_CLOUDFLARE_ACCOUNT"));
    assert!(load(&[enabled, account]).unwrap_err().starts_with(token.0));
    let config = format!("{:?}", load(&[enabled, account, token]).unwrap().images);
    assert!(config.contains("acme") && !config.contains("secret"), "{config}");
    let url = ("BACKEND_CLOUDFLARE_API_URL", "nowhere");
    assert!(load(&[enabled, account, token, url]).unwrap_err().starts_with(url.0));
    let sanity = ("BACKEND_ENABLE_SANITY", "yes");
    assert!(load(&[sanity]).unwrap_err().starts_with("BACKEND_SANITY_PROJECT"));
    assert!(load(&[sanity, enabled]).unwrap_err().starts_with(sanity.0));

    let github = ("BACKEND_ENABLE_GITHUB", "yes");
    let token = ("BACKEND_GITHUB_TOKEN", "very secret");
    assert!(load(&[github]).unwrap_err().starts_with(token.0));
    let config = format!("{:?}", load(&[github, token]).unwrap().github.unwrap());
    assert!(config.contains("freesewing") && !config.contains("secret"), "{config}");
    for (name, value) in [
        ("BACKEND_GITHUB_REPOSITORY", "freesewing"),
        ("BACKEND_GITHUB_REPOSITORY", "../user"),
        ("BACKEND_GITHUB_REPOSITORY", "a/b/c"),
        ("BACKEND_GITHUB_BRANCH", "a//b"),
        ("BACKEND_GITHUB_BRANCH", "a?b"),
        ("BACKEND_GITHUB_USER_EMAIL", "nobody"),
        ("BACKEND_GITHUB_NOTIFY_DEFAULT_USER", "a b"),
    ] {
        let error = load(&[github, token, (name, value)]).unwrap_err();
        assert!(error.starts_with(name), "{name} {value}: {error}");
    }
}

#[test]
fn maintainer_defaults_to_operator_and_then_to_mail_sender() {
    let maintainer = |variables: &[(&str, &str)]| load(variables).unwrap().maintainer;
    let from = ("BACKEND_MAIL_FROM", "A <a@example.org>");
    let operator = ("BACKEND_OPERATOR_CONTACT", "b@example.org");
    let named = ("BACKEND_MAINTAINER_EMAIL", "c@example.org");
    assert_eq!(maintainer(&[from, operator, named]), "c@example.org");
    assert_eq!(maintainer(&[from, operator]), "b@example.org");
    let page = ("BACKEND_OPERATOR_CONTACT", "https://example.org/help");
    assert_eq!(maintainer(&[from, page]), "a@example.org");
}

#[test]
fn settings_without_effect_are_accepted() {
    assert!(load(&[("BACKEND_AWS_SES_BCC", "[]"), ("BACKEND_DB_URL", "file:./db.sqlite")]).is_ok());
}

#[test]
fn key_file_is_created_once_and_private() {
    let dir = tempfile::tempdir().unwrap();
    let load = || {
        let overrides = Overrides {
            data_dir: Some(dir.path().into()),
            ..Overrides::default()
        };
        Config::load(Environment::of([], overrides), &SystemRandom)
            .unwrap()
            .keys
            .data
    };
    assert_eq!(load(), load());
    let file = dir.path().join("keys/encryption.key");
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
    assert_eq!(std::fs::read_to_string(file).unwrap().trim().len(), 128);
    assert_eq!(std::fs::read_dir(dir.path().join("keys")).unwrap().count(), 1);
}
