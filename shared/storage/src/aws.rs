//! How AWS is reached: where, by whom, over which connections. What stands in variables is all that a function on Lambda needs;
//! profile files, single sign-on and the roles of machines weigh more than the rest of a function together, so whoever wants
//! them hands in what they give.

mod http;
mod tls;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;

pub use aws_smithy_runtime_api::client::http::SharedHttpClient;
pub use http::{http_client, http_connector};
pub use tls::tls_config;

/// The region of a server that is not AWS, and does not care.
pub const ANY_REGION: &str = "us-east-1";

/// Where AWS is, and who asks.
#[derive(Debug, Clone, Default)]
pub struct Aws {
    /// Region.
    pub region: Option<String>,
    /// URL of a server that is not AWS.
    pub endpoint: Option<String>,
    /// Who asks.
    pub access: Option<SharedCredentialsProvider>,
}

impl Aws {
    /// Who asks, as the standard variables name it: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`.
    pub fn access(key_id: String, secret: String, session_token: Option<String>) -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(Credentials::new(key_id, secret, session_token, None, "settings"))
    }

    /// What the standard variables say; `service` is the end of the name of the variable for the endpoint of that service alone.
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
    async fn the_variables_say_where_and_who() {
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
    fn the_nearer_name_wins_and_half_an_access_is_none() {
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
