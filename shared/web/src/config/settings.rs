//! [`SETTINGS`]: the list of all settings, with their names, defaults and meanings. [`page`] renders docs/configuration.md.

/// A setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Name of the environment variable.
    pub name: &'static str,
    /// The default value.
    pub default: &'static str,
    /// The effect and the unit.
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
        "IP address on which `bespoke serve` listens; 0.0.0.0 for all addresses.",
    ),
    setting("BACKEND_PORT", "3000", "Port on which `bespoke serve` listens."),
    setting(
        "BACKEND_URL",
        "http://localhost:<port>",
        "URL at which clients reach the API, for example https://api.example.org. It is also the issuer and part of the audience of tokens.",
    ),
    setting(
        "BACKEND_INSTANCE",
        "bespoke",
        "Name of this instance. Tokens and API keys of other instances are rejected.",
    ),
    setting(
        "BACKEND_ENC_KEY",
        "the file keys/encryption.key",
        "Passphrase from which the keys for tokens, data and index are derived; at least 16 bytes.",
    ),
    setting(
        "BACKEND_ENC_KEY_SECRET",
        "none",
        "ARN or name of a secret in AWS Secrets Manager that contains the passphrase, instead of BACKEND_ENC_KEY. Its version AWSPENDING, or \
         otherwise AWSPREVIOUS, replaces BACKEND_OLD_ENC_KEY.",
    ),
    setting(
        "BACKEND_ENC_KEY_MAX_AGE_S",
        "300",
        "Age in seconds at which a Lambda function reads that secret again, with its next event. A server reads it when it starts.",
    ),
    setting(
        "BACKEND_TOKEN_KEY",
        "derived",
        "Separate passphrase for the key that signs tokens.",
    ),
    setting(
        "BACKEND_DATA_KEY",
        "derived",
        "Separate passphrase for the key that encrypts fields at rest.",
    ),
    setting(
        "BACKEND_INDEX_KEY",
        "derived",
        "Separate passphrase for the key of the e-mail index.",
    ),
    setting(
        "BACKEND_OLD_ENC_KEY",
        "none",
        "The previous passphrase, during a key rotation. It still decrypts fields, until `bespoke rotate-keys` has encrypted them with the new one.",
    ),
    setting(
        "BACKEND_OLD_DATA_KEY",
        "derived from BACKEND_OLD_ENC_KEY",
        "The previous BACKEND_DATA_KEY, during a key rotation.",
    ),
    setting(
        "BACKEND_OLD_INDEX_KEY",
        "derived from BACKEND_OLD_ENC_KEY",
        "The previous BACKEND_INDEX_KEY, during a key rotation.",
    ),
    setting(
        "IMPORT_ENC_KEY",
        "none",
        "Only for `bespoke import`: the encryption key (BACKEND_ENC_KEY) of the original backend.",
    ),
    setting(
        "BACKEND_JWT_EXPIRY",
        "7d",
        "Lifetime of a token: a number of seconds, or a number with a unit (90m, 12h, 7d, 2w).",
    ),
    setting("BACKEND_JWT_ISSUER", "BACKEND_URL", "Issuer of tokens."),
    setting(
        "BACKEND_WEBSITE_DOMAIN",
        "none",
        "Host of the website to which links in mails point, for example freesewing.org. If it is not set, they point to <BACKEND_URL>/console.",
    ),
    setting(
        "BACKEND_WEBSITE_SCHEME",
        "https",
        "Scheme of the website: https or http.",
    ),
    setting(
        "BACKEND_APIKEY_MAX_DAYS",
        "732",
        "Longest lifetime of an API key, in days.",
    ),
    setting(
        "BACKEND_REQUIRE_SIGNUP_CHECK",
        "no",
        "Whether the confirmation of an account requires the check of the link, and not only its id. Clients of the first API generation send only the id.",
    ),
    setting(
        "BACKEND_ENABLE_TESTS",
        "no",
        "Test mode: the response to a request with the field `test` and an address in BACKEND_TEST_DOMAIN contains the confirmation. Never enable it in production.",
    ),
    setting(
        "BACKEND_TEST_DOMAIN",
        "freesewing.dev",
        "E-mail domain for which test mode works.",
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
        "`off` disables all rate limits, for load tests.",
    ),
    setting(
        "BACKEND_LIMIT_PUBLIC_WRITES",
        "60",
        "Calls a minute by one address on routes that sign in, send mail or store data without an account. The burst is twice as large.",
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
        "Calls a day (UTC) with one API key, unless an administrator has set another number for its owner.",
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
        "API keys that an account may have at the same time. Expired keys do not count.",
    ),
    setting(
        "BACKEND_ACCOUNT_MAX_TEXT_MIB",
        "64",
        "Encrypted text of all sets, patterns, bookmarks, keys and suggestions that an account may store, in MiB.",
    ),
    setting(
        "BACKEND_ACCOUNT_WRITES_MIB_PER_DAY",
        "512",
        "Data that an account may write on a day (UTC), in MiB: encrypted texts of new and changed rows, images, and 4 KiB for each write. Exports have an additional limit of a quarter of this.",
    ),
    setting(
        "BACKEND_OPERATOR_CONTACT",
        "none",
        "E-mail address or web page of the operator. It is shown where use and limits are explained.",
    ),
    setting(
        "BACKEND_TRUSTED_PROXIES",
        "none",
        "Proxies whose X-Forwarded-For is trusted: addresses and networks (10.0.0.0/8), separated by commas.",
    ),
    setting(
        "BACKEND_ORIGIN_SECRET",
        "none",
        "Secret of at least 32 ASCII characters without blanks that CloudFront sends as x-origin-secret. Requests without it are rejected, and the client address is read from CloudFront-Viewer-Address.",
    ),
    setting(
        "BACKEND_CONNECTIONS_PER_ADDRESS",
        "256",
        "Open connections to `bespoke serve` from one address (for IPv6: one /64 network). BACKEND_TRUSTED_PROXIES have no limit.",
    ),
    setting(
        "BACKEND_MAX_STALENESS_MS",
        "0",
        "Largest staleness of a read, in milliseconds. Within this time, the local copy is not revalidated with the bucket. A client that sends back `DB-Seq` still reads its own writes.",
    ),
    setting(
        "BACKEND_CORS_ORIGINS",
        "all",
        "Allowed origins for requests of browsers (CORS), separated by commas, each with its scheme and without a path: https://lab.example.org. `all` or `*` allows every origin.",
    ),
    setting(
        "BACKEND_AVATAR_SET",
        "default-avatar",
        "Id of the image of sets without an image.",
    ),
    setting(
        "BACKEND_AVATAR_PATTERN",
        "default-avatar",
        "Id of the image of patterns without an image.",
    ),
    setting(
        "BACKEND_AVATAR_OPACK",
        "default-avatar",
        "Id of the image of option packs without an image.",
    ),
    setting(
        "BACKEND_HIDE_COUNTERS",
        "no",
        "Whether the public counters are disabled: `/info/users`, `/info/stats`, `/info/authors`.",
    ),
    setting(
        "BACKEND_HIDE_METRICS",
        "no",
        "Whether metrics are disabled: functions write no metric lines for CloudWatch, and `bespoke serve` has no `/metrics`.",
    ),
    setting(
        "BACKEND_MAIL_FROM",
        "Bespoke <bespoke@localhost.localdomain>",
        "Sender of mails.",
    ),
    setting("BACKEND_SERVICE_NAME", "FreeSewing", "Name of the service in mails."),
    setting(
        "BACKEND_AWS_SES_FROM",
        "BACKEND_MAIL_FROM",
        "Sender of mails, under the name of the original backend.",
    ),
    setting(
        "BACKEND_MAIL_REPLY_TO",
        "none",
        "Reply addresses of mails, separated by commas.",
    ),
    setting(
        "BACKEND_AWS_SES_REPLY_TO",
        "BACKEND_MAIL_REPLY_TO",
        "Reply addresses as a JSON array, under the name of the original backend.",
    ),
    setting(
        "BACKEND_MAIL_POSTAL_ADDRESS",
        "none",
        "Postal address of the operator, at the foot of mails.",
    ),
    setting(
        "BACKEND_SMTP_URL",
        "none",
        "SMTP server for mails: smtps://user:password@host:465, or smtp://user:password@host:587?tls=required. If neither this nor SES is set, mails are written to files in <data>/outbox.",
    ),
    setting("BACKEND_ENABLE_AWS_SES", "no", "Whether AWS SES sends the mails."),
    setting("BACKEND_AWS_SES_REGION", "us-east-1", "Region of SES."),
    setting(
        "BACKEND_AWS_SES_URL",
        "that of the region",
        "URL of a server with the API of SES that is not AWS.",
    ),
    setting("BACKEND_AWS_SES_CONFIGURATION_SET", "none", "Configuration set of SES."),
    setting(
        "BACKEND_AWS_SES_FEEDBACK",
        "none",
        "Address to which SES sends bounces and complaints.",
    ),
    setting(
        "BACKEND_CALL_TIMEOUT_MS",
        "10000",
        "Timeout of calls to external services (images, GitHub, OAuth), in milliseconds.",
    ),
    setting(
        "BACKEND_ENABLE_CLOUDFLARE_IMAGES",
        "no",
        "Whether images are stored at Cloudflare Images, instead of the bucket.",
    ),
    setting("BACKEND_CLOUDFLARE_ACCOUNT", "none", "Id of the account at Cloudflare."),
    setting(
        "BACKEND_CLOUDFLARE_IMAGES_TOKEN",
        "none",
        "Token for Cloudflare Images.",
    ),
    setting(
        "BACKEND_CLOUDFLARE_API_URL",
        "https://api.cloudflare.com/client/v4",
        "URL of Cloudflare's API.",
    ),
    setting(
        "BACKEND_ENABLE_SANITY",
        "no",
        "Whether images are stored at Sanity, instead of the bucket.",
    ),
    setting("BACKEND_SANITY_PROJECT", "none", "Id of the project at Sanity."),
    setting("BACKEND_SANITY_DATASET", "production", "Dataset of the Sanity project."),
    setting(
        "BACKEND_SANITY_TOKEN",
        "none",
        "Token with write access to the dataset.",
    ),
    setting(
        "BACKEND_SANITY_API_URL",
        "https://<project>.api.sanity.io",
        "URL of the API of the Sanity project.",
    ),
    setting(
        "BACKEND_ENABLE_OAUTH_GITHUB",
        "no",
        "Whether users can sign in with GitHub.",
    ),
    setting("BACKEND_OAUTH_GITHUB_CLIENT_ID", "none", "Client id at GitHub."),
    setting("BACKEND_OAUTH_GITHUB_CLIENT_SECRET", "none", "Client secret at GitHub."),
    setting(
        "BACKEND_OAUTH_GITHUB_CALLBACK_SITE",
        "the website, or <BACKEND_URL>/console",
        "Site to which GitHub redirects after the sign-in, at /signin/callback/github.",
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
        "Whether users can create issues, discussions and pull requests for pages at GitHub.",
    ),
    setting(
        "BACKEND_GITHUB_TOKEN",
        "none",
        "Token with read and write access to contents, issues, discussions and pull requests of the repository.",
    ),
    setting(
        "BACKEND_GITHUB_REPOSITORY",
        "freesewing/freesewing",
        "The repository, as owner/name.",
    ),
    setting(
        "BACKEND_GITHUB_BRANCH",
        "develop",
        "The target branch of pull requests for pages.",
    ),
    setting(
        "BACKEND_GITHUB_LABELS",
        "bug,documentation,enhancement,question",
        "Labels that users may give an issue, separated by commas. Other labels are ignored.",
    ),
    setting(
        "BACKEND_GITHUB_DISCUSSION_CATEGORY",
        "general",
        "The category of new discussions: the last part of its URL.",
    ),
    setting(
        "BACKEND_GITHUB_USER_NAME",
        "Freesewing bot",
        "Author of commits for pages if the account has no GitHub user name.",
    ),
    setting(
        "BACKEND_GITHUB_USER_EMAIL",
        "bot@freesewing.org",
        "Address of that author.",
    ),
    setting(
        "BACKEND_GITHUB_NOTIFY_DEFAULT_USER",
        "none",
        "GitHub account that pull requests for pages mention.",
    ),
    setting(
        "BACKEND_ENABLE_OAUTH_GOOGLE",
        "no",
        "Whether users can sign in with Google.",
    ),
    setting("BACKEND_OAUTH_GOOGLE_CLIENT_ID", "none", "Client id at Google."),
    setting("BACKEND_OAUTH_GOOGLE_CLIENT_SECRET", "none", "Client secret at Google."),
    setting(
        "BACKEND_OAUTH_GOOGLE_CALLBACK_SITE",
        "the website, or <BACKEND_URL>/console",
        "Site to which Google redirects after the sign-in, at /signin/callback/google.",
    ),
    setting(
        "BACKEND_OAUTH_GOOGLE_URL",
        "https://accounts.google.com",
        "URL of Google's sign-in.",
    ),
    setting(
        "BACKEND_OAUTH_GOOGLE_TOKEN_URL",
        "https://oauth2.googleapis.com",
        "URL at which Google exchanges codes for tokens.",
    ),
    setting(
        "BACKEND_GOOGLE_PEOPLE_API_URL",
        "https://people.googleapis.com",
        "URL of the Google People API, which returns the identity of a user.",
    ),
    setting(
        "BACKEND_MAINTAINER_EMAIL",
        "BACKEND_OPERATOR_CONTACT if that is an address, otherwise the address of BACKEND_MAIL_FROM",
        "Address of the maintainer, which receives suggested languages.",
    ),
    setting(
        "BACKEND_CROWDIN_URL",
        "https://translate.freesewing.org/project/freesewing",
        "URL of the translation project.",
    ),
    setting(
        "BACKEND_CROWDIN_INVITE_DE",
        "none",
        "Invitation code for translators into German. If it is not set, they get the URL of the project.",
    ),
    setting(
        "BACKEND_CROWDIN_INVITE_ES",
        "none",
        "Invitation code for translators into Spanish. If it is not set, they get the URL of the project.",
    ),
    setting(
        "BACKEND_CROWDIN_INVITE_FR",
        "none",
        "Invitation code for translators into French. If it is not set, they get the URL of the project.",
    ),
    setting(
        "BACKEND_CROWDIN_INVITE_NL",
        "none",
        "Invitation code for translators into Dutch. If it is not set, they get the URL of the project.",
    ),
    setting(
        "BACKEND_CROWDIN_INVITE_UK",
        "none",
        "Invitation code for translators into Ukrainian. If it is not set, they get the URL of the project.",
    ),
    setting(
        "BACKEND_DATA_DIR",
        "./data",
        "Folder of the bucket, the keys and the outbox, unless other settings move them.",
    ),
    setting(
        "BACKEND_STORE",
        "dir:<data>/objects",
        "The bucket: `dir:<folder>`, or `s3://<bucket>/<prefix>` with or without a prefix. For S3, the standard variables apply: AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_PROFILE, and AWS_ENDPOINT_URL for a server that is not AWS.",
    ),
    setting(
        "BACKEND_LOCAL_DIR",
        "<data>/cache; on Lambda /tmp/bespoke",
        "Folder of the local copy of the database. It may be deleted while no process runs.",
    ),
    setting(
        "BACKEND_LOG",
        "info; on a terminal also each request",
        "Filter of the log: error, warn, info, debug, or levels of modules as in `info,bespoke_storage=debug`. `info,bespoke_web::request=debug` logs each request.",
    ),
];

