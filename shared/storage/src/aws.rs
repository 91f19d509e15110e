//! Settings and connections for AWS: region, endpoint, credentials, HTTP and TLS.
//!
//! This module reads the standard variables only, which is sufficient on Lambda. Profile files, single sign-on and
//! instance roles would more than double the size of a function, so a program that supports them passes its own
//! credentials provider.

mod http;
mod tls;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;

pub use aws_smithy_runtime_api::client::http::SharedHttpClient;
pub use http::{http_client, http_connector};
pub use tls::tls_config;

/// A region for servers other than AWS, which ignore it.
pub const ANY_REGION: &str = "us-east-1";

/// Region, endpoint and credentials.
#[derive(Debug, Clone, Default)]
pub struct Aws {
    /// Region.
    pub region: Option<String>,
    /// URL of a server other than AWS.
    pub endpoint: Option<String>,
    /// Credentials.
    pub access: Option<SharedCredentialsProvider>,
}

impl Aws {
    /// Returns the credentials of `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
    pub fn access(key_id: String, secret: String, session_token: Option<String>) -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(Credentials::new(key_id, secret, session_token, None, "settings"))
    }

    /// Reads the standard variables. `AWS_ENDPOINT_URL_<service>` takes precedence over `AWS_ENDPOINT_URL`.
    pub fn of(variable: impl Fn(&str) -> Option<String>, service: &str) -> Self {
        let access = variable("AWS_ACCESS_KEY_ID").zip(variable("AWS_SECRET_ACCESS_KEY"));
        Self {
            region: variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")),
            endpoint: variable(&format!("AWS_ENDPOINT_URL_{service}")).or_else(|| variable("AWS_ENDPOINT_URL")),
            access: access.map(|(key_id, secret)| Self::access(key_id, secret, variable("AWS_SESSION_TOKEN"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_credential_types::provider::ProvideCredentials as _;

    use super::*;

    fn of(variables: &[(&str, &str)]) -> Aws {
        let value = |name: &str| Some(variables.iter().find(|(known, _)| *known == name)?.1.to_owned());
        Aws::of(value, "S3")
    }

    #[tokio::test]
    async fn variables_set_region_endpoint_and_credentials() {
        let aws = of(&[
            ("AWS_DEFAULT_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_SESSION_TOKEN", "token"),
            ("AWS_ENDPOINT_URL", "http://everything"),
        ]);
        assert_eq!(aws.region.as_deref(), Some("eu-west-1"));
        assert_eq!(aws.endpoint.as_deref(), Some("http://everything"));
        let access = aws.access.unwrap().provide_credentials().await.unwrap();
        assert_eq!((access.access_key_id(), access.secret_access_key()), ("id", "secret"));
        assert_eq!(access.session_token(), Some("token"));
    }

    #[test]
    fn specific_variable_wins_and_incomplete_credentials_are_ignored() {
        let aws = of(&[
            ("AWS_REGION", "eu-west-3"),
            ("AWS_DEFAULT_REGION", "eu-west-1"),
            ("AWS_ENDPOINT_URL", "http://everything"),
            ("AWS_ENDPOINT_URL_S3", "http://bucket"),
            ("AWS_ACCESS_KEY_ID", "id"),
        ]);
        assert_eq!(aws.region.as_deref(), Some("eu-west-3"));
        assert_eq!(aws.endpoint.as_deref(), Some("http://bucket"));
        assert!(aws.access.is_none());
    }
}
