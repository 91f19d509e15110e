//! Files in the bucket next to the database: images and exports.
//!
//! The image of a record and the file of an export are stored before the row that refers to them, and deleted after it, so that no row
//! refers to a missing object. Triggers of the database note the objects whose rows were deleted; `leftovers` deletes those objects after
//! the commit, and maintenance deletes the rest, including images that no record names because a process ended before it did.
//!
//! | File | Job |
//! | --- | --- |
//! | `images` | images of records: decode, store, and link to them |
//! | `page_images` | images that users upload for pages of the website |
//! | `exports` | exports of accounts, behind signed links |
//! | `leftovers` | deletes objects whose row was deleted |
//! | `unnamed_images` | deletes old images that no record names |
//!
//! The methods extend [`Context`](crate::Context) and [`Session`](crate::Session). This module must not know a route.
//!
//! To add a kind of object, choose a key prefix of its own, add a file with its methods, and add a variant to
//! `bespoke_database::leftovers::Leftover`, so that its objects are deleted with their rows.

pub mod exports;
mod images;
mod leftovers;
mod page_images;
mod unnamed_images;

pub use images::UploadedImage;
