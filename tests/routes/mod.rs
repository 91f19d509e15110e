//! The contract over HTTP, laid out like the URL tree.

mod account;
mod admin;
mod apikeys;
mod bookmarks;
mod closed;
mod confirm;
mod counters;
mod curated_sets;
mod docs;
mod hostile;
mod images;
mod info;
mod key_bounds;
mod option_packs;
mod paging;
mod patterns;
mod protocol;
mod repeats;
mod sets;
mod signin;
mod signup;
mod subscribers;
mod suggestions;
mod table;
mod usage;
