//! `unslow install`: creates `slow_version()` and `unslow_watch()` in the configured database.

use super::{Failure, database, print, runtime};
use crate::settings::{DatabaseTarget, Settings};

pub(super) fn run(settings: &Settings) -> Result<(), Failure> {
    runtime()?.block_on(async {
        let database = database(settings)?;
        database.install().await?;
        let text = match settings.database {
            DatabaseTarget::Postgres(_) => {
                format!(
                    "installed slow_version() and unslow_watch() on {}\n",
                    database.host()
                )
            }
            _ => "slow_version() is built in here, there is nothing to install\n".to_owned(),
        };
        print(text.as_bytes())
    })
}
