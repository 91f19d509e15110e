//! [`Paging`]: pages of lists by `?limit` and `?after`, and the size limit of a list.

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_database::{Db, Page};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use crate::response::{Error, MAX_LIST_BYTES, Result, json_text, to_json, yaml, yaml_document, yaml_text};
use crate::state::{Context, Session};

/// A list of at most this size is read on the async thread, because that takes only a few milliseconds. Bytes as stored.
const SHORT_LIST_BYTES: u64 = 128 * 1024;

/// The requested page of a list; the complete list without either field.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// The most items in the response.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 4_294_967_295_i64)]
    limit: Option<u32>,
    /// Id (integer or UUID) of the last item of the previous page.
    after: Option<String>,
}

impl Paging {
    /// Returns the page.
    ///
    /// # Errors
    /// 400 for a limit of zero or a malformed id.
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

/// Returns 200 with a list.
///
/// # Errors
/// 413 `listTooLarge` if the list must be requested in pages.
pub fn list(body: &impl Serialize) -> Result<Response> {
    bounded(to_json(body)).map(|text| json_text(http::StatusCode::OK, text))
}

/// Returns 200 with a list of stored records that `make` reads.
///
/// First, `stored_bytes` returns the size of the records, so that a list that is too large is rejected before it is read. It may stop as soon as
/// the sum exceeds its argument. A long list is read and serialized on a blocking thread, so that other requests do not wait.
///
/// # Errors
/// 413 `listTooLarge` if the list must be requested in pages; the errors of [`Session::read`].
pub async fn stored_list<T: Serialize>(
    session: &Session,
    mut stored_bytes: impl FnMut(&Db<'_>, u64) -> Result<u64> + Send,
    mut make: impl FnMut(&Db<'_>) -> Result<T> + Send + 'static,
) -> Result<Response> {
    let max_bytes = MAX_LIST_BYTES as u64;
    let bytes = session.read(|db| stored_bytes(db, max_bytes)).await?;
    // Every field of a record is longer in the response than in its encrypted form, so this rejects no list that would fit.
    if bytes > max_bytes {
        return Err(Error::list_too_large());
    }
    let write = move |db: &Db<'_>| make(db).map(|list| to_json(&list));
    let text = if bytes > SHORT_LIST_BYTES {
        session.read_blocking(write).await?
    } else {
        session.read(write).await?
    };
    bounded(text).map(|text| json_text(http::StatusCode::OK, text))
}

/// Returns 200 with a list, as YAML.
///
/// # Errors
/// 413 `listTooLarge` if the list must be requested in pages.
pub fn yaml_list(body: &impl Serialize) -> Result<Response> {
    Ok(yaml_document(http::StatusCode::OK, yaml_text(body)?))
}

/// Returns 200 with a record that has free-form JSON, as YAML. A blocking thread writes it, because it can be large.
///
/// # Errors
/// 413 `listTooLarge`
pub async fn yaml_record(session: &Session, record: impl Serialize + Send + 'static) -> Result<Response> {
    // The serializer of YAML does not know JSON that is stored as text.
    let write = move |_: &Context| yaml(Some(&serde_json::to_value(record).map_err(Error::internal)?));
    session.compute(write).await?
}

fn bounded(mut text: Vec<u8>) -> Result<Vec<u8>> {
    if text.len() > MAX_LIST_BYTES {
        Err(Error::list_too_large())
    } else {
        // The text may stay in memory until a slow client has received it.
        text.shrink_to_fit();
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_begins_after_either_kind_of_id() {
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
    fn too_large_list_is_rejected() {
        let fits = vec!["x".repeat(MAX_LIST_BYTES - 4)];
        assert!(list(&fits).is_ok());
        let large = vec!["x".repeat(MAX_LIST_BYTES)];
        for refused in [list(&large), yaml_list(&large)] {
            let error = refused.expect_err("too large");
            assert_eq!((error.status().as_u16(), error.code()), (413, "listTooLarge"));
        }
    }
}
