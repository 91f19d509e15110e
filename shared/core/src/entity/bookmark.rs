//! [`Bookmark`]: a link that a user has saved, with its kind and title. [`is_link`] checks its target.

use uuid::Uuid;

/// Kinds of bookmarks, by the type of their target.
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
    /// The content.
    pub content: BookmarkContent,
}

/// The content of a bookmark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookmarkContent {
    /// One of [`KINDS`]. It cannot be changed.
    pub kind: String,
    /// Title.
    pub title: String,
    /// Target, see [`is_link`].
    pub url: String,
}

/// Whether a text is a valid target of a bookmark: an `http(s)` URL or a relative path. Other schemes are rejected, because a `javascript:` link
/// would run in the page that shows the bookmark.
pub fn is_link(url: &str) -> bool {
    // Browsers remove blanks and control characters before they parse the scheme.
    let visible: String = url.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
    let visible = visible.to_ascii_lowercase();
    let is_relative = |text: &str| {
        text.split(['/', '?', '#'])
            .next()
            .is_none_or(|first| !first.contains(':'))
    };
    !visible.is_empty() && (visible.starts_with("http://") || visible.starts_with("https://") || is_relative(&visible))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_and_relative_links_are_accepted() {
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
