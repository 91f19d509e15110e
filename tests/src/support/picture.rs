//! Pictures for requests, as data URIs.

/// Two by two red pixels: stored as a JPEG.
pub const RED: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAYAAABytg0kAAAAEUlEQVR42mP4z8DwH4QZYAwAR8oH+Rq28akAAAAASUVORK5CYII=";
/// Two by two transparent blue pixels: stored as a PNG.
pub const GLASS: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAYAAABytg0kAAAAEElEQVR42mNgYPifAsFQBgAtqAWN0tMzJAAAAABJRU5ErkJggg==";
