//! Parses the settings of mails: methods of [`Environment`] that return the transport, the sender and the recipients.

use std::path::Path;

use bespoke_services::mail::{MailSettings, MailTransport, SesSettings};
use lettre::message::{Mailbox, Mailboxes};
use url::Url;

use super::environment::Environment;
use super::error::{ConfigError, invalid};
use super::texts::{address, name, region};
use super::website::Website;

const DEFAULT_FROM: &str = "Bespoke <bespoke@localhost.localdomain>";
const ADDRESS_EXPECTED: &str = "must be an e-mail address, for example Bespoke <bespoke@example.org>";
const ADDRESSES_EXPECTED: &str = r#"must be a JSON array of e-mail addresses, for example ["jane@example.org"]"#;
/// The value contains a password, so the message must not repeat it.
const SMTP_EXPECTED: &str = "must be a URL such as smtps://user:password@mail.example.org:465, or smtp://user:password@mail.example.org:587?tls=required, \
    in which special characters of user and password are percent-encoded, for example %2F for /";
const DEFAULT_SES_REGION: &str = "us-east-1";

impl Environment {
    pub(super) fn mail(&self, data_dir: &Path) -> Result<MailSettings, ConfigError> {
        Ok(MailSettings {
            from: self.mail_from()?,
            reply_to: self.reply_to()?,
            service: self
                .text("BACKEND_SERVICE_NAME")
                .unwrap_or_else(|| "FreeSewing".to_owned()),
            website: self.website()?.as_ref().map(Website::url),
            postal_address: self.text("BACKEND_MAIL_POSTAL_ADDRESS"),
            transport: self.mail_transport(data_dir)?,
        })
    }

    /// The sender. The setting of the original backend comes first, because it is set in a configuration that uses SES.
    fn mail_from(&self) -> Result<Mailbox, ConfigError> {
        let name = match self.text("BACKEND_AWS_SES_FROM") {
            Some(_) => "BACKEND_AWS_SES_FROM",
            None => "BACKEND_MAIL_FROM",
        };
        self.parse_with(name, DEFAULT_FROM, |text| text.parse().map_err(|_| ADDRESS_EXPECTED))
    }

    /// The reply addresses, in the form of a mail header, or as a JSON array in the setting of the original backend.
    fn reply_to(&self) -> Result<Mailboxes, ConfigError> {
        let original = "BACKEND_AWS_SES_REPLY_TO";
        let Some(json) = self.text(original) else {
            let expected = "must be e-mail addresses, for example Jane <jane@example.org>, joe@example.org";
            return self.parse("BACKEND_MAIL_REPLY_TO", Mailboxes::new(), expected);
        };
        let list: Vec<String> = serde_json::from_str(&json).map_err(|_| invalid(original, ADDRESSES_EXPECTED))?;
        let parsed: Result<Vec<Mailbox>, _> = list.iter().map(|address| address.parse()).collect();
        Ok(parsed.map_err(|_| invalid(original, ADDRESSES_EXPECTED))?.into())
    }

    fn mail_transport(&self, data_dir: &Path) -> Result<MailTransport, ConfigError> {
        let smtp = "BACKEND_SMTP_URL";
        match (self.text(smtp), self.flag("BACKEND_ENABLE_AWS_SES")?) {
            (Some(_), true) => Err(invalid(smtp, "cannot be set together with BACKEND_ENABLE_AWS_SES")),
            (Some(url), _) if !is_smtp_url(&url) => Err(invalid(smtp, SMTP_EXPECTED)),
            (Some(url), _) => Ok(MailTransport::Smtp(url)),
            (None, true) => Ok(MailTransport::Ses(self.ses()?)),
            (None, false) => Ok(MailTransport::Folder(data_dir.join("outbox"))),
        }
    }

    fn ses(&self) -> Result<SesSettings, ConfigError> {
        let aws = self.aws("SESV2");
        let optional = |setting: &str, parse: fn(&str) -> Result<String, &'static str>| {
            let value = self.text(setting).map(|_| self.parse_with(setting, "", parse));
            value.transpose()
        };
        let url = "BACKEND_AWS_SES_URL";
        let endpoint = self.text(url).map(|_| self.url(url, "")).transpose()?;
        Ok(SesSettings {
            region: self.parse_with("BACKEND_AWS_SES_REGION", DEFAULT_SES_REGION, region)?,
            endpoint: endpoint.or(aws.endpoint),
            configuration_set: optional("BACKEND_AWS_SES_CONFIGURATION_SET", name)?,
            access: aws.access,
            feedback: optional("BACKEND_AWS_SES_FEEDBACK", address)?,
        })
    }
}

/// Whether the URL of an SMTP server can be used: with a host, and without a path, a fragment or other options than `tls`.
fn is_smtp_url(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    matches!(url.scheme(), "smtp" | "smtps")
        && text.starts_with(url.scheme())
        && url.host_str().is_some_and(|host| !host.is_empty())
        && matches!(url.path(), "" | "/")
        && url.fragment().is_none()
        && url
            .query_pairs()
            .all(|(name, value)| name == "tls" && matches!(&*value, "required" | "opportunistic"))
}
