//! Error pages.

use super::super::super::error::ErrorPage;
use super::super::super::error::render_error;
use super::super::super::frame::PageFrame;
use super::{Pages, World};

impl World<'_> {
    pub(super) fn errors(&self, frame: PageFrame<'_>, pages: &mut Pages) {
        let id = (self.text)("b7c1f0e2a94d");
        let cases = [
            (
                403,
                "statistics are open to this machine only; [stats] allow or [admin] token_file opens them",
            ),
            (404, "there is no query named \"revenues\""),
            (405, "this page is read with GET"),
            (413, "the request's body is larger than 64 KiB"),
            (431, "a header is too long"),
            (500, "we're currently experiencing technical difficulties"),
            (503, "we're currently experiencing technical difficulties"),
            (504, "the query took too long"),
        ];
        for (status, message) in cases {
            let message = (self.text)(message);
            let page = ErrorPage {
                failure: Self::failure(status, &message, &id),
                suggestion: (status == 404).then_some(self.name.as_str()),
            };
            pages.push((format!("error-{status}"), render_error(&frame, &page)));
        }
    }
}
