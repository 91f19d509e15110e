//! The settings of contributions: the GitHub repository, translators, and the maintainer.

use bespoke_core::validate::Language;
use bespoke_services::Token;
use bespoke_services::github::{Author, GitHubSettings};
use bespoke_services::mail::MailSettings;

use super::contact::Contact;
use super::environment::Environment;
use super::error::{ConfigError, invalid};
use super::texts::{address, branch, name, repository, token};

const DEFAULT_REPOSITORY: &str = "freesewing/freesewing";
const DEFAULT_LABELS: [&str; 4] = ["bug", "documentation", "enhancement", "question"];
const DEFAULT_TRANSLATORS_URL: &str = "https://translate.freesewing.org/project/freesewing";

/// The project of the translators.
#[derive(Debug, Clone)]
pub struct Translators {
    url: String,
    /// Invitation codes by language.
    invitations: Vec<(Language, String)>,
}

impl Translators {
    /// The link for a new translator: the invitation of the language, or the page of the project if the language has no invitation.
    pub fn link(&self, language: Language) -> String {
        let invitation = self.invitations.iter().find(|(into, _)| *into == language);
        match invitation {
            Some((_, code)) => format!("{}/invite?h={code}", self.url),
            None => self.url.clone(),
        }
    }
}

impl Environment {
    pub(super) fn github(&self) -> Result<Option<GitHubSettings>, ConfigError> {
        let enable = "BACKEND_ENABLE_GITHUB";
        if !self.flag(enable)? {
            return Ok(None);
        }
        let or = |name: &str, default: &str| self.text(name).unwrap_or_else(|| default.to_owned());
        let (owner, repository) = self.parse_with("BACKEND_GITHUB_REPOSITORY", DEFAULT_REPOSITORY, repository)?;
        let labels = self.labels("BACKEND_GITHUB_LABELS")?;
        let notify = "BACKEND_GITHUB_NOTIFY_DEFAULT_USER";
        Ok(Some(GitHubSettings {
            api_url: self.github_api_url()?,
            token: Token::new(self.needed_with("BACKEND_GITHUB_TOKEN", enable, token)?),
            owner,
            repository,
            branch: self.parse_with("BACKEND_GITHUB_BRANCH", "develop", branch)?,
            labels: labels.unwrap_or_else(|| DEFAULT_LABELS.map(str::to_owned).into()),
            discussion_category: self.parse_with("BACKEND_GITHUB_DISCUSSION_CATEGORY", "general", category)?,
            author: Author {
                name: or("BACKEND_GITHUB_USER_NAME", "Freesewing bot"),
                email: self.parse_with("BACKEND_GITHUB_USER_EMAIL", "bot@freesewing.org", address)?,
            },
            notify: self
                .text(notify)
                .map(|_| self.parse_with(notify, "", name))
                .transpose()?,
        }))
    }

    fn labels(&self, setting: &str) -> Result<Option<Vec<String>>, ConfigError> {
        let labels = self.list(setting);
        let is_json = |label: &String| label.contains(['[', ']', '"']);
        if labels.iter().flatten().any(is_json) {
            return Err(invalid(
                setting,
                "must be labels separated by commas, for example bug,good first issue",
            ));
        }
        Ok(labels)
    }

    pub(super) fn translators(&self) -> Result<Translators, ConfigError> {
        let invitation = |language: Language| {
            let setting = format!("BACKEND_CROWDIN_INVITE_{}", language.code().to_uppercase());
            let code = self.text(&setting).map(|_| self.parse_with(&setting, "", name));
            code.transpose().map(|code| code.map(|code| (language, code)))
        };
        let translated = Language::ALL.into_iter().filter(|language| *language != Language::En);
        let invitations: Result<Vec<_>, _> = translated.map(invitation).collect();
        Ok(Translators {
            url: self.url("BACKEND_CROWDIN_URL", DEFAULT_TRANSLATORS_URL)?,
            invitations: invitations?.into_iter().flatten().collect(),
        })
    }

    /// The address of the maintainer: from its setting, and otherwise the address of the operator or the sender of mails.
    pub(super) fn maintainer(&self, operator: Option<&Contact>, mail: &MailSettings) -> Result<String, ConfigError> {
        let default = match operator {
            Some(Contact::Email(address)) => address.clone(),
            _ => mail.from.email.to_string(),
        };
        self.parse_with("BACKEND_MAINTAINER_EMAIL", &default, address)
    }
}

/// Parses the last part of the URL of a category.
fn category(text: &str) -> Result<String, &'static str> {
    let category = name(text).map(|name| name.to_lowercase());
    category.map_err(|_| "must be the last part of the URL of the category, for example general")
}
