//! The contents of the certificate files that the settings name, as they were read.

use std::path::Path;

use crate::settings::{DatabaseTarget, Settings};

/// The certificates that the settings name, as they were read: under the same name there may be
/// others now.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CaFiles {
    pub(super) database: Option<Vec<u8>>,
    pub(super) redis: Option<Vec<u8>>,
}

impl CaFiles {
    pub(super) fn read(settings: &Settings) -> CaFiles {
        // A file that cannot be read is found out, and named, by the part that uses it.
        let read = |file: &Path| std::fs::read(file).ok();
        let database = match &settings.database {
            DatabaseTarget::Postgres(target) => target.sslrootcert.as_deref(),
            DatabaseTarget::Demo | DatabaseTarget::SqliteFile(_) => None,
        };
        let redis = settings.redis.as_ref().and_then(|it| it.ca_file.as_deref());
        CaFiles {
            database: database.and_then(read),
            redis: redis.and_then(read),
        }
    }
}
