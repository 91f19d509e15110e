//! [`HeaderCache`]: caches a header value that most responses repeat, so that it is serialized only when it changes.

use std::sync::{Mutex, PoisonError};

use http::HeaderValue;

/// The last value of a header, and its serialized form.
pub(crate) struct HeaderCache<T>(Mutex<Option<(T, HeaderValue)>>);

impl<T> Default for HeaderCache<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> HeaderCache<T> {
    /// Returns the serialized value. `is_same` compares the new value with the cached one; `write` serializes the new value if they differ.
    pub(crate) fn value(
        &self,
        is_same: impl FnOnce(&T) -> bool,
        write: impl FnOnce() -> (T, HeaderValue),
    ) -> HeaderValue {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((cached, value)) if is_same(cached) => value.clone(),
            _ => last.insert(write()).1.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_value_is_serialized_again() {
        let (header, mut written) = (HeaderCache::default(), 0);
        let mut check = |number: u32| {
            let write = || {
                written += 1;
                (number, number.into())
            };
            let value = header.value(|cached| *cached == number, write);
            assert_eq!(value, number.to_string());
        };
        [1, 1, 2, 2, 1].into_iter().for_each(&mut check);
        assert_eq!(written, 3);
    }
}
