//! Lists in parts: `?limit` and `?after`, on every list.

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_database::{Db, Page};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use crate::{Error, Result, Session, answer};

/// The largest list that is answered in one piece, in bytes: what a Lambda function can answer, and a margin.
pub(crate) const MAX_LIST_BYTES: usize = 5_000_000;

/// A list that is made of so many stored bytes takes less than some milliseconds.
const SHORT_LIST_BYTES: u64 = 128 * 1024;

/// Which part of a list is asked for; without either field it is the whole.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// Most items to answer with.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 4_294_967_295_i64)]
    limit: Option<u32>,
    /// Id (integer or UUID) of the item behind which to go on.
    after: Option<String>,
}

impl Paging {
    /// The part of the list.
    ///
    /// # Errors
    /// 400 for a limit of zero, and for what is no id.
    pub fn page(&self) -> Result<Page> {
        let malformed = || Error::bad_request("badRequest");
        if self.limit == Some(0) {
            return Err(malformed());
        }
        let after = match &self.after {
            Some(text) => Some(EntityId::parse(text).ok_or_else(malformed)?),
            None => None,
        };
        Ok(Page {
            limit: self.limit,
            after,
        })
    }
}

/// 200 with a list.
///
/// # Errors
/// 413 `listTooLarge` for one that has to be asked for in parts.
pub fn list(body: &impl Serialize) -> Result<Response> {
    bounded(answer::text(body)).map(|text| answer::json_text(http::StatusCode::OK, text))
}

/// 200 with a list of stored records. `stored_bytes` measures the records, and may stop as soon as they are larger than its argument: then
/// the list is refused before it is read. A long list is read and written on a blocking thread, so that other requests do not wait.
///
/// # Errors
/// 413 `listTooLarge` for one that has to be asked for in parts; those of a read.
pub async fn stored_list<T: Serialize>(
    session: &Session,
    mut stored_bytes: impl FnMut(&Db<'_>, u64) -> Result<u64> + Send,
    mut make: impl FnMut(&Db<'_>) -> Result<T> + Send + 'static,
) -> Result<Response> {
    let most = MAX_LIST_BYTES as u64;
    let bytes = session.read(|db| stored_bytes(db, most)).await?;
    // Every field of a record takes more in the answer than it takes sealed.
    if bytes > most {
        return Err(Error::list_too_large());
    }
    let write = move |db: &Db<'_>| make(db).map(|list| answer::text(&list));
    let text = if bytes > SHORT_LIST_BYTES {
        session.read_blocking(write).await?
    } else {
        session.read(write).await?
    };
    bounded(text).map(|text| answer::json_text(http::StatusCode::OK, text))
}

/// 200 with a list, as YAML.
///
/// # Errors
/// 413 `listTooLarge` for one that has to be asked for in parts.
pub fn yaml_list(body: &impl Serialize) -> Result<Response> {
    Ok(answer::yaml_document(http::StatusCode::OK, answer::yaml_text(body)?))
}

fn bounded(text: Vec<u8>) -> Result<Vec<u8>> {
    if text.len() > MAX_LIST_BYTES {
        Err(Error::list_too_large())
    } else {
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_named_by_either_kind_of_id() {
        let page = |limit, after: Option<&str>| {
            let paging = Paging {
                limit,
                after: after.map(str::to_owned),
            };
            paging.page().ok()
        };
        assert_eq!(page(None, None), Some(Page::ALL));
        let after = EntityId::parse("7");
        assert_eq!(page(Some(3), Some("7")), Some(Page { limit: Some(3), after }));
        assert!(page(None, Some("6f9619ff-8b86-4011-b42d-00c04fc964ff")).is_some());
        for after in ["", "x", "-1", "7 "] {
            assert_eq!(page(None, Some(after)), None, "{after}");
        }
        assert_eq!(page(Some(0), None), None);
    }

    #[test]
    fn a_list_that_is_too_large_is_refused() {
        let fits = vec!["x".repeat(MAX_LIST_BYTES - 4)];
        assert!(list(&fits).is_ok());
        let large = vec!["x".repeat(MAX_LIST_BYTES)];
        for refused in [list(&large), yaml_list(&large)] {
            let error = refused.expect_err("too large");
            assert_eq!((error.status().as_u16(), error.code()), (413, "listTooLarge"));
        }
    }
}
