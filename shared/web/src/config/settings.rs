//! The list of settings: their names, defaults and meanings.

/// A setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Name of the environment variable.
    pub name: &'static str,
    /// What it is when it is not set.
    pub default: &'static str,
    /// What it does, and in which unit.
    pub meaning: &'static str,
}

const fn setting(name: &'static str, default: &'static str, meaning: &'static str) -> Setting {
    Setting { name, default, meaning }
}

/// Every setting that has an effect.
pub const SETTINGS: &[Setting] = &[
    setting(
        "BACKEND_HOST",
        "127.0.0.1",
        "IP address that `bespoke serve` listens on; 0.0.0.0 for all.",
    ),
    setting("BACKEND_PORT", "3000", "Port that `bespoke serve` listens on."),
    setting(
        "BACKEND_URL",
        "http://localhost:<port>",
        "URL under which clients reach the API; issuer and audience of tokens.",
    ),
    setting(
        "BACKEND_INSTANCE",
        "bespoke",
        "Name of this instance. Tokens and API keys of another instance are refused.",
    ),
    setting(
        "BACKEND_ENC_KEY",
        "the file keys/encryption.key",
        "Passphrase from which the keys for tokens, data and index are derived; at least 16 bytes.",
    ),
    setting(
        "BACKEND_TOKEN_KEY",
        "derived",
        "Passphrase of its own for the key that signs tokens.",
    ),
    setting(
        "BACKEND_DATA_KEY",
        "derived",
        "Passphrase of its own for the key that encrypts fields at rest.",
    ),
    setting(
        "BACKEND_INDEX_KEY",
        "derived",
        "Passphrase of its own for the key of the e-mail index.",
    ),
    setting(
        "BACKEND_OLD_ENC_KEY",
        "none",
        "While keys are being rotated: the passphrase before. What it sealed still opens, until `bespoke rotate-keys` has sealed it anew.",
    ),
    setting(
        "BACKEND_OLD_DATA_KEY",
        "derived from BACKEND_OLD_ENC_KEY",
        "The same for BACKEND_DATA_KEY.",
    ),
    setting(
        "BACKEND_OLD_INDEX_KEY",
        "derived from BACKEND_OLD_ENC_KEY",
        "The same for BACKEND_INDEX_KEY.",
    ),
    setting(
        "IMPORT_ENC_KEY",
        "none",
        "For `bespoke import` alone: the encryption key of the original, its BACKEND_ENC_KEY.",
    ),
    setting(
        "BACKEND_JWT_EXPIRY",
        "7d",
        "How long a token works: a number of seconds, or a number with a unit (90m, 12h, 7d, 2w).",
    ),
    setting("BACKEND_JWT_ISSUER", "BACKEND_URL", "Issuer of tokens."),
    setting(
        "BACKEND_WEBSITE_DOMAIN",
        "none",
        "Host of the website to which links in mails lead. Without one they lead to <BACKEND_URL>/console.",
    ),
    setting("BACKEND_WEBSITE_SCHEME", "https", "Scheme of the website."),
    setting("BACKEND_APIKEY_MAX_DAYS", "732", "Longest life of an API key, in days."),
    setting(
        "BACKEND_REQUIRE_SIGNUP_CHECK",
        "no",
        "Confirming an account needs the check of the link, not its id alone. Clients of the first generation send only the id.",
    ),
    setting(
        "BACKEND_ENABLE_TESTS",
        "no",
        "Test mode: a request with `test` set, for an address in BACKEND_TEST_DOMAIN, gets its confirmation in the answer. Never in production.",
    ),
    setting(
        "BACKEND_TEST_DOMAIN",
        "freesewing.dev",
        "Domain of the addresses for which test mode works.",
    ),
    setting(
        "BACKEND_PASSWORD_MEMORY_KIB",
        "19456",
        "Memory of one password hash (argon2id), in KiB.",
    ),
    setting("BACKEND_PASSWORD_ITERATIONS", "2", "Passes of one password hash."),
    setting("BACKEND_PASSWORD_PARALLELISM", "1", "Lanes of one password hash."),
    setting(
        "BACKEND_RATE_LIMITS",
        "on",
        "`off` lets everybody call as often as they like: for load tests.",
    ),
    setting(
        "BACKEND_LIMIT_PUBLIC_WRITES",
        "60",
        "Calls a minute by one address on routes that sign in, mail or store without an account; twice as many at once.",
    ),
    setting(
        "BACKEND_LIMIT_PUBLIC_READS",
        "3000",
        "Calls a minute by one address on routes that only read, without an account.",
    ),
    setting(
        "BACKEND_LIMIT_CALLERS",
        "1200",
        "Calls a minute with one API key, and by one account.",
    ),
    setting(
        "BACKEND_APIKEY_CALLS_PER_DAY",
        "100000",
        "Calls a day (UTC) with one API key, where an administrator has not set another number for its owner.",
    ),
    setting(
        "BACKEND_OPERATOR_CONTACT",
        "none",
        "E-mail address, or page, where callers reach whoever runs this instance; shown where use and limits are explained.",
    ),
    setting(
        "BACKEND_TRUSTED_PROXIES",
        "none",
        "Proxies whose X-Forwarded-For is believed: addresses and networks (10.0.0.0/8), separated by commas.",
    ),
    setting(
        "BACKEND_MAX_STALENESS_MS",
        "0",
        "How old what a read sees may be, in milliseconds: so long the bucket is not asked again. A client that sends back `DB-Seq` still reads its own writes.",
    ),
    setting(
        "BACKEND_CORS_ORIGINS",
        "all",
        "Origins that browsers may call from, separated by commas.",
    ),
    setting(
        "BACKEND_AVATAR_SET",
        "default-avatar",
        "Id of the image of a set that has none of its own.",
    ),
    setting(
        "BACKEND_AVATAR_PATTERN",
        "default-avatar",
        "Id of the image of a pattern that has none of its own.",
    ),
    setting(
        "BACKEND_AVATAR_OPACK",
        "default-avatar",
        "Id of the image of an option pack that has none of its own.",
    ),
    setting(
        "BACKEND_HIDE_COUNTERS",
        "no",
        "Closes the public counters: `/info/users`, `/info/stats`, `/info/authors`.",
    ),
    setting(
        "BACKEND_MAIL_FROM",
        "Bespoke <bespoke@localhost.localdomain>",
        "Who mails are from.",
    ),
    setting("BACKEND_SERVICE_NAME", "FreeSewing", "Name of the service in mails."),
    setting(
        "BACKEND_DATA_DIR",
        "./data",
        "Folder of the bucket, the keys and the outbox, where none of them is set apart.",
    ),
    setting(
        "BACKEND_STORE",
        "dir:<data>/objects",
        "The bucket: `dir:<folder>`, or `s3://<bucket>/<prefix>` with or without a prefix. For S3 the standard variables hold: AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_PROFILE, and AWS_ENDPOINT_URL for a server that is not AWS.",
    ),
    setting(
        "BACKEND_LOCAL_DIR",
        "<data>/cache; on Lambda /tmp/bespoke",
        "Folder for the local copy of the database; may be lost whenever no process runs.",
    ),
    setting(
        "BACKEND_LOG",
        "info",
        "What is logged: error, warn, info, debug, or directives of `tracing`.",
    ),
];

