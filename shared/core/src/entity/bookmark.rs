//! Bookmarks.

use uuid::Uuid;

/// Kinds of bookmarks: what they lead to.
pub const KINDS: [&str; 6] = ["set", "cset", "pattern", "design", "doc", "custom"];

/// A bookmark, decrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bookmark {
    /// Integer id.
    pub id: i64,
    /// UUID.
    pub uuid: Uuid,
    /// Integer id of the owner.
    pub user_id: i64,
    /// UUID of the owner.
    pub user_uuid: Uuid,
    /// What it says.
    pub content: BookmarkContent,
}

/// What somebody writes into a bookmark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookmarkContent {
    /// One of [`KINDS`]; never changes.
    pub kind: String,
    /// Title.
    pub title: String,
    /// Where it leads, see [`is_link`].
    pub url: String,
}

/// Whether a text may be the target of a bookmark: `http(s)` or relative. A link with another scheme runs in the page
/// that shows it (defect D117).
pub fn is_link(url: &str) -> bool {
    // Browsers leave out blanks and control characters before they look for a scheme.
    let seen: String = url.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
    let seen = seen.to_ascii_lowercase();
    let relative = |text: &str| {
        text.split(['/', '?', '#'])
            .next()
            .is_none_or(|first| !first.contains(':'))
    };
    !seen.is_empty() && (seen.starts_with("http://") || seen.starts_with("https://") || relative(&seen))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_pages_and_run_nothing() {
        for good in [
            "https://freesewing.org/",
            "HTTP://x.org",
            "/designs/aaron",
            "docs?a=b:c",
            "#a:b",
            "designs/a:b",
            "x",
        ] {
            assert!(is_link(good), "{good}");
        }
        for bad in [
            "",
            " ",
            "javascript:alert(1)",
            "JaVa\nScript:alert(1)",
            "\u{1}javascript:x",
            "data:text/html,x",
            "file:///x",
            "httpx://a",
        ] {
            assert!(!is_link(bad), "{bad:?}");
        }
    }
}
