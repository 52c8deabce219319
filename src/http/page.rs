//! The page: files that are part of the program. They hold no data; what they show they ask the API for.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// A file of the page.
pub(super) struct Asset {
    /// Its path.
    pub(super) path: &'static str,
    kind: &'static str,
    text: &'static str,
}

/// All of them.
pub(super) const ASSETS: &[Asset] = &[
    Asset { path: "/", kind: "text/html; charset=utf-8", text: include_str!("page/index.html") },
    Asset { path: "/app.js", kind: "text/javascript; charset=utf-8", text: include_str!("page/app.js") },
    Asset {
        path: "/playground.js",
        kind: "text/javascript; charset=utf-8",
        text: include_str!("page/playground.js"),
    },
    Asset {
        path: "/timeline.js",
        kind: "text/javascript; charset=utf-8",
        text: include_str!("page/timeline.js"),
    },
    Asset { path: "/style.css", kind: "text/css; charset=utf-8", text: include_str!("page/style.css") },
    Asset { path: "/favicon.svg", kind: "image/svg+xml", text: include_str!("page/favicon.svg") },
];

impl Asset {
    pub(super) fn answer(&self) -> Response {
        ([(header::CONTENT_TYPE, self.kind)], self.text).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is asked for first is small, and nothing in it would be refused by the policy that it is sent with.
    #[test]
    fn the_page_is_small_and_holds_nothing_inline() {
        let all: usize = ASSETS.iter().map(|asset| asset.text.len()).sum();
        assert!(all < 100 << 10, "{all} bytes");
        for asset in ASSETS {
            for inline in [
                " style=\"",
                " onclick=",
                "javascript:",
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "eval(",
            ] {
                assert!(!asset.text.contains(inline), "{}: {inline}", asset.path);
            }
            for from_elsewhere in ["src=\"http", "href=\"http", "@import", "url(http"] {
                assert!(!asset.text.contains(from_elsewhere), "{}: {from_elsewhere}", asset.path);
            }
        }
    }
}
