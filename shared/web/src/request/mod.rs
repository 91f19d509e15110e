//! Extractors for the path, the query and the conditions of a request.
//!
//! | Extractor | Part of the request |
//! | --- | --- |
//! | [`Params`], [`Id`] | the named parts of the path |
//! | [`Query`], [`Signature`] | the query; the signature of a signed link |
//! | [`IfMatch`] | the condition for a change |
//! | [`Paging`] | `?limit` and `?after` of a list |
//!
//! The gateway decodes the path and inserts [`Params`]; the other extractors read the URI and the headers. The functions that build the
//! matching responses (an ETag, a bounded list) are next to their extractors.
//!
//! This module must not depend on authentication or on a route.
//!
//! To add an extractor, implement `FromRequestParts` for a type, and return an [`Error`](crate::Error) with status 400 and the code of the
//! contract if the input is malformed.

mod if_match;
mod paging;
mod params;
mod query;

pub use if_match::{ContentTag, IfMatch, TaggedBody};
pub use paging::{Paging, list, stored_list, yaml_list, yaml_record};
pub use params::{Id, Params};
pub use query::{Query, Signature};