/// Names that the original had and that change nothing here, or nothing yet: a configuration that is moved over
/// starts, and is told.
pub const WITHOUT_EFFECT: &[&str] = &[
    "BACKEND_DB_URL",
    "BACKEND_MFA_SERVICE",
    "BACKEND_AVATAR_USER",
    "BACKEND_AVATAR_CSET",
    "BACKEND_EXPORTS_DIR",
    "BACKEND_EXPORTS_URL",
    "BACKEND_ENABLE_AWS_SES",
    "BACKEND_AWS_SES_REGION",
    "BACKEND_AWS_SES_FROM",
    "BACKEND_AWS_SES_REPLY_TO",
    "BACKEND_AWS_SES_FEEDBACK",
    "BACKEND_AWS_SES_CC",
    "BACKEND_AWS_SES_BCC",
    "BACKEND_ENABLE_CLOUDFLARE_IMAGES",
    "BACKEND_CLOUDFLARE_ACCOUNT",
    "BACKEND_CLOUDFLARE_IMAGES_TOKEN",
    "BACKEND_IMPORT_CLOUDFLARE_IMAGES",
    "BACKEND_CLOUDFLARE_IMAGE_URL",
    "BACKEND_ENABLE_GITHUB",
    "BACKEND_GITHUB_TOKEN",
    "BACKEND_GITHUB_USER",
    "BACKEND_GITHUB_USER_NAME",
    "BACKEND_GITHUB_USER_EMAIL",
    "BACKEND_GITHUB_NOTIFY_DEFAULT_USER",
    "BACKEND_ENABLE_OAUTH_GITHUB",
    "BACKEND_OAUTH_GITHUB_CLIENT_ID",
    "BACKEND_OAUTH_GITHUB_CLIENT_SECRET",
    "BACKEND_OAUTH_GITHUB_CALLBACK_SITE",
    "BACKEND_ENABLE_OAUTH_GOOGLE",
    "BACKEND_OAUTH_GOOGLE_CLIENT_ID",
    "BACKEND_OAUTH_GOOGLE_CLIENT_SECRET",
    "BACKEND_OAUTH_GOOGLE_CALLBACK_SITE",
    "BACKEND_CROWDIN_INVITE_NL",
    "BACKEND_CROWDIN_INVITE_FR",
    "BACKEND_CROWDIN_INVITE_DE",
    "BACKEND_CROWDIN_INVITE_ES",
    "BACKEND_CROWDIN_INVITE_UK",
    "BACKEND_ALLOW_TESTS_IN_PRODUCTION",
    "BACKEND_TESTS_DOMAIN",
    "BACKEND_ENABLE_TESTS_EMAIL",
    "BACKEND_ENABLE_TESTS_CLOUDFLARE_IMAGES",
    "BACKEND_TEST_CLOUDFLARE_IMAGES",
    "BACKEND_USE_CLOUDFLARE_IMAGES",
    "BACKEND_ENABLE_FORWARDMX",
    "BACKEND_ENABLE_TESTS_FORWARDMX",
    "BACKEND_FORWARDMX_KEY",
    "BACKEND_ENABLE_IMPORT",
    "BACKEND_ENABLE_PAYMENTS",
    "BACKEND_ENABLE_DUMP_CONFIG_AT_STARTUP",
];

/// The page docs/configuration.md, made from the list.
pub fn page() -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         Settings are environment variables, or lines of the file `.env` in the working folder; the environment wins, and\n\
         what the command line says wins over both. A name that begins with `BACKEND_` and is none of these, or a value\n\
         that a setting does not take, refuses to start and says so.\n\n\
         This page is made from the code: `cargo run -q -- settings > docs/configuration.md`.\n\n\
         | Setting | Default | Meaning |\n| --- | --- | --- |\n",
    );
    for Setting { name, default, meaning } in SETTINGS {
        page.push_str(&format!("| `{name}` | {default} | {meaning} |\n"));
    }
    page.push_str("\nKnown from the original backend, and without effect here (yet): a configuration that is moved over starts.\n\n");
    let names: Vec<_> = WITHOUT_EFFECT.iter().map(|name| format!("`{name}`")).collect();
    page.push_str(&names.join(",\n"));
    page.push_str(".\n");
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_says_what_the_code_does() {
        let written = include_str!("../../../../docs/configuration.md");
        assert!(
            written == page(),
            "run: cargo run -q -- settings > docs/configuration.md"
        );
    }
}
