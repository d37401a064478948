//! The official client's files, read once at the start, as Node's `serveClient` serves them.

use std::fs;
use std::io;
use std::path::Path;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use sha2::{Digest as _, Sha256};

use super::answers::full;
use super::http::Body;
use super::squeeze::{self, Coding};
use crate::config::CLIENT_BUILDS;
use crate::hex::Hex;

pub(super) struct ClientFiles(Vec<File>);

struct File {
    name: String,
    content_type: HeaderValue,
    /// Weak: it is the same for the file as it is and compressed.
    tag: HeaderValue,
    plain: Bytes,
    gzip: Bytes,
}

impl ClientFiles {
    /// Files that are missing are not served. Read whole: the largest is a map of 300 KiB.
    pub(super) fn load(folder: &Path) -> io::Result<Self> {
        let mut files = Vec::new();
        for build in CLIENT_BUILDS {
            for name in [build.to_owned(), format!("{build}.map")] {
                match fs::read(folder.join(&name)) {
                    Ok(bytes) => files.push(File::new(name, bytes)?),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(Self(files))
    }

    /// `None`: it is a request for something else. `below` is what stands behind the endpoint's path.
    pub(super) fn answer<B>(&self, below: &str, request: &Request<B>) -> Option<Response<Body>> {
        let name = below.strip_prefix('/')?;
        let file = self.0.iter().find(|file| file.name == name)?;
        let is_asked_for = [Method::GET, Method::HEAD].contains(request.method());
        is_asked_for.then(|| file.answer(request.headers()))
    }
}

impl File {
    fn new(name: String, bytes: Vec<u8>) -> io::Result<Self> {
        let kind = match name.ends_with(".map") {
            true => "application/json; charset=utf-8",
            false => "application/javascript; charset=utf-8",
        };
        let digest = Sha256::digest(&bytes);
        let tag = format!("W/\"{}\"", Hex(&digest[..8]));
        let tag = HeaderValue::from_str(&tag).map_err(io::Error::other)?;
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        io::Write::write_all(&mut gzip, &bytes)?;
        Ok(Self {
            name,
            content_type: HeaderValue::from_static(kind),
            tag,
            gzip: gzip.finish()?.into(),
            plain: bytes.into(),
        })
    }

    fn answer(&self, asked: &HeaderMap) -> Response<Body> {
        let is_known = self.is_known(asked);
        let is_gzip = squeeze::accepted(asked) == Some(Coding::Gzip);
        let body = match (is_known, is_gzip) {
            (true, _) => Bytes::new(),
            (false, true) => self.gzip.clone(),
            (false, false) => self.plain.clone(),
        };
        let mut response = Response::new(full(body));
        let headers = response.headers_mut();
        headers.insert(header::ETAG, self.tag.clone());
        headers.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=0"),
        );
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        headers.insert(header::CONTENT_TYPE, self.content_type.clone());
        // A map is read by whoever has the file; neither is to be taken for something else.
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        if is_gzip {
            headers.insert(header::CONTENT_ENCODING, Coding::Gzip.name());
        }
        response
    }

    /// RFC 9110, section 13.1.2.
    fn is_known(&self, asked: &HeaderMap) -> bool {
        let bare = |tag: &[u8]| tag.strip_prefix(b"W/").unwrap_or(tag).to_vec();
        let own = bare(self.tag.as_bytes());
        let tags = asked.get_all(header::IF_NONE_MATCH).iter();
        let mut tags = tags.flat_map(|list| list.as_bytes().split(|byte| *byte == b','));
        tags.any(|tag| {
            let tag = tag.trim_ascii();
            tag == b"*" || bare(tag) == own
        })
    }
}
