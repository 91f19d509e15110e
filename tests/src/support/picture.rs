//! Pictures to send, as data URIs.

/// Two by two pixels in red: kept as a JPEG.
pub const RED: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAYAAABytg0kAAAAEUlEQVR42mP4z8DwH4QZYAwAR8oH+Rq28akAAAAASUVORK5CYII=";
/// Two by two pixels in blue that can be seen through: kept as a PNG.
pub const GLASS: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAYAAABytg0kAAAAEElEQVR42mNgYPifAsFQBgAtqAWN0tMzJAAAAABJRU5ErkJggg==";
