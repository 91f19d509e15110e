//! Parses the settings of external services, images and OAuth providers: methods of [`Environment`].

use bespoke_core::entity::oauth::Provider;
use bespoke_services::Token;
use bespoke_services::images::{CloudflareSettings, ImagePlace, SanitySettings};
use bespoke_services::oauth::{OauthProviders, OauthSettings};

use super::environment::Environment;
use super::error::{ConfigError, invalid};
use super::texts::{name, token};
use super::urls;

const CLOUDFLARE_API_URL: &str = "https://api.cloudflare.com/client/v4";

impl Environment {
    pub(super) fn image_place(&self) -> Result<ImagePlace, ConfigError> {
        let (cloudflare, sanity) = ("BACKEND_ENABLE_CLOUDFLARE_IMAGES", "BACKEND_ENABLE_SANITY");
        match (self.flag(cloudflare)?, self.flag(sanity)?) {
            (true, true) => Err(invalid(sanity, format!("cannot be set together with {cloudflare}"))),
            (true, false) => Ok(ImagePlace::Cloudflare(CloudflareSettings {
                api_url: self.url("BACKEND_CLOUDFLARE_API_URL", CLOUDFLARE_API_URL)?,
                account: self.needed_with("BACKEND_CLOUDFLARE_ACCOUNT", cloudflare, name)?,
                token: Token::new(self.needed_with("BACKEND_CLOUDFLARE_IMAGES_TOKEN", cloudflare, token)?),
            })),
            (false, true) => {
                let project = self.needed_with("BACKEND_SANITY_PROJECT", sanity, name)?;
                Ok(ImagePlace::Sanity(SanitySettings {
                    api_url: self.url("BACKEND_SANITY_API_URL", &format!("https://{project}.api.sanity.io"))?,
                    dataset: self.parse_with("BACKEND_SANITY_DATASET", "production", name)?,
                    token: Token::new(self.needed_with("BACKEND_SANITY_TOKEN", sanity, token)?),
                }))
            }
            (false, false) => Ok(ImagePlace::Bucket),
        }
    }

    /// The OAuth providers. `site` is the default site to which a provider sends the browser back.
    pub(super) fn oauth(&self, site: &str) -> Result<OauthProviders, ConfigError> {
        // Operators also copy the complete URLs from the pages of the providers.
        let base = |name: &str, default: &str, paths: &[&str]| {
            let url = self.url(name, default)?;
            let base = paths.iter().find_map(|path| url.strip_suffix(path));
            Ok(base.unwrap_or(&url).to_owned())
        };
        let github_paths = ["/login/oauth/authorize", "/login/oauth/access_token"];
        let github = base("BACKEND_OAUTH_GITHUB_URL", "https://github.com", &github_paths)?;
        let google = base(
            "BACKEND_OAUTH_GOOGLE_URL",
            "https://accounts.google.com",
            &["/o/oauth2/v2/auth"],
        )?;
        let google_token = base(
            "BACKEND_OAUTH_GOOGLE_TOKEN_URL",
            "https://oauth2.googleapis.com",
            &["/token"],
        )?;
        let settings = |provider: Provider, authorize_url, token_url, api_url| {
            let name = |rest: &str| format!("BACKEND_OAUTH_{}{rest}", provider.name().to_uppercase());
            let enable = format!("BACKEND_ENABLE_OAUTH_{}", provider.name().to_uppercase());
            if !self.flag(&enable)? {
                return Ok(None);
            }
            Ok(Some(OauthSettings {
                client_id: self.needed_with(&name("_CLIENT_ID"), &enable, token)?,
                client_secret: Token::new(self.needed_with(&name("_CLIENT_SECRET"), &enable, token)?),
                callback_site: base(
                    &name("_CALLBACK_SITE"),
                    site,
                    &[&format!("/signin/callback/{}", provider.name())],
                )?,
                authorize_url,
                token_url,
                api_url,
            }))
        };
        Ok(OauthProviders {
            github: settings(
                Provider::GitHub,
                format!("{github}/login/oauth/authorize"),
                format!("{github}/login/oauth/access_token"),
                self.github_api_url()?,
            )?,
            google: settings(
                Provider::Google,
                format!("{google}/o/oauth2/v2/auth"),
                format!("{google_token}/token"),
                self.url("BACKEND_GOOGLE_PEOPLE_API_URL", "https://people.googleapis.com")?,
            )?,
        })
    }

    /// The URL of the GitHub API, for sign-in and for contributions.
    pub(super) fn github_api_url(&self) -> Result<String, ConfigError> {
        self.url("BACKEND_GITHUB_API_URL", "https://api.github.com")
    }

    /// An http or https URL, without a trailing slash.
    pub(super) fn url(&self, name: &str, default: &str) -> Result<String, ConfigError> {
        self.parse_with(name, default, urls::base)
    }

    /// Parses a value that is required because the setting `because` is set.
    pub(super) fn needed_with(
        &self,
        name: &str,
        because: &str,
        parse: impl Fn(&str) -> Result<String, &'static str>,
    ) -> Result<String, ConfigError> {
        let text = self.text(name);
        let text = text.ok_or_else(|| invalid(name, format!("must be set, because {because} is set")))?;
        parse(&text).map_err(|problem| invalid(name, problem))
    }
}
