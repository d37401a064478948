//! Answers to polls, compressed for clients that accept it (RFC 9110, section 8.4).
//!
//! Done on the reactor, a share at a time with other tasks in between. A compressor is a quarter of a megabyte, so
//! few work at a time; an answer that finds none is sent as it is.

use std::cell::RefCell;

use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress, Status};
use http::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};

/// What is compressed before others have their turn: about half a millisecond.
const SHARE: usize = 16 << 10;

/// Compressors of one reactor that work at a time, and of those, how many are kept for the next answer.
const MOST: usize = 8;
const KEPT: usize = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    /// The format of zlib, as the name means it.
    Deflate,
}

impl Coding {
    pub(super) fn name(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        })
    }
}

/// The best that a client accepts, gzip before deflate.
pub(super) fn accepted(headers: &HeaderMap) -> Option<Coding> {
    let [mut gzip, mut deflate, mut by_star] = [None; 3];
    for list in headers.get_all(ACCEPT_ENCODING) {
        for item in list.to_str().unwrap_or_default().split(',') {
            let mut parts = item.split(';').map(str::trim);
            let coding = parts.next().unwrap_or_default();
            let place = match coding {
                "*" => &mut by_star,
                _ if coding.eq_ignore_ascii_case("gzip") => &mut gzip,
                _ if coding.eq_ignore_ascii_case("deflate") => &mut deflate,
                _ => continue,
            };
            place.get_or_insert_with(|| weight(parts));
        }
    }
    // What is named counts before the star.
    let weigh = |named: Option<u16>| named.or(by_star).unwrap_or(0);
    let weights = [
        (weigh(gzip), Coding::Gzip),
        (weigh(deflate), Coding::Deflate),
    ];
    let best = weights.into_iter().filter(|(weight, _)| *weight > 0);
    // Of equals the first.
    best.rev().max_by_key(|(weight, _)| *weight).map(|it| it.1)
}

/// What parameters say, in thousandths.
fn weight<'a>(mut parameters: impl Iterator<Item = &'a str>) -> u16 {
    let quality = parameters.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    });
    quality.map_or(1000, |text| {
        let quality: f32 = text.parse().unwrap_or(0.0);
        (quality.clamp(0.0, 1.0) * 1000.0) as u16
    })
}

#[derive(Default)]
struct Coders {
    working: usize,
    kept: Vec<(Coding, u32, Compress)>,
}

thread_local! {
    static CODERS: RefCell<Coders> = RefCell::default();
}

/// A compressor for one answer.
struct Lent {
    coding: Coding,
    level: u32,
    /// `None` only while it is given back.
    coder: Option<Compress>,
}

impl Lent {
    fn new(coding: Coding, level: u32) -> Option<Self> {
        CODERS.with_borrow_mut(|coders| {
            if coders.working >= MOST {
                return None;
            }
            coders.working += 1;
            let is_fit = |it: &(Coding, u32, Compress)| (it.0, it.1) == (coding, level);
            let coder = match coders.kept.iter().position(is_fit) {
                Some(place) => coders.kept.swap_remove(place).2,
                None => match coding {
                    Coding::Gzip => Compress::new_gzip(Compression::new(level), 15),
                    Coding::Deflate => Compress::new(Compression::new(level), true),
                },
            };
            Some(Self {
                coding,
                level,
                coder: Some(coder),
            })
        })
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(mut coder) = self.coder.take() else {
            return;
        };
        // The thread may be ending.
        let _ = CODERS.try_with(|coders| {
            let mut coders = coders.borrow_mut();
            coders.working -= 1;
            let same = coders.kept.iter().filter(|it| it.0 == self.coding).count();
            if same < KEPT {
                coder.reset();
                coders.kept.push((self.coding, self.level, coder));
            }
        });
    }
}

