//! Records of files in the bucket: exports, images of pages, and files to delete.

pub mod exports;
pub mod images;
pub mod leftovers;
pub mod page_images;
