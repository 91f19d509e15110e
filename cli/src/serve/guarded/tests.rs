//! Tests of the guarded stream, over pipes in memory.

use std::io::ErrorKind;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const MALFORMED: &[u8] = b"REFUSED /400 HTTP/1.1\r\nHost: refused\r\n\r\n";
const BUSY: &[u8] = b"REFUSED /503 HTTP/1.1\r\nHost: refused\r\n\r\n";

/// Returns a client, and the stream of the server.
fn connection(memory: &Arc<HeadMemory>) -> (DuplexStream, GuardedStream<DuplexStream>) {
    let (client, server) = duplex(64 * 1024);
    (client, GuardedStream::new(server, Arc::clone(memory)))
}

/// Returns all bytes that the server can read now.
async fn readable(stream: &mut GuardedStream<DuplexStream>) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let mut piece = [0; 1024];
        tokio::select! {
            biased;
            read = stream.read(&mut piece) => match read? {
                0 => return Ok(all),
                bytes => all.extend_from_slice(&piece[..bytes]),
            },
            () = tokio::task::yield_now() => return Ok(all),
        }
    }
}

fn memory() -> Arc<HeadMemory> {
    Arc::new(HeadMemory::new(1_000))
}

#[tokio::test]
async fn unfinished_head_is_held_until_it_is_complete() {
    let memory = memory();
    let (mut client, mut server) = connection(&memory);
    client.write_all(GET).await.unwrap();
    client.write_all(&GET[..10]).await.unwrap();
    assert_eq!(readable(&mut server).await.unwrap(), GET);
    assert_eq!(memory.taken(), 10);
    client.write_all(&GET[10..20]).await.unwrap();
    assert_eq!(readable(&mut server).await.unwrap(), b"");
    assert_eq!(memory.taken(), 20);
    client.write_all(&[&GET[20..], GET, &GET[..5]].concat()).await.unwrap();
    assert_eq!(readable(&mut server).await.unwrap(), [GET, GET].concat());
    assert_eq!(memory.taken(), 5);
    drop(server);
    assert_eq!(memory.taken(), 0);
}

#[tokio::test]
async fn refused_head_is_replaced_and_nothing_behind_it_is_read() {
    let bad = b"GET / HTTP/1.1\r\nHost: x\n\n";
    for cut in [0, 5, GET.len(), GET.len() + 5] {
        let memory = memory();
        let (mut client, mut server) = connection(&memory);
        let sent = [GET, bad, GET].concat();
        client.write_all(&sent[..cut]).await.unwrap();
        let mut read = readable(&mut server).await.unwrap();
        client.write_all(&sent[cut..]).await.unwrap();
        read.extend(readable(&mut server).await.unwrap());
        assert_eq!(read, [GET, MALFORMED].concat(), "cut at {cut}");
        assert_eq!(memory.taken(), 0, "cut at {cut}");
    }
}

#[tokio::test]
async fn unfinished_heads_of_all_connections_share_memory() {
    let memory = memory();
    let (mut client, mut server) = connection(&memory);
    client.write_all(&[b'x'; 900]).await.unwrap();
    assert_eq!(readable(&mut server).await.unwrap(), b"");
    let (mut other, mut other_server) = connection(&memory);
    other.write_all(&[b'x'; 200]).await.unwrap();
    assert_eq!(readable(&mut other_server).await.unwrap(), BUSY);
    let (mut complete, mut complete_server) = connection(&memory);
    complete.write_all(&GET.repeat(20)).await.unwrap();
    assert_eq!(
        readable(&mut complete_server).await.unwrap(),
        GET.repeat(20),
        "complete heads need none"
    );
    client.write_all(&[b'x'; 200]).await.unwrap();
    assert_eq!(readable(&mut server).await.unwrap(), BUSY);
    assert_eq!(memory.taken(), 0);
}

#[tokio::test]
async fn broken_body_is_an_error_behind_what_came_before() {
    let memory = memory();
    let (mut client, mut server) = connection(&memory);
    let head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    client.write_all(head).await.unwrap();
    assert_eq!(readable(&mut server).await.unwrap(), head);
    client.write_all(b"zz\r\n").await.unwrap();
    assert_eq!(readable(&mut server).await.unwrap_err().kind(), ErrorKind::InvalidData);
}

