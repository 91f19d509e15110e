//! Turns of the accounts: work of one account runs one after the other, so that the work of another waits for at most one piece of it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

use crate::Error;
use crate::limits::TOO_MANY;

/// Most pieces of work of one account that wait or run; further ones are refused.
const MAX_TURNS: usize = 8;
/// When the account may try again whose work was refused, in seconds.
const RETRY_S: u64 = 1;

/// The accounts whose work waits or runs.
#[derive(Default)]
pub(crate) struct Turns {
    accounts: Mutex<HashMap<i64, Account>>,
}

/// The work of one account that waits or runs.
#[derive(Default)]
struct Account {
    pieces: usize,
    running: Arc<tokio::sync::Mutex<()>>,
}

impl Turns {
    /// Waits for the turn of a piece of work. The next one begins when the turn is dropped.
    ///
    /// # Errors
    /// 429 `tooManyRequests` if too much work of the account waits.
    pub(crate) async fn take(self: &Arc<Self>, account: i64) -> Result<Turn, Error> {
        let (running, place) = {
            let mut accounts = self.accounts();
            let work = accounts.entry(account).or_default();
            if work.pieces >= MAX_TURNS {
                return Err(Error::too_many(TOO_MANY, RETRY_S));
            }
            work.pieces += 1;
            let place = Place {
                turns: Arc::clone(self),
                account,
            };
            (Arc::clone(&work.running), place)
        };
        let running = running.lock_owned().await;
        Ok(Turn {
            _running: running,
            _place: place,
        })
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<i64, Account>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The turn of a piece of work.
pub(crate) struct Turn {
    _running: OwnedMutexGuard<()>,
    _place: Place,
}

/// The place of a piece of work among those of its account.
struct Place {
    turns: Arc<Turns>,
    account: i64,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Entry::Occupied(mut work) = self.turns.accounts().entry(self.account) {
            work.get_mut().pieces -= 1;
            if work.get().pieces == 0 {
                work.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn work_of_an_account_runs_one_after_the_other_and_that_of_another_beside_it() {
        let turns = Arc::new(Turns::default());
        let first = turns.take(1).await.unwrap();
        let mut second = Box::pin(turns.take(1));
        assert!((&mut second).now_or_never().is_none());
        let other = turns.take(2).now_or_never().unwrap().unwrap();
        drop((first, other));
        drop(second.now_or_never().unwrap().unwrap());
        assert!(turns.accounts().is_empty());
    }

    #[tokio::test]
    async fn work_above_the_limit_is_refused_until_waiting_work_gives_up() {
        let turns = Arc::new(Turns::default());
        let running = turns.take(1).await.unwrap();
        let mut waiting: Vec<_> = (1..MAX_TURNS).map(|_| Box::pin(turns.take(1))).collect();
        assert!(waiting.iter_mut().all(|turn| turn.now_or_never().is_none()));
        let refused = turns.take(1).await.err().unwrap();
        assert_eq!(refused.status(), 429);
        waiting.pop();
        assert!(turns.take(1).now_or_never().is_none());
        drop((running, waiting));
        assert!(turns.accounts().is_empty());
    }
}
