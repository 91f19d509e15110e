//! The two kinds of id that a path may name.

use uuid::Uuid;

/// An id as a client writes it: digits are the integer id of the first API generation, a UUID is that of the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntityId {
    /// An integer id, 1 or more.
    Integer(i64),
    /// A UUID.
    Uuid(Uuid),
}

impl EntityId {
    /// Reads an id; `None` for anything else (`12abc`, `1.5`, a sign, a number past 63 bits), which finds nothing.
    pub fn parse(text: &str) -> Option<Self> {
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            return text.parse().ok().map(Self::Integer);
        }
        // Only the hyphenated form: the crate would also take braces, a URN and bare hexadecimal.
        (text.len() == uuid::fmt::Hyphenated::LENGTH)
            .then(|| Uuid::try_parse(text).ok().map(Self::Uuid))
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_integers_uuids_are_uuids_and_the_rest_is_nothing() {
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
