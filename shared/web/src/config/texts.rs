//! Parses names, tokens, addresses and regions in settings. Each error says how to write the value.

use bespoke_core::validate::is_email;

/// Parses a segment of a path, for example the name of an account at a service.
pub(super) fn name(text: &str) -> Result<String, &'static str> {
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let is_name = plain && !text.trim_matches('.').is_empty();
    is_name
        .then(|| text.to_owned())
        .ok_or("must consist of letters, digits, '-', '_' and '.', for example my-name")
}

/// Parses a token, an id or a secret that a service has issued. It is sent in a header or a form. The error does not repeat it.
pub(super) fn token(text: &str) -> Result<String, &'static str> {
    let is_token = text.bytes().all(|byte| byte.is_ascii_graphic());
    is_token
        .then(|| text.to_owned())
        .ok_or("must be the characters that the service shows, without blanks and without Bearer, for example abc123")
}

/// Parses an e-mail address without a name.
pub(super) fn address(text: &str) -> Result<String, &'static str> {
    is_email(text)
        .then(|| text.to_owned())
        .ok_or("must be an e-mail address without a name, for example jane@example.org")
}

/// Parses the code of an AWS region.
pub(super) fn region(text: &str) -> Result<String, &'static str> {
    let lower = text.to_ascii_lowercase();
    let parts: Vec<_> = lower.split('-').collect();
    let is_word = |part: &&str| part.len() >= 2 && part.bytes().all(|byte| byte.is_ascii_lowercase());
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_region = match parts.as_slice() {
        [words @ .., number] => words.len() >= 2 && words.iter().all(is_word) && is_number(number),
        [] => false,
    };
    is_region
        .then_some(lower)
        .ok_or("must be the code of an AWS region, for example eu-west-1")
}

/// Parses the name of a branch, as `git check-ref-format --branch` does, without the characters that a URL must encode.
pub(super) fn branch(text: &str) -> Result<String, &'static str> {
    let is_part = |part: &str| name(part).is_ok() && !part.starts_with('.') && !part.ends_with(".lock");
    let is_branch = text.split('/').all(is_part)
        && !text.starts_with(['-', '/'])
        && !text.starts_with("refs/")
        && !text.ends_with('.')
        && !text.contains("..");
    is_branch
        .then(|| text.to_owned())
        .ok_or("must be the name of a branch without refs/heads/, for example develop")
}

/// Parses `owner/name`.
pub(super) fn repository(text: &str) -> Result<(String, String), &'static str> {
    let pair = text.split_once('/').and_then(|(owner, repository)| {
        let (owner, repository) = (name(owner).ok()?, name(repository).ok()?);
        (!repository.ends_with(".git")).then_some((owner, repository))
    });
    pair.ok_or("must be owner/name without a URL and without .git, for example freesewing/freesewing")
}

/// Parses the filter of the log. Returns it without blanks.
pub(super) fn log_filter(text: &str) -> Result<String, &'static str> {
    const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
    let is_level = |level: &str| LEVELS.iter().any(|known| level.eq_ignore_ascii_case(known));
    let is_target = |target: &str| {
        !target.is_empty()
            && target
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_:".contains(&byte))
    };
    let items: Vec<_> = text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect();
    let is_item = |item: &&str| match item.split_once('=') {
        Some((target, level)) => is_target(target.trim()) && is_level(level.trim()),
        None => is_level(item),
    };
    let is_filter = !items.is_empty() && items.iter().all(is_item);
    is_filter.then(|| items.join(",").replace(' ', "")).ok_or(
        "must be error, warn, info, debug, trace or off, or levels of modules, for example info,bespoke_storage=debug",
    )
}
