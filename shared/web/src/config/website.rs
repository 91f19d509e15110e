//! [`Website`]: the website to which links in mails point.

/// The website to which links in mails point.
#[derive(Debug, Clone)]
pub struct Website {
    /// The scheme, usually `https`.
    pub scheme: String,
    /// The host, with a port if necessary.
    pub domain: String,
}

impl Website {
    /// The URL of the website, without a trailing slash.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.domain)
    }
}
