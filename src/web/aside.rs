//! The work of an answer that is done beside the workers: rendering and encoding of large bodies.
//! The way in which it is done there is the application's.

use actix_web::web;

use super::site::Site;
use crate::error::RequestError;

/// Less than this is made at once: that takes a millisecond at most, and handing it over costs too.
const SMALL: usize = 32 << 10;

/// Makes something out of so many bytes, beside the workers where they are many.
///
/// # Errors
/// The work panicked there.
pub(super) async fn run<T: Send + 'static>(
    site: &web::Data<Site>,
    bytes: usize,
    work: impl FnOnce(&Site) -> T + Send + 'static,
) -> Result<T, RequestError> {
    if bytes <= SMALL {
        return Ok(work(site));
    }
    let (app, site) = (&site.app, site.clone().into_inner());
    let work = move || work(&site);
    app.side_work.run(app.engine(), work).await
}
