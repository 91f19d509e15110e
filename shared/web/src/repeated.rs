//! A header that most answers repeat: it is written again only where it says something else than in the last answer.

use std::sync::{Mutex, PoisonError};

use http::HeaderValue;

/// What it said last, and how that is written.
pub(crate) struct Repeated<T>(Mutex<Option<(T, HeaderValue)>>);

impl<T> Default for Repeated<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> Repeated<T> {
    /// What it has to say: `is_same` compares that with what it said last, `write` writes it anew.
    pub(crate) fn value(
        &self,
        is_same: impl FnOnce(&T) -> bool,
        write: impl FnOnce() -> (T, HeaderValue),
    ) -> HeaderValue {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((said, value)) if is_same(said) => value.clone(),
            _ => last.insert(write()).1.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_again_where_it_says_something_else() {
        let (header, mut written) = (Repeated::default(), 0);
        let mut say = |number: u32| {
            let write = || {
                written += 1;
                (number, number.into())
            };
            let value = header.value(|said| *said == number, write);
            assert_eq!(value, number.to_string());
        };
        [1, 1, 2, 2, 1].into_iter().for_each(&mut say);
        assert_eq!(written, 3);
    }
}
