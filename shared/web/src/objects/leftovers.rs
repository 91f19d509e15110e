//! [`remove_leftovers`]: deletes objects of the bucket whose rows were deleted.

use bespoke_database::leftovers::{self, Leftover};

use super::exports;
use crate::response::Error;
use crate::state::Session;

/// The maximum number of objects that are deleted before a commit removes their notes.
const BATCH: u32 = 64;

impl Session {
    /// Deletes the objects whose rows were deleted. Called after a commit that deletes such rows. An object that cannot be deleted now
    /// stays noted, and a later call deletes it. A failure does not fail the request, because nothing refers to these objects any longer.
    pub async fn remove_leftovers(&self) {
        let mut after = 0;
        loop {
            match self.remove_some(after).await {
                Ok(Some(last)) => after = last,
                Ok(None) => return,
                Err(error) => {
                    tracing::error!(code = error.code(), "the notes of deleted objects could not be read");
                    return;
                }
            }
        }
    }

    /// Deletes a batch of objects that were noted after `after`. Returns the number of the last note; `None` if there is none.
    async fn remove_some(&self, after: i64) -> Result<Option<i64>, Error> {
        let noted = self.read(|db| Ok(leftovers::oldest(db, after, BATCH)?)).await?;
        let mut deleted = Vec::new();
        for (id, leftover) in &noted {
            match self.remove_leftover(leftover).await {
                Ok(()) => deleted.push(*id),
                Err(error) => tracing::error!(code = error.code(), ?leftover, "an object could not be deleted"),
            }
        }
        if !deleted.is_empty() {
            self.write(move |db| Ok(leftovers::delete(db, &deleted)?)).await?;
        }
        Ok(noted.last().map(|(id, _)| *id))
    }

    async fn remove_leftover(&self, leftover: &Leftover) -> Result<(), Error> {
        match leftover {
            Leftover::Image(id) => Ok(self.images().remove(id).await?),
            Leftover::Export(name) => Ok(self.bucket().delete(&exports::key(name)).await?),
            Leftover::Unknown => Err(Error::internal("the kind of this object is unknown to this version")),
        }
    }
}
