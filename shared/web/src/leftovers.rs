//! Deleting from the bucket what lost its row in the database.

use bespoke_database::leftovers::{self, Leftover};

use crate::{Error, Session, exports};

/// Most objects between two commits that note what is gone.
const BATCH: u32 = 64;

impl Session {
    /// Deletes the objects that lost their rows. Called after the commit that removed some; what cannot be deleted now stays
    /// noted, and goes with a later call. A failure never fails the request: nothing leads to the objects any longer.
    pub async fn remove_leftovers(&self) {
        let mut after = 0;
        loop {
            match self.remove_some(after).await {
                Ok(Some(last)) => after = last,
                Ok(None) => return,
                Err(error) => {
                    tracing::error!(code = error.code(), "leftovers could not be looked up");
                    return;
                }
            }
        }
    }

    /// Deletes those that were noted behind `after`; gives the number of the last one, and `None` when there were none.
    async fn remove_some(&self, after: i64) -> Result<Option<i64>, Error> {
        let noted = self.read(|db| Ok(leftovers::oldest(db, after, BATCH)?)).await?;
        let mut gone = Vec::new();
        for (id, leftover) in &noted {
            match self.remove_leftover(leftover).await {
                Ok(()) => gone.push(*id),
                Err(error) => tracing::error!(code = error.code(), ?leftover, "an object could not be deleted"),
            }
        }
        if !gone.is_empty() {
            self.write(move |db| Ok(leftovers::delete(db, &gone)?)).await?;
        }
        Ok(noted.last().map(|(id, _)| *id))
    }

    async fn remove_leftover(&self, leftover: &Leftover) -> Result<(), Error> {
        match leftover {
            Leftover::Image(id) => Ok(self.images().remove(id).await?),
            Leftover::Export(name) => Ok(self.bucket().delete(&exports::key(name)).await?),
            Leftover::Unknown => Err(Error::internal("a newer version knows what this is")),
        }
    }
}
