//! Tests of the framing of requests, also with random bytes and random cuts between reads.

use proptest::prelude::*;

use super::*;

const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/// Scans `text` as one read.
fn scan(text: &str) -> Scan {
    Framing::new().scan(text.as_bytes())
}

fn refusal(text: &str) -> Option<Refusal> {
    match scan(text).remainder {
        Remainder::Refused(refusal) => Some(refusal),
        _ => None,
    }
}

#[test]
fn valid_requests_are_passed_with_their_bodies() {
    for text in [
        GET,
        "\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n\r\n",
        "GET / HTTP/1.1\r\nhOST: [::1]:3000\r\nX: a\tb\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n\n\r\n\nx",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;a=\"b\"\r\na\n\n\r\n0A\r\n0123456789\r\n00\r\nabcdefabcdefabcdefabc: x\r\n\r\n",
    ] {
        let twice = text.repeat(2);
        let expected = Scan {
            valid_bytes: twice.len(),
            remainder: Remainder::Empty,
        };
        assert_eq!(scan(&twice), expected, "{text:?}");
    }
}

#[test]
fn ambiguous_and_malformed_heads_are_refused() {
    for text in [
        "GET / HTTP/1.1\nHost: x\n\n",
        "GET / HTTP/1.1\r\nHost: x\nX: y\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n\n",
        "\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\rX: y\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: x\r\nhost: y\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: me@x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n folded: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nX: \0\r\n\r\n",
        "GET /\r\n\r\n",
        "GET http:// HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET x HTTP/1.1\r\nHost: x\r\n\r\n",
        "REFUSED /503 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: x\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01\x02\r\n\r\n",
    ] {
        assert_eq!(refusal(text), Some(Refusal::Malformed), "{text:?}");
    }
}

#[test]
fn unclear_length_of_body_is_refused() {
    for fields in [
        "Content-Length: 1\r\nContent-Length: 1",
        "Content-Length: 1\r\nContent-Length: 2",
        "Content-Length: 1, 1",
        "Content-Length: +1",
        "Content-Length: -1",
        "Content-Length: 0x1",
        "Content-Length:",
        "Content-Length: 99999999999999999999",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\ntransfer-encoding: identity",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding:",
        "Transfer-Encoding: chunked\r\nContent-Length: 1",
        "Content-Length: 1\r\nTransfer-Encoding: chunked",
    ] {
        let text = format!("POST / HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\n");
        assert_eq!(refusal(&text), Some(Refusal::Malformed), "{fields:?}");
    }
    let old = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(refusal(old), Some(Refusal::Malformed));
}

#[test]
fn broken_chunks_end_the_connection() {
    for body in [
        "x\r\n",
        "\r\n",
        "-1\r\n",
        "0x1\r\n",
        " 1\r\n",
        "1\n",
        "1\rx",
        "1 \n",
        "1\r\nab",
        "1\r\na\n",
        "11111111111111111\r\n",
        "0\r\nX: y\n",
        "0\r\n\n",
    ] {
        let text = format!("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{body}{GET}");
        assert_eq!(scan(&text).remainder, Remainder::BrokenBody, "{body:?}");
    }
    for (part, count) in [("x", MAX_HEAD_BYTES), ("X: y\r\n", MAX_HEAD_BYTES / 6)] {
        let size = if part == "x" { "1;" } else { "0\r\n" };
        let head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
        let text = format!("{head}{size}{}", part.repeat(count));
        assert_eq!(scan(&text).remainder, Remainder::BrokenBody, "endless {part:?}");
    }
}

#[test]
fn head_beyond_limit_is_refused_before_its_end() {
    let fits = |bytes: usize| {
        let frame = "GET / HTTP/1.1\r\nHost: x\r\nX: \r\n\r\n".len();
        format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(bytes - frame))
    };
    assert_eq!(scan(&fits(MAX_HEAD_BYTES)).remainder, Remainder::Empty);
    assert_eq!(refusal(&fits(MAX_HEAD_BYTES + 1)), Some(Refusal::HeadTooLarge));
    assert_eq!(
        scan(&"x".repeat(MAX_HEAD_BYTES - 1)).remainder,
        Remainder::UnfinishedHead
    );
    assert_eq!(refusal(&"x".repeat(MAX_HEAD_BYTES)), Some(Refusal::HeadTooLarge));
    assert_eq!(refusal(&"\r\n".repeat(MAX_HEAD_BYTES / 2)), Some(Refusal::HeadTooLarge));
    let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "a: b\r\n".repeat(MAX_FIELDS));
    assert_eq!(refusal(&many), Some(Refusal::HeadTooLarge));
}

#[test]
fn valid_requests_before_a_refused_head_are_passed() {
    let text = format!("{GET}{GET}GET / HTTP/1.1\r\n\r\n{GET}");
    let expected = Scan {
        valid_bytes: 2 * GET.len(),
        remainder: Remainder::Refused(Refusal::Malformed),
    };
    assert_eq!(scan(&text), expected);
}

#[test]
fn unfinished_head_is_not_searched_again() {
    let mut framing = Framing::new();
    let mut head = b"GET / HTTP/1.1\r\nHost: x\r\nX: ".to_vec();
    for _ in 0..1_000 {
        head.push(b'y');
        assert_eq!(framing.scan(&head).remainder, Remainder::UnfinishedHead);
        // A search from the beginning would find this, and refuse the head.
        let before = head.len() - 1;
        head[before] = b'\n';
    }
}

/// Scans the pieces of a connection as [`super::super::guarded`] does. Returns the number of valid bytes, and the
/// remainder.
fn scan_pieces(pieces: &[&[u8]]) -> (usize, Remainder) {
    let (mut framing, mut held, mut total) = (Framing::new(), Vec::new(), 0);
    let mut remainder = Remainder::Empty;
    for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
        held.extend_from_slice(piece);
        let scan = framing.scan(&held);
        held.drain(..scan.valid_bytes);
        total += scan.valid_bytes;
        remainder = scan.remainder;
        if !matches!(remainder, Remainder::Empty | Remainder::UnfinishedHead) {
            break;
        }
    }
    (total, remainder)
}

proptest! {
    #[test]
    fn cuts_between_reads_make_no_difference(
        parts in proptest::collection::vec(prop_oneof![
            Just(GET),
            Just("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n\r\n\n"),
            Just("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\n\r\n\r\n0\r\nT: v\r\n\r\n"),
            Just("\r\n"),
            Just("GET / HTTP/1.1\r\nHost: x\n\n"),
            Just("Content-Length: 3\r\n"),
            Just("0\r\n\r\n"),
        ], 1..6),
        mut cuts in proptest::collection::vec(0..400usize, 0..12),
    ) {
        let text = parts.concat();
        let whole = scan_pieces(&[text.as_bytes()]);
        cuts.iter_mut().for_each(|cut| *cut %= text.len() + 1);
        cuts.sort_unstable();
        let ends = cuts.iter().copied().chain([text.len()]);
        let starts = [0].into_iter().chain(cuts.iter().copied());
        let pieces: Vec<_> = starts.zip(ends).map(|(start, end)| &text.as_bytes()[start..end]).collect();
        let cut = scan_pieces(&pieces);
        // In several reads, the part of a broken body before the violation is valid.
        if whole.1 == Remainder::BrokenBody {
            prop_assert_eq!(cut.1, Remainder::BrokenBody);
        } else {
            prop_assert_eq!(cut, whole);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic_or_pass_too_much(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let scan = Framing::new().scan(&bytes);
        prop_assert!(scan.valid_bytes <= bytes.len());
    }
}
