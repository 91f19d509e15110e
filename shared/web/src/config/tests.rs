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

/// Settings that enable the services whose other settings are tested.
const SERVICES: [(&str, &str); 9] = [
    ("BACKEND_ENABLE_GITHUB", "yes"),
    ("BACKEND_GITHUB_TOKEN", "token"),
    ("BACKEND_ENABLE_AWS_SES", "yes"),
    ("BACKEND_ENABLE_OAUTH_GITHUB", "yes"),
    ("BACKEND_OAUTH_GITHUB_CLIENT_ID", "id"),
    ("BACKEND_OAUTH_GITHUB_CLIENT_SECRET", "secret"),
    ("BACKEND_ENABLE_CLOUDFLARE_IMAGES", "yes"),
    ("BACKEND_CLOUDFLARE_ACCOUNT", "acme"),
    ("BACKEND_CLOUDFLARE_IMAGES_TOKEN", "token"),
];

/// Loads the settings of the services and another one, which replaces that of the same name.
fn load_with_services(name: &str, value: &str) -> Result<Config, String> {
    let others = SERVICES.into_iter().filter(|(other, _)| *other != name);
    let others = others.filter(|_| name != "BACKEND_SMTP_URL");
    load(&others.chain([(name, value)]).collect::<Vec<_>>())
}

#[test]
fn settings_that_cannot_work_are_refused_with_an_example() {
    for (name, values) in [
        (
            "BACKEND_LOG",
            &[
                "verbose",
                "info;debug",
                "bespoke_storage",
                "bespoke_storage:debug",
                "2",
                ",",
            ][..],
        ),
        (
            "BACKEND_AWS_SES_REGION",
            &["Ireland", "eu-west", "https://x", "eu_west_1"],
        ),
        ("BACKEND_AWS_SES_URL", &["example.org", "https://"]),
        ("BACKEND_AWS_SES_CONFIGURATION_SET", &["my set", "a/b"]),
        ("BACKEND_AWS_SES_FEEDBACK", &["nobody", "Jane <jane@example.org>"]),
        ("BACKEND_CALL_TIMEOUT_MS", &["0", "10s"]),
        ("BACKEND_PASSWORD_MEMORY_KIB", &["0", "7", "99999999"]),
        ("BACKEND_PASSWORD_ITERATIONS", &["0", "4294967295"]),
        ("BACKEND_PASSWORD_PARALLELISM", &["0", "16777216"]),
        (
            "BACKEND_CLOUDFLARE_ACCOUNT",
            &["https://dash.cloudflare.com/acme", "a b"],
        ),
        ("BACKEND_CLOUDFLARE_IMAGES_TOKEN", &["Bearer token", "t\u{f6}ken"]),
        ("BACKEND_OAUTH_GITHUB_CLIENT_SECRET", &["a b"]),
        ("BACKEND_GITHUB_TOKEN", &["token token"]),
        ("BACKEND_GITHUB_REPOSITORY", &["https://github.com/a/b", "a/b.git"]),
        (
            "BACKEND_GITHUB_BRANCH",
            &["refs/heads/main", "-x", "a..b", "a.lock", "a/"],
        ),
        ("BACKEND_GITHUB_LABELS", &["[\"bug\"]"]),
        (
            "BACKEND_GITHUB_DISCUSSION_CATEGORY",
            &["https://github.com/a/b/discussions/categories/general"],
        ),
        ("BACKEND_AVATAR_SET", &["https://example.org/a.png", "../x", "a b"]),
        ("BACKEND_TEST_DOMAIN", &["a.org,b.org", "a.org:80", "jane@a.org", "a b"]),
        ("BACKEND_WEBSITE_DOMAIN", &["a.org,b.org", "a.org;b.org"]),
        ("BACKEND_CORS_ORIGINS", &[","]),
        (
            "BACKEND_DATA_DIR",
            &["$HOME/bespoke", "dir:/tmp", "s3://bucket", "file:///tmp"],
        ),
        ("BACKEND_STORE", &["dir:$HOME/objects"]),
        ("BACKEND_OPERATOR_CONTACT", &["example.org/help"]),
        ("BACKEND_MAINTAINER_EMAIL", &["Jane <jane@example.org>"]),
        (
            "BACKEND_SMTP_URL",
            &[
                "smtp://",
                "smtps://host:port",
                "smtp://host?tls=maybe",
                "smtp://jane:pa/ss@host",
                "smtp://jane:pa#ss@host",
            ],
        ),
    ] {
        for value in values {
            let error = load_with_services(name, value).unwrap_err();
            let is_explained = error.contains("example") || error.contains("write ");
            assert!(error.starts_with(name) && is_explained, "{name} {value}: {error}");
            assert!(!error.contains("pa/ss") && !error.contains("pa#ss"), "{error}");
        }
    }
}

