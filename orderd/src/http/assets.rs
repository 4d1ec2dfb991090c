//! The files that pages load, kept in the binary.

use crate::http::Response;
use crate::http::answer::Keep;
use crate::http::answer::response;
use crate::http::conditional::Condition;
use crate::order::Digest;
use ::http::HeaderValue;
use ::http::StatusCode;
use ::http::header;
use bytes::Bytes;

/// One file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asset {
    path: &'static str,
    content_type: &'static str,
    body: &'static [u8],
}

static ASSETS: [Asset; 3] = [
    Asset {
        path: "/assets/orderd.css",
        content_type: "text/css; charset=utf-8",
        body: include_bytes!("../../assets/orderd.css"),
    },
    Asset {
        path: "/assets/newest.js",
        content_type: "text/javascript; charset=utf-8",
        body: include_bytes!("../../assets/newest.js"),
    },
    Asset {
        path: "/assets/icon.svg",
        content_type: "image/svg+xml",
        body: include_bytes!("../../assets/icon.svg"),
    },
];

/// The file at this path.
pub(super) fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

impl Asset {
    /// The file, or 304 if the client has it: its name is the same in every release.
    pub(super) fn respond(&self, condition: &Condition) -> Response {
        let body = Bytes::from_static(self.body);
        let etag = Digest::of(&body).etag();
        let mut response = response(StatusCode::OK, self.content_type, Keep::No, body);
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, HeaderValue::from_static("public, no-cache"));
        condition.apply(&etag, &mut response);
        response
    }
}