/// `None`: it would be no shorter, or others are being compressed already.
pub(super) async fn squeeze(body: &Bytes, coding: Coding, level: u32) -> Option<Bytes> {
    let mut lent = Lent::new(coding, level)?;
    let mut squeezed = Vec::with_capacity(body.len() / 4 + 64);
    let mut shares = body.chunks(SHARE).peekable();
    while let Some(share) = shares.next() {
        let is_last = shares.peek().is_none();
        feed(lent.coder.as_mut()?, share, &mut squeezed, is_last)?;
        if squeezed.len() >= body.len() {
            return None;
        }
        if !is_last {
            tokio::task::yield_now().await;
        }
    }
    Some(squeezed.into())
}

fn feed(coder: &mut Compress, mut share: &[u8], into: &mut Vec<u8>, is_last: bool) -> Option<()> {
    let flush = match is_last {
        true => FlushCompress::Finish,
        false => FlushCompress::None,
    };
    loop {
        into.reserve(share.len() / 4 + 64);
        let before = coder.total_in();
        let status = coder.compress_vec(share, into, flush).ok()?;
        let taken = usize::try_from(coder.total_in() - before).ok()?;
        share = share.get(taken..)?;
        let is_done = match is_last {
            true => status == Status::StreamEnd,
            false => share.is_empty(),
        };
        if is_done {
            return Some(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn of(accept: &str) -> Option<Coding> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, accept.parse().unwrap());
        accepted(&headers)
    }

    #[test]
    fn what_a_client_accepts() {
        assert_eq!(accepted(&HeaderMap::new()), None);
        for (accept, coding) in [
            ("gzip", Some(Coding::Gzip)),
            ("gzip, deflate, br", Some(Coding::Gzip)),
            ("deflate, gzip", Some(Coding::Gzip)),
            ("deflate", Some(Coding::Deflate)),
            ("gzip;q=0.5, deflate", Some(Coding::Deflate)),
            ("GZIP ; Q=0.3", Some(Coding::Gzip)),
            ("*", Some(Coding::Gzip)),
            ("gzip;q=0, *", Some(Coding::Deflate)),
            ("gzip;q=0", None),
            ("gzip;q=x", None),
            ("br, identity", None),
            ("", None),
        ] {
            assert_eq!(of(accept), coding, "{accept}");
        }
    }

    #[tokio::test]
    async fn what_is_squeezed_comes_out_again() {
        for length in [1, SHARE - 1, SHARE, 3 * SHARE + 7, 1 << 20] {
            let plain: Bytes = format!("{length} ").repeat(length / 3 + 100).into();
            let gzip = squeeze(&plain, Coding::Gzip, 6).await.unwrap();
            let mut out = Vec::new();
            flate2::read::GzDecoder::new(&gzip[..])
                .read_to_end(&mut out)
                .unwrap();
            assert_eq!(out, plain);
            let zlib = squeeze(&plain, Coding::Deflate, 1).await.unwrap();
            out.clear();
            flate2::read::ZlibDecoder::new(&zlib[..])
                .read_to_end(&mut out)
                .unwrap();
            assert_eq!(out, plain);
            assert!(gzip.len() < plain.len() && zlib.len() < plain.len());
        }
    }

    #[tokio::test]
    async fn noise_stays_as_it_is() {
        let noise: Vec<u8> = (0..10_000).map(|_| rand::random()).collect();
        assert_eq!(squeeze(&noise.into(), Coding::Gzip, 6).await, None);
    }

    #[tokio::test]
    async fn few_work_at_a_time_and_who_breaks_off_makes_room() {
        let held: Vec<_> = (0..MOST)
            .map(|_| Lent::new(Coding::Gzip, 6).unwrap())
            .collect();
        assert!(Lent::new(Coding::Gzip, 6).is_none());
        assert_eq!(
            squeeze(&vec![b'x'; 5000].into(), Coding::Gzip, 6).await,
            None
        );
        drop(held);
        assert!(
            squeeze(&vec![b'x'; 5000].into(), Coding::Gzip, 6)
                .await
                .is_some()
        );
        CODERS.with_borrow(|coders| assert_eq!((coders.working, coders.kept.len()), (0, KEPT)));
    }
}
