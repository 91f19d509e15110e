//! [`Addresses`]: limits the number of connections per client address.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bespoke_core::{ClientNetwork, Networks};

/// Counts connections by address, and refuses those beyond a limit. Trusted proxies have no limit, because they
/// connect for many clients.
pub(super) struct Addresses {
    limit: usize,
    trusted: Option<Networks>,
    /// The number of open connections by address. An address without any has no entry.
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// The admission of a connection, which counts for its address until it is dropped. `None` for a trusted proxy.
pub(super) struct Admission(Option<(Arc<Addresses>, IpAddr)>);

impl Addresses {
    pub(super) fn new(limit: usize, trusted: Option<Networks>) -> Arc<Self> {
        Arc::new(Self {
            limit,
            trusted,
            open: Mutex::default(),
        })
    }

    /// Counts a connection; `None` if its address has reached the limit.
    pub(super) fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<Admission> {
        let peer = peer.to_canonical();
        if self.trusted.as_ref().is_some_and(|trusted| trusted.contain(peer)) {
            return Some(Admission(None));
        }
        let customer = ClientNetwork::of(peer).customer;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(customer).or_default();
        if *count >= self.limit {
            return None;
        }
        *count += 1;
        Some(Admission(Some((Arc::clone(self), customer))))
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let Some((addresses, customer)) = self.0.take() else {
            return;
        };
        let mut open = addresses.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = open.entry(customer) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn address_beyond_limit_is_refused_until_a_connection_ends() {
        let addresses = Addresses::new(2, None);
        let peer = address("192.0.2.1");
        let (first, _second) = (addresses.admit(peer).unwrap(), addresses.admit(peer).unwrap());
        assert!(addresses.admit(peer).is_none());
        assert!(
            addresses.admit(address("::ffff:192.0.2.1")).is_none(),
            "the same address"
        );
        assert!(addresses.admit(address("192.0.2.2")).is_some());
        drop(first);
        assert!(addresses.admit(peer).is_some());
    }

    #[test]
    fn ipv6_customer_is_counted_as_one() {
        let addresses = Addresses::new(1, None);
        let _open = addresses.admit(address("2001:db8:0:1::1")).unwrap();
        assert!(addresses.admit(address("2001:db8:0:1:ffff::2")).is_none());
        assert!(addresses.admit(address("2001:db8:0:2::1")).is_some());
    }

    #[test]
    fn trusted_proxy_has_no_limit_and_closed_connections_leave_no_entry() {
        let trusted = Networks::parse(["10.0.0.0/8"]).unwrap();
        let addresses = Addresses::new(1, Some(trusted));
        let proxied: Vec<_> = (0..5).map(|_| addresses.admit(address("10.0.0.1"))).collect();
        assert!(proxied.iter().all(Option::is_some));
        drop(addresses.admit(address("192.0.2.1")).unwrap());
        assert!(addresses.open.lock().unwrap().is_empty());
    }
}
