//! The files of the console, embedded in the binary: [`find`] returns a [`File`] by its path.

/// A file of the console.
pub(crate) struct File {
    /// Path below `/console/`.
    name: &'static str,
    pub(crate) bytes: &'static [u8],
}

impl File {
    const fn new(name: &'static str, bytes: &'static [u8]) -> Self {
        Self { name, bytes }
    }

    pub(crate) fn content_type(&self) -> &'static str {
        match self.name.rsplit('.').next() {
            Some("css") => "text/css; charset=utf-8",
            Some("json") => "application/json; charset=utf-8",
            _ => "text/javascript; charset=utf-8",
        }
    }
}

/// Returns the file with this path. Letter case is ignored.
pub(crate) fn find(path: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.name.eq_ignore_ascii_case(path))
}

macro_rules! files {
    ($($name:literal)*) => {
        [$(File::new($name, include_bytes!(concat!("../assets/", $name)))),*]
    };
}

/// All files except the page itself.
static FILES: [File; 56] = files![
    "api.js"
    "app.js"
    "cards.css"
    "checker.js"
    "dialog.js"
    "dom.js"
    "form.js"
    "forms.css"
    "frame.css"
    "lengths.js"
    "levels.js"
    "measures.js"
    "notice.js"
    "pages/account.js"
    "pages/admin-audit.js"
    "pages/admin-outbox.js"
    "pages/admin-usage.js"
    "pages/admin-user.js"
    "pages/admin-users.js"
    "pages/callback.js"
    "pages/confirm-email.js"
    "pages/confirm-signin.js"
    "pages/confirm-signup.js"
    "pages/consent.js"
    "pages/data.js"
    "pages/key-new.js"
    "pages/key.js"
    "pages/keys.js"
    "pages/newsletter.js"
    "pages/security.js"
    "pages/set.js"
    "pages/sets-import.js"
    "pages/sets.js"
    "pages/signin-link.js"
    "pages/signin.js"
    "pages/signup.js"
    "parts.js"
    "reentry.js"
    "router.js"
    "secret.js"
    "session.js"
    "store.js"
    "style.css"
    "table.js"
    "tables.css"
    "text.js"
    "text/de.json"
    "text/en.json"
    "text/es.json"
    "text/fr.json"
    "text/nl.json"
    "text/uk.json"
    "theme.js"
    "transfer.js"
    "usage.js"
    "verdict.js"
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn walk(folder: &Path, root: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, found);
            } else {
                found.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }

    #[test]
    fn all_files_of_the_folder_are_served() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
        let mut found = BTreeSet::new();
        walk(&root, &root, &mut found);
        found.remove("index.html");
        let served: BTreeSet<_> = FILES.iter().map(|file| file.name.to_owned()).collect();
        assert_eq!(served, found);
    }
}
