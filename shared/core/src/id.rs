//! [`EntityId`]: the two kinds of ids in paths, integers and UUIDs.

use uuid::Uuid;

/// The id of a record in a request: an integer (first API generation) or a UUID (second API generation).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntityId {
    /// An integer id, 1 or more.
    Integer(i64),
    /// A UUID.
    Uuid(Uuid),
}

impl EntityId {
    /// Parses an id; `None` for any other text, for example `12abc`, `1.5`, a sign, or a number above 63 bits.
    pub fn parse(text: &str) -> Option<Self> {
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            return text.parse().ok().map(Self::Integer);
        }
        // Only the hyphenated form is accepted. The crate would also parse braces, a URN and digits without hyphens.
        (text.len() == uuid::fmt::Hyphenated::LENGTH)
            .then(|| Uuid::try_parse(text).ok().map(Self::Uuid))
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_integers_and_uuids_are_ids() {
        assert_eq!(EntityId::parse("12"), Some(EntityId::Integer(12)));
        let uuid = "6F9619FF-8B86-4011-B42D-00C04FC964FF";
        assert_eq!(EntityId::parse(uuid), Uuid::try_parse(uuid).ok().map(EntityId::Uuid));
        for text in [
            "",
            "12abc",
            "1.5",
            "-1",
            "+1",
            " 1",
            "99999999999999999999",
            "jwt",
            "{6f9619ff-8b86-4011-b42d-00c04fc964ff}",
            "6f9619ff8b864011b42d00c04fc964ff",
        ] {
            assert_eq!(EntityId::parse(text), None, "{text}");
        }
    }
}
