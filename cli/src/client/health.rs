//! `bespoke health`: checks that a server responds, for the health checks of containers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context as _, Result, bail};
use bespoke_web::Overrides;
use bespoke_web::config::Environment;
use ureq::http::StatusCode;

use super::remote::{agent, base_url};
use crate::output;

/// Timeout of the request, in seconds. It is shorter than the timeout of the health check in the container image,
/// which is 5 s.
const DEADLINE_S: u64 = 4;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// URL of the server [default: this machine, by BACKEND_HOST and BACKEND_PORT]
    #[arg(long)]
    url: Option<String>,
    /// Also check that the bucket responds
    #[arg(long)]
    ready: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let path = if arguments.ready { "/readyz" } else { "/healthz" };
    let agent = agent(DEADLINE_S);
    let (url, request) = if let Some(base) = &arguments.url {
        let url = format!("{}{path}", base_url(base)?);
        let request = agent.get(&url);
        (url, request)
    } else {
        let environment = Environment::read(Overrides::default());
        let address = environment.address()?;
        let url = format!("http://{}{path}", reachable(address));
        // Proxies from the environment variables are for requests to other hosts.
        let mut request = agent.get(&url).config().proxy(None).build();
        // The server refuses requests without the secret. The secret is never sent to the host of `--url`.
        if let Some(secret) = environment.origin_secret()? {
            let (name, value) = secret.header();
            request = request.header(name, value);
        }
        (url, request)
    };
    let response = request.call().with_context(|| format!("no response from {url}"))?;
    if response.status() != StatusCode::OK {
        bail!("{url} responds with status {}", response.status());
    }
    output::say!("{url} responds");
    Ok(())
}

/// Returns an address at which this machine reaches a server that listens on `address`, which may be unspecified.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unspecified_address_is_reached_by_loopback() {
        for (listens, expected) in [
            ("0.0.0.0:3000", "127.0.0.1:3000"),
            ("[::]:80", "[::1]:80"),
            ("192.0.2.1:3000", "192.0.2.1:3000"),
        ] {
            assert_eq!(reachable(listens.parse().unwrap()), expected.parse().unwrap());
        }
    }
}