#[test]
fn blanks_around_a_value_have_no_meaning_and_quotes_are_refused() {
    for (name, value) in [
        ("BACKEND_URL", "https://api.example.org"),
        ("BACKEND_PORT", "3001"),
        ("BACKEND_RATE_LIMITS", "off"),
        ("BACKEND_GITHUB_TOKEN", "token"),
        ("BACKEND_WEBSITE_DOMAIN", "example.org"),
        ("BACKEND_LOG", "info,bespoke_storage=debug"),
        ("BACKEND_INSTANCE", "prod"),
    ] {
        let loaded = |value: &str| load_with_services(name, value).map(|config| format!("{config:?}"));
        let plain = loaded(value).map(|text| without_folders(&text));
        for blank in [format!(" {value} "), format!("{value}\n"), format!("{value}\r\n")] {
            assert_eq!(
                loaded(&blank).map(|text| without_folders(&text)),
                plain,
                "{name} {blank:?}"
            );
        }
        for quoted in [format!("\"{value}\""), format!("'{value}'")] {
            let error = loaded(&quoted).unwrap_err();
            assert!(error.starts_with(name), "{error}");
        }
    }
    let key = |value: &str| load(&[("BACKEND_ENC_KEY", value)]).map(|config| config.keys.data);
    let passphrase = "sixteen bytes or more";
    for other in [format!("{passphrase} "), format!("\"{passphrase}\"")] {
        assert_ne!(key(&other).unwrap(), key(passphrase).unwrap(), "{other}");
    }
    let error = key(&" ".repeat(20)).unwrap_err();
    assert!(error.starts_with("BACKEND_ENC_KEY: consists of blanks"), "{error}");
}

/// Removes the temporary folder, and the key that is generated in it.
fn without_folders(config: &str) -> String {
    let words = config
        .split(' ')
        .filter(|word| !word.contains("/tmp") && !word.contains(".tmp"));
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn usual_forms_of_a_value_have_the_same_meaning() {
    for word in ["yes", "YES", "true", "1", "on"] {
        assert!(
            load(&[("BACKEND_REQUIRE_SIGNUP_CHECK", word)]).unwrap().require_check,
            "{word}"
        );
        assert!(
            load(&[("BACKEND_RATE_LIMITS", word)]).unwrap().limits.is_some(),
            "{word}"
        );
    }
    for word in ["no", "false", "0", "off"] {
        assert!(
            !load(&[("BACKEND_REQUIRE_SIGNUP_CHECK", word)]).unwrap().require_check,
            "{word}"
        );
        assert!(
            load(&[("BACKEND_RATE_LIMITS", word)]).unwrap().limits.is_none(),
            "{word}"
        );
    }
    let scheme = load(&[
        ("BACKEND_WEBSITE_SCHEME", "HTTP"),
        ("BACKEND_WEBSITE_DOMAIN", "example.org"),
    ]);
    assert_eq!(scheme.unwrap().website.unwrap().url(), "http://example.org");
    let tests = [
        ("BACKEND_ENABLE_TESTS", "yes"),
        ("BACKEND_TEST_DOMAIN", "M\u{fc}nchen.example"),
    ];
    assert_eq!(
        load(&tests).unwrap().test_domain.as_deref(),
        Some("xn--mnchen-3ya.example")
    );
    let transport = load(&[
        ("BACKEND_ENABLE_AWS_SES", "yes"),
        ("BACKEND_AWS_SES_REGION", "EU-West-1"),
    ]);
    assert_eq!(
        format!("{:?}", transport.unwrap().mail.transport),
        "AWS SES in eu-west-1"
    );
    let callback = (
        "BACKEND_OAUTH_GITHUB_CALLBACK_SITE",
        "https://lab.example.org/signin/callback/github/",
    );
    let oauth = format!("{:?}", load_with_services(callback.0, callback.1).unwrap().oauth);
    assert!(oauth.contains("\"https://lab.example.org\""), "{oauth}");
    let url = "https://github.com/login/oauth/authorize";
    let oauth = format!(
        "{:?}",
        load_with_services("BACKEND_OAUTH_GITHUB_URL", url).unwrap().oauth
    );
    assert!(oauth.contains(&format!("\"{url}\"")), "{oauth}");
    let host = [("BACKEND_HOST".to_owned(), "[::1]".to_owned())];
    let address = Environment::of(host, Overrides::default()).address().unwrap();
    assert_eq!(address.to_string(), "[::1]:3000");
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
    let token = ("BACKEND_CLOUDFLARE_IMAGES_TOKEN", "very-secret");
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
    let token = ("BACKEND_GITHUB_TOKEN", "very-secret");
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
