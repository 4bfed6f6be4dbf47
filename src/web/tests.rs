//! What tests of several files of this part begin with: a site on the embedded demo.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::sync::Arc;

use actix_web::web;

use super::site::Site;
use crate::app::App;
use crate::settings::{self, ProcessEnvironment};

/// Opens a site as the defaults have it.
pub(super) fn site() -> web::Data<Site> {
    let flags = crate::flags::parse(["unslow"], settings::all_flags()).unwrap();
    let nothing = ProcessEnvironment {
        working_folder: std::env::temp_dir().join("no folder of this name"),
        environment: Vec::new(),
    };
    let settings = settings::load_in(&flags, &nothing).unwrap().settings;
    web::Data::new(Site::new(Arc::new(App::open(settings).unwrap()), None))
}
