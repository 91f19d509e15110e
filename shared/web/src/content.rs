//! What requests say about records that several functions take: as a request of their own, and in an import.

pub mod bookmark;
pub mod pattern;
pub mod set;
