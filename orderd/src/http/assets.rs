//! The files that pages load, kept in the binary.
//!
//! Pages name a file together with a part of its digest. Under that name a browser keeps it for
//! ever; under any other it asks each time whether the file is still the same.

use crate::http::Response;
use crate::http::answer::Keep;
use crate::http::answer::response;
use crate::http::conditional::Condition;
use crate::order::Digest;
use ::http::HeaderValue;
use ::http::StatusCode;
use ::http::Uri;
use ::http::header;
use bytes::Bytes;
use std::sync::LazyLock;

/// How many digits of a file's digest are in its name: enough to tell its versions apart.
const VERSION_DIGITS: usize = 12;

/// One file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asset {
    path: &'static str,
    content_type: &'static str,
    body: &'static [u8],
    etag: String,
}

/// `asset!("name", "type")`: the file of this name in the folder of assets.
macro_rules! asset {
    ($name:literal, $content_type:literal) => {
        Asset::new(
            concat!("/assets/", $name),
            $content_type,
            include_bytes!(concat!("../../assets/", $name)),
        )
    };
}

static ASSETS: LazyLock<[Asset; 5]> = LazyLock::new(|| {
    [
        asset!("orderd.css", "text/css; charset=utf-8"),
        asset!("live.js", "text/javascript; charset=utf-8"),
        asset!("letters.js", "text/javascript; charset=utf-8"),
        asset!("search.js", "text/javascript; charset=utf-8"),
        asset!("icon.svg", "image/svg+xml"),
    ]
});

/// The file at this path.
pub(super) fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

/// The address under which pages name the file of this name.
pub(super) fn href(name: &str) -> String {
    let path = format!("/assets/{name}");
    match find(&path) {
        Some(asset) => format!("{path}?v={}", asset.version()),
        None => path,
    }
}

impl Asset {
    fn new(path: &'static str, content_type: &'static str, body: &'static [u8]) -> Self {
        Self { path, content_type, body, etag: Digest::of(body).etag() }
    }

    fn version(&self) -> &str {
        self.etag.trim_matches('"').get(..VERSION_DIGITS).unwrap_or_default()
    }

    /// The file, or 304 if the client has it.
    pub(super) fn respond(&self, uri: &Uri, condition: &Condition) -> Response {
        let is_versioned = uri.query().and_then(|query| query.strip_prefix("v="));
        let keep = if is_versioned == Some(self.version()) {
            "public, max-age=31536000, immutable"
        } else {
            "public, no-cache"
        };
        let body = Bytes::from_static(self.body);
        let mut response = response(StatusCode::OK, self.content_type, Keep::No, body);
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
        condition.apply(&self.etag, &mut response);
        response
    }
}
