//! [`for_path`]: finds the function to which the API gateway routes a path.

use bespoke_web::{Route, Routes};

/// Returns the function to which the gateway routes a path: the one with the longest matching prefix, or `info` if
/// none matches.
pub(crate) fn for_path(path: &str) -> Routes {
    let path = path.to_ascii_lowercase();
    let longest_prefix = |routes: &Routes| routes.iter().filter_map(|route| prefix_length(route, &path)).max();
    let best = all::routers()
        .into_iter()
        .filter_map(|routes| Some((longest_prefix(&routes)?, routes)))
        .max_by_key(|(length, _)| *length);
    best.map_or_else(all::default_router, |(_, routes)| routes)
}

/// Returns the length of the route's fixed prefix if the path begins with it.
fn prefix_length(route: &Route, path: &str) -> Option<usize> {
    let prefix = route.path.split('{').next().unwrap_or_default();
    let rest = path.strip_prefix(prefix)?;
    let is_below = rest.starts_with('/') || prefix.ends_with('/');
    // The landing page is at `/` and has no paths below it.
    (rest.is_empty() || (is_below && prefix != "/")).then_some(prefix.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_has_a_function() {
        for (path, function) in [
            ("/whoami/jwt", "account"),
            ("/whoami/key", "apikeys"),
            ("/Sets/1/KEY", "sets"),
            ("/sets/1.json", "sets"),
            ("/sets/jwt/", "sets"),
            ("/confirm/signup/x", "account"),
            ("/healthz", "info"),
            ("/setsx", "info"),
            ("/measurements/check", "measurements"),
            ("/Designs/aaron", "measurements"),
            ("/issues", "flows"),
            ("/slugs/blog/a-day-out/key", "flows"),
            ("/", "docs"),
            ("/nope", "info"),
            ("/docs/index.html", "docs"),
            ("/console/", "console"),
            ("/console/pages/key.js", "console"),
        ] {
            assert_eq!(for_path(path).function(), function, "{path}");
        }
    }
}
