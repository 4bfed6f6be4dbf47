//! `unslow install`: creates `slow_version()` and `unslow_watch()` in the configured database, and
//! with `--role` a role that only reads.

use super::failure::CommandFailure;
use super::resources::{make_runtime, open_database};
use super::terminal::print_bytes;
use crate::settings::{DatabaseTarget, Settings};

pub(super) fn run(settings: &Settings, role: Option<&str>) -> Result<(), CommandFailure> {
    if role.is_some() && !matches!(settings.database, DatabaseTarget::Postgres(_)) {
        return Err(CommandFailure::Usage(
            "--role is for PostgreSQL: SQLite has no roles".to_owned(),
        ));
    }
    make_runtime()?.block_on(async {
        let database = open_database(settings)?;
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
        print_bytes(text.as_bytes())?;
        let Some(role) = role else {
            return Ok(());
        };
        let unreadable = database.create_reader(role).await?;
        let quoted = role.replace('"', "\"\"");
        let text = format!(
            "the role \"{quoted}\" can read and not write; unslow gave it no password: set one in \
             psql with \\password \"{quoted}\", and name role and password in [postgres]\n"
        );
        print_bytes(text.as_bytes())?;
        match unreadable {
            Some(count @ 1..) => print_bytes(
                format!("it cannot read {count} tables: run install as their owner too\n")
                    .as_bytes(),
            ),
            _ => Ok(()),
        }
    })
}
