use std::time::Duration;

use rcgen::{CertifiedKey as Made, generate_simple_self_signed};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::authorities::provider;

/// A stream as the broker has it, and its client.
async fn pair() -> (Stream, TlsStream<TcpStream>) {
    let Made { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let trusting = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let socket = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (mut accepted, _) = listener.accept().await.unwrap();
    let mut session = Box::new(Session::new(Arc::new(config)).unwrap());
    let server = std::future::poll_fn(|cx| session.poll_handshake(&mut accepted, cx));
    let connector = TlsConnector::from(Arc::new(trusting));
    let client = connector.connect(ServerName::try_from("localhost").unwrap(), socket);
    let (server, client) = tokio::join!(server, client);
    server.unwrap();
    (Stream::Tls(accepted, session), client.unwrap())
}

async fn writable(half: &WriteHalf) {
    let ready = std::future::poll_fn(|cx| half.poll_write_ready(cx));
    // What is ready for more of one record may not be for all of it.
    let _ = tokio::time::timeout(Duration::from_millis(20), ready).await;
}

#[tokio::test]
async fn both_sides_hear_each_other_and_the_end() {
    let (mut stream, mut client) = pair().await;
    let mut heard = [0; 5];
    client.write_all(b"hello").await.unwrap();
    stream.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"hello");
    stream.write_all(b"again").await.unwrap();
    stream.flush().await.unwrap();
    client.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"again");
    stream.shutdown().await.unwrap();
    // The end was said, not only seen: the library tells the two apart.
    assert_eq!(client.read(&mut heard).await.unwrap(), 0);
    client.shutdown().await.unwrap();
    assert_eq!(stream.read(&mut heard).await.unwrap(), 0);
}

/// What the client said while the stream was on its way to another thread arrives there.
#[tokio::test]
async fn a_stream_moves_to_another_runtime_with_what_was_said() {
    let (mut stream, mut client) = pair().await;
    client.write_all(b"one and two").await.unwrap();
    let mut heard = [0; 3];
    stream.read_exact(&mut heard).await.unwrap();
    let parted = stream.part().unwrap();
    client.write_all(b" and three").await.unwrap();
    let there = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut stream = parted.join().unwrap();
            let mut heard = [0; 18];
            stream.read_exact(&mut heard).await.unwrap();
            stream.write_all(&heard).await.unwrap();
            stream.shutdown().await.unwrap();
        });
    });
    let mut back = Vec::new();
    client.read_to_end(&mut back).await.unwrap();
    assert_eq!(back, b" and two and three");
    there.join().unwrap();
}

/// What does not fit waits, encrypted, and is not said twice.
#[tokio::test]
async fn the_halves_lose_nothing_while_the_client_does_not_read() {
    let (stream, mut client) = pair().await;
    let (mut read, write) = stream.into_split();
    let all: Vec<u8> = (0..16_000_000_u32).map(|n| (n % 251) as u8).collect();
    let sending = all.clone();
    let sender = tokio::spawn(async move {
        let mut sent = 0;
        let mut blocked = 0;
        while sent < sending.len() {
            let (first, second) = sending[sent..].split_at((sending.len() - sent).min(700));
            match write.send_vectored(&[IoSlice::new(first), IoSlice::new(second)]) {
                Ok(count) => sent += count,
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    blocked += 1;
                    writable(&write).await;
                }
            }
        }
        while let Err(error) = write.flush() {
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
            writable(&write).await;
        }
        // Dropped here, which says the end.
        blocked
    });
    // Long enough for every buffer in between to fill.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut received = Vec::new();
    client.read_to_end(&mut received).await.unwrap();
    assert!(received == all, "{} of {}", received.len(), all.len());
    assert!(sender.await.unwrap() > 0, "it was to block");
    // The other half goes on.
    client.write_all(b"bye").await.unwrap();
    client.shutdown().await.unwrap();
    let mut heard = Vec::new();
    read.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, b"bye");
}

/// A reader that waits for something to read must not miss what has been decrypted already.
#[tokio::test]
async fn what_is_decrypted_already_is_ready() {
    let (mut stream, mut client) = pair().await;
    client.write_all(b"ab").await.unwrap();
    let mut one = [0];
    stream.read_exact(&mut one).await.unwrap();
    let (mut read, _write) = stream.into_split();
    std::future::poll_fn(|cx| read.poll_read_ready(cx))
        .await
        .unwrap();
    read.read_exact(&mut one).await.unwrap();
    assert_eq!(&one, b"b");
}
