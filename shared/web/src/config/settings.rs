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
        "BACKEND_ENC_KEY_SECRET",
        "none",
        "ARN or name of a secret in AWS Secrets Manager that holds the passphrase, instead of BACKEND_ENC_KEY. Its version AWSPENDING, or \
         else AWSPREVIOUS, stands for BACKEND_OLD_ENC_KEY.",
    ),
    setting(
        "BACKEND_ENC_KEY_MAX_AGE_S",
        "300",
        "Seconds after which a Lambda function reads that secret again, with its next event. Servers read it when they start.",
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
        "BACKEND_ACCOUNT_MAX_SETS",
        "2000",
        "Measurement sets that an account may store.",
    ),
    setting(
        "BACKEND_ACCOUNT_MAX_PATTERNS",
        "2000",
        "Patterns that an account may store.",
    ),
    setting(
        "BACKEND_ACCOUNT_MAX_BOOKMARKS",
        "2000",
        "Bookmarks that an account may store.",
    ),
    setting(
        "BACKEND_ACCOUNT_MAX_APIKEYS",
        "100",
        "API keys that an account may have at once; expired ones do not count.",
    ),
    setting(
        "BACKEND_ACCOUNT_MAX_TEXT_MIB",
        "64",
        "Encrypted text of all sets, patterns, bookmarks, keys and suggestions that an account may store, in MiB.",
    ),
    setting(
        "BACKEND_ACCOUNT_WRITES_MIB_PER_DAY",
        "512",
        "What an account may write on a day (UTC), in MiB: encrypted texts of the rows that it makes or changes, images, and 4 KiB for each write. Exports may take a quarter of that in addition.",
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
        "BACKEND_ORIGIN_SECRET",
        "none",
        "Secret that CloudFront sends as x-origin-secret: requests without it are refused, and the client is that of CloudFront-Viewer-Address. At least 32 bytes.",
    ),
    setting(
        "BACKEND_CONNECTIONS_PER_ADDRESS",
        "256",
        "Connections to `bespoke serve` that one address (of IPv6: one /64 network) may have open at once. BACKEND_TRUSTED_PROXIES have no limit.",
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
        "BACKEND_HIDE_METRICS",
        "no",
        "Functions write no lines for the metrics of CloudWatch, and `bespoke serve` has no `/metrics`.",
    ),
    setting(
        "BACKEND_MAIL_FROM",
        "Bespoke <bespoke@localhost.localdomain>",
        "Who mails are from.",
    ),
    setting("BACKEND_SERVICE_NAME", "FreeSewing", "Name of the service in mails."),
    setting(
        "BACKEND_AWS_SES_FROM",
        "BACKEND_MAIL_FROM",
        "Who mails are from, by the original's name.",
    ),
    setting(
        "BACKEND_MAIL_REPLY_TO",
        "none",
        "Addresses that answers to mails go to, separated by commas.",
    ),
    setting(
        "BACKEND_AWS_SES_REPLY_TO",
        "BACKEND_MAIL_REPLY_TO",
        "The same as a JSON array, by the original's name.",
    ),
    setting(
        "BACKEND_MAIL_POSTAL_ADDRESS",
        "none",
        "Postal address of whoever runs the service, at the foot of mails.",
    ),
    setting(
        "BACKEND_SMTP_URL",
        "none",
        "SMTP server that takes the mails: smtps://user:password@host:465, or smtp://user:password@host:587?tls=required. With neither this nor SES, mails are files in <data>/outbox.",
    ),
    setting("BACKEND_ENABLE_AWS_SES", "no", "AWS SES takes the mails."),
    setting("BACKEND_AWS_SES_REGION", "us-east-1", "Region of SES."),
    setting(
        "BACKEND_AWS_SES_URL",
        "that of the region",
        "URL of SES, for a server that is not AWS.",
    ),
    setting(
        "BACKEND_AWS_SES_CONFIGURATION_SET",
        "none",
        "Configuration set that SES sends under.",
    ),
    setting(
        "BACKEND_AWS_SES_FEEDBACK",
        "none",
        "Address that SES sends bounces and complaints to.",
    ),
    setting(
        "BACKEND_CALL_TIMEOUT_MS",
        "10000",
        "How long a service out there (images, GitHub, sign-in) may take for an answer, in milliseconds.",
    ),
    setting(
        "BACKEND_ENABLE_CLOUDFLARE_IMAGES",
        "no",
        "Images are kept at Cloudflare Images, not in the bucket.",
    ),
    setting("BACKEND_CLOUDFLARE_ACCOUNT", "none", "Id of the account at Cloudflare."),
    setting("BACKEND_CLOUDFLARE_IMAGES_TOKEN", "none", "Token for its images."),
    setting(
        "BACKEND_CLOUDFLARE_API_URL",
        "https://api.cloudflare.com/client/v4",
        "URL of Cloudflare's API.",
    ),
    setting(
        "BACKEND_ENABLE_SANITY",
        "no",
        "Images are kept at Sanity, not in the bucket.",
    ),
    setting("BACKEND_SANITY_PROJECT", "none", "Id of the project at Sanity."),
    setting("BACKEND_SANITY_DATASET", "production", "Dataset of the project."),
    setting("BACKEND_SANITY_TOKEN", "none", "Token that may write to it."),
    setting(
        "BACKEND_SANITY_API_URL",
        "https://<project>.api.sanity.io",
        "URL of the project's API.",
    ),
    setting(
        "BACKEND_ENABLE_OAUTH_GITHUB",
        "no",
        "People may sign in through GitHub.",
    ),
    setting("BACKEND_OAUTH_GITHUB_CLIENT_ID", "none", "Client id at GitHub."),
    setting("BACKEND_OAUTH_GITHUB_CLIENT_SECRET", "none", "Client secret at GitHub."),
    setting(
        "BACKEND_OAUTH_GITHUB_CALLBACK_SITE",
        "the website, or <BACKEND_URL>/console",
        "Site that GitHub sends people back to, at /signin/callback/github.",
    ),
    setting("BACKEND_OAUTH_GITHUB_URL", "https://github.com", "URL of GitHub."),
    setting(
        "BACKEND_GITHUB_API_URL",
        "https://api.github.com",
        "URL of GitHub's API.",
    ),
    setting(
        "BACKEND_ENABLE_GITHUB",
        "no",
        "Issues, discussions and pages of the website may be brought forward at GitHub.",
    ),
    setting(
        "BACKEND_GITHUB_TOKEN",
        "none",
        "Token for that: it reads and writes contents, issues, discussions and pull requests of the repository.",
    ),
    setting(
        "BACKEND_GITHUB_REPOSITORY",
        "freesewing/freesewing",
        "The repository, as owner/name.",
    ),
    setting(
        "BACKEND_GITHUB_BRANCH",
        "develop",
        "The branch that pages are proposed for.",
    ),
    setting(
        "BACKEND_GITHUB_LABELS",
        "bug,documentation,enhancement,question",
        "Labels that anybody may give an issue, separated by commas; others are left out.",
    ),
    setting(
        "BACKEND_GITHUB_DISCUSSION_CATEGORY",
        "general",
        "The category that discussions are opened in: the last part of its URL.",
    ),
    setting(
        "BACKEND_GITHUB_USER_NAME",
        "Freesewing bot",
        "Author of a proposed page whose account does not say who it is at GitHub.",
    ),
    setting(
        "BACKEND_GITHUB_USER_EMAIL",
        "bot@freesewing.org",
        "Address of that author.",
    ),
    setting(
        "BACKEND_GITHUB_NOTIFY_DEFAULT_USER",
        "none",
        "Account at GitHub that proposals of pages call in.",
    ),
    setting(
        "BACKEND_ENABLE_OAUTH_GOOGLE",
        "no",
        "People may sign in through Google.",
    ),
    setting("BACKEND_OAUTH_GOOGLE_CLIENT_ID", "none", "Client id at Google."),
    setting("BACKEND_OAUTH_GOOGLE_CLIENT_SECRET", "none", "Client secret at Google."),
    setting(
        "BACKEND_OAUTH_GOOGLE_CALLBACK_SITE",
        "the website, or <BACKEND_URL>/console",
        "Site that Google sends people back to, at /signin/callback/google.",
    ),
    setting(
        "BACKEND_OAUTH_GOOGLE_URL",
        "https://accounts.google.com",
        "URL of Google's sign-in.",
    ),
    setting(
        "BACKEND_OAUTH_GOOGLE_TOKEN_URL",
        "https://oauth2.googleapis.com",
        "URL at which Google changes codes into tokens.",
    ),
    setting(
        "BACKEND_GOOGLE_PEOPLE_API_URL",
        "https://people.googleapis.com",
        "URL of the API by which Google says who somebody is.",
    ),
    setting(
        "BACKEND_MAINTAINER_EMAIL",
        "BACKEND_OPERATOR_CONTACT where that is an address, otherwise that of BACKEND_MAIL_FROM",
        "Who reads the languages that users suggest.",
    ),
    setting(
        "BACKEND_CROWDIN_URL",
        "https://translate.freesewing.org/project/freesewing",
        "Page of the project where translators work.",
    ),
    setting(
        "BACKEND_CROWDIN_INVITE_DE",
        "none",
        "Code of the invitation of translators into German; without one they are led to the page of the project.",
    ),
    setting(
        "BACKEND_CROWDIN_INVITE_ES",
        "none",
        "Code of the invitation of translators into Spanish; without one they are led to the page of the project.",
    ),
    setting(
        "BACKEND_CROWDIN_INVITE_FR",
        "none",
        "Code of the invitation of translators into French; without one they are led to the page of the project.",
    ),
    setting(
        "BACKEND_CROWDIN_INVITE_NL",
        "none",
        "Code of the invitation of translators into Dutch; without one they are led to the page of the project.",
    ),
    setting(
        "BACKEND_CROWDIN_INVITE_UK",
        "none",
        "Code of the invitation of translators into Ukrainian; without one they are led to the page of the project.",
    ),
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
        "info; on a terminal also each request",
        "What is logged: error, warn, info, debug, or levels of modules as in `info,bespoke_storage=debug`. `info,bespoke_web::request=debug` logs each request.",
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
    "BACKEND_AWS_SES_CC",
    "BACKEND_AWS_SES_BCC",
    "BACKEND_IMPORT_CLOUDFLARE_IMAGES",
    "BACKEND_CLOUDFLARE_IMAGE_URL",
    "BACKEND_GITHUB_USER",
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
    page.push_str(
        "\nSpans are exported if the standard variables of OpenTelemetry (`OTEL_EXPORTER_OTLP_ENDPOINT` and others) name a collector:\n\
         [traces](operations.md#traces).\n",
    );
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
