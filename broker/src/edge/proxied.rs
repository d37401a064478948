//! The PROXY protocol: what a load balancer that does not speak HTTP says before anything else, of whom it speaks for.
//!
//! Read byte for byte, because what follows is the client's and not to be touched: HTTP, or a TLS handshake.

use std::io;
use std::net::IpAddr;

use proxy_header::{ParseConfig, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What a header of version 2 begins with. Shorter than the shortest one of version 1.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Behind the signature: version and command, family, and two bytes of length.
const FIXED: usize = 16;

/// Addresses and what proxies add to them, such as names and certificates of TLS. They need a few hundred bytes.
const MOST: usize = 4096;

/// The longest line of version 1, its end included.
const LINE: usize = 107;

/// Whom the proxy speaks for; `None`: for itself, as when it asks whether somebody is there.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<IpAddr>> {
    let mut bytes = vec![0; SIGNATURE.len()];
    stream.read_exact(&mut bytes).await?;
    if bytes == SIGNATURE {
        rest_of_header(stream, &mut bytes).await?;
    } else if bytes.starts_with(b"PROXY ") {
        rest_of_line(stream, &mut bytes).await?;
    } else {
        return Err(malformed());
    }
    let config = ParseConfig {
        include_tlvs: false,
        ..ParseConfig::default()
    };
    match ProxyHeader::parse(&bytes, config) {
        Ok((header, read)) if read == bytes.len() => {
            let proxied = header.proxied_address();
            Ok(proxied.map(|it| it.source.ip().to_canonical()))
        }
        _ => Err(malformed()),
    }
}

async fn rest_of_header(
    stream: &mut (impl AsyncRead + Unpin),
    bytes: &mut Vec<u8>,
) -> io::Result<()> {
    let mut fixed = [0; FIXED - SIGNATURE.len()];
    stream.read_exact(&mut fixed).await?;
    bytes.extend(fixed);
    let [.., high, low] = fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > MOST {
        return Err(malformed());
    }
    let begun = bytes.len();
    bytes.resize(begun + length, 0);
    let rest = bytes.get_mut(begun..).unwrap_or_default();
    stream.read_exact(rest).await?;
    Ok(())
}

async fn rest_of_line(
    stream: &mut (impl AsyncRead + Unpin),
    bytes: &mut Vec<u8>,
) -> io::Result<()> {
    while !bytes.ends_with(b"\r\n") {
        if bytes.len() == LINE {
            return Err(malformed());
        }
        bytes.push(stream.read_u8().await?);
    }
    Ok(())
}

fn malformed() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a header says, and what is left behind it.
    async fn read_of(header: &[u8]) -> io::Result<(Option<IpAddr>, Vec<u8>)> {
        let bytes = [header, b"GET / "].concat();
        let mut stream = &bytes[..];
        let said = read(&mut stream).await?;
        Ok((said, stream.to_vec()))
    }

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = (rest.len() as u16).to_be_bytes();
        [&SIGNATURE[..], &[0x20 | command, family], &length, rest].concat()
    }

    const V4: [u8; 12] = [203, 0, 113, 7, 127, 0, 0, 1, 0x12, 0x67, 0x0b, 0xb8];

    #[tokio::test]
    async fn whom_a_proxy_speaks_for() {
        let mut v6 = [0; 36];
        v6[..2].copy_from_slice(&[0x20, 0x01]);
        v6[15] = 1;
        let with_more = [&V4[..], &[0x04, 0, 3, 1, 2, 3]].concat();
        for (header, said) in [
            (
                b"PROXY TCP4 203.0.113.7 127.0.0.1 4711 3000\r\n".to_vec(),
                Some("203.0.113.7"),
            ),
            (
                b"PROXY TCP6 2001:db8::1 ::1 4711 3000\r\n".to_vec(),
                Some("2001:db8::1"),
            ),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (v2(1, 0x11, &V4), Some("203.0.113.7")),
            (v2(1, 0x11, &with_more), Some("203.0.113.7")),
            (v2(1, 0x21, &v6), Some("2001::1")),
            // A health check of the proxy's own.
            (v2(0, 0, &[]), None),
        ] {
            let (address, rest) = read_of(&header).await.unwrap();
            assert_eq!(
                address.map(|it| it.to_string()).as_deref(),
                said,
                "{header:?}"
            );
            assert_eq!(rest, b"GET / ", "{header:?}");
        }
    }

    #[tokio::test]
    async fn what_is_no_header() {
        let long = [b"PROXY UNKNOWN ".to_vec(), vec![b'x'; 200]].concat();
        let mut huge = v2(1, 0x11, &V4);
        huge[14..16].copy_from_slice(&u16::MAX.to_be_bytes());
        for header in [
            b"".to_vec(),
            b"GET /socket.io/ HTTP/1.1\r\n".to_vec(),
            b"PROXY TCP4 203.0.113.7\r\n".to_vec(),
            b"PROXY TCP4 x y 1 2\r\n".to_vec(),
            b"PROXY TCP4 203.0.113.7 127.0.0.1 4711 3000\n".to_vec(),
            long,
            huge,
            v2(1, 0x11, &V4[..4]),
            v2(7, 0x11, &V4),
            SIGNATURE.to_vec(),
        ] {
            assert!(read_of(&header).await.is_err(), "{header:?}");
        }
    }
}