/// Settings of the original backend without an effect. They are accepted with a warning in the log, so that an existing configuration can
/// be used.
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

/// Generates docs/configuration.md.
pub fn page() -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         Settings are environment variables, or lines of the file `.env` in the working folder, which is read as the npm\n\
         package dotenv 16 reads it: `$` has no special meaning, and values may contain blanks. The environment overrides\n\
         `.env`, and options of the command line override both. With an unknown name that begins with `BACKEND_`, or with an\n\
         invalid value, the program does not start and names the setting.\n\n\
         This page is generated from the code: `cargo run -q -- settings > docs/configuration.md`.\n\n\
         | Setting | Default | Meaning |\n| --- | --- | --- |\n",
    );
    for Setting { name, default, meaning } in SETTINGS {
        page.push_str(&format!("| `{name}` | {default} | {meaning} |\n"));
    }
    page.push_str(
        "\nSpans are exported if the standard variables of OpenTelemetry (`OTEL_EXPORTER_OTLP_ENDPOINT` and others) name a collector:\n\
         [traces](operations.md#traces).\n",
    );
    page.push_str("\nThese settings of the original backend are accepted and have no effect, so that an existing configuration can be used:\n\n");
    let names: Vec<_> = WITHOUT_EFFECT.iter().map(|name| format!("`{name}`")).collect();
    page.push_str(&names.join(",\n"));
    page.push_str(".\n");
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configuration_page_is_up_to_date() {
        let written = include_str!("../../../../docs/configuration.md");
        assert!(
            written == page(),
            "run: cargo run -q -- settings > docs/configuration.md"
        );
    }
}