/// Returns a connection in the middle of a body, whose server shuts down.
async fn closing() -> (DuplexStream, tokio::task::JoinHandle<Result<()>>) {
    let (mut client, mut server) = connection(&memory());
    let head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n";
    client.write_all(head).await.unwrap();
    readable(&mut server).await.unwrap();
    (client, tokio::spawn(async move { server.shutdown().await }))
}

#[tokio::test]
async fn shutdown_discards_the_rest_of_a_request_until_the_client_ends() {
    let (mut client, closing) = closing().await;
    // The buffer of the pipe is smaller than this, so the write ends only if the server reads.
    client.write_all(&vec![0; 500_000]).await.unwrap();
    assert!(!closing.is_finished());
    assert_eq!(client.read(&mut [0; 10]).await.unwrap(), 0, "nothing more is sent");
    client.shutdown().await.unwrap();
    closing.await.unwrap().unwrap();
}

#[tokio::test]
async fn shutdown_discards_a_bounded_number_of_bytes() {
    let (mut client, closing) = closing().await;
    client.write_all(&vec![0; MAX_LINGER_BYTES]).await.unwrap();
    closing.await.unwrap().unwrap();
}

#[tokio::test]
async fn shutdown_between_requests_and_in_a_head_waits_for_nothing() {
    for behind in [0, 10] {
        let (mut client, mut server) = connection(&memory());
        client.write_all(&[GET, &GET[..behind]].concat()).await.unwrap();
        assert_eq!(readable(&mut server).await.unwrap(), GET);
        server.shutdown().await.unwrap();
    }
}

/// Reads the first request, if it is available.
async fn first(stream: &mut GuardedStream<DuplexStream>) -> Option<Result<Option<Refusal>>> {
    let first = std::future::poll_fn(|context| stream.poll_first(context));
    tokio::select! { biased; first = first => Some(first), () = tokio::task::yield_now() => None }
}

#[tokio::test]
async fn first_request_is_read_before_hyper_and_passed_in_order() {
    let memory = memory();
    let (mut client, mut server) = connection(&memory);
    assert!(first(&mut server).await.is_none());
    client.write_all(&GET[..10]).await.unwrap();
    assert!(first(&mut server).await.is_none());
    assert_eq!(memory.taken(), 10);
    client.write_all(&[&GET[10..], GET, &GET[..5]].concat()).await.unwrap();
    assert_eq!(first(&mut server).await.unwrap().unwrap(), None);
    assert_eq!(readable(&mut server).await.unwrap(), GET.repeat(2));
    assert_eq!(memory.taken(), 5);
    client.write_all(&GET[5..]).await.unwrap();
    assert_eq!(readable(&mut server).await.unwrap(), GET);
}

#[tokio::test]
async fn complete_first_heads_need_no_memory() {
    let memory = Arc::new(HeadMemory::new(0));
    let (mut client, mut server) = connection(&memory);
    client.write_all(&[GET, GET, &GET[..5]].concat()).await.unwrap();
    assert_eq!(first(&mut server).await.unwrap().unwrap(), None);
    assert_eq!(readable(&mut server).await.unwrap(), [GET, GET, BUSY].concat());
}

#[tokio::test]
async fn client_that_leaves_before_its_first_request_ends_the_connection() {
    let (mut client, mut server) = connection(&memory());
    client.write_all(&GET[..5]).await.unwrap();
    client.shutdown().await.unwrap();
    let error = first(&mut server).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn refusal_of_the_first_head_is_known_before_hyper() {
    let memory = memory();
    let (mut client, mut server) = connection(&memory);
    client.write_all(b"GET / HTTP/1.1\r\nHost: x\n\n").await.unwrap();
    assert_eq!(first(&mut server).await.unwrap().unwrap(), Some(Refusal::Malformed));
    assert_eq!(memory.taken(), 0);
}
