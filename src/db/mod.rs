//! Running a query on the database, PostgreSQL or SQLite, read-only and within limits; and how
//! the database is. No cache in here, and no HTTP: what comes out is rows as JSON text.

mod budget;
mod checkout;
mod contact;
mod database;
mod fair_room;
mod float;
mod gate;
mod health;
mod identity;
mod json;
mod limits;
mod pool;
mod postgres;
mod postgres_advice;
mod postgres_bind;
mod postgres_connect;
mod postgres_effective;
mod postgres_error;
mod postgres_fault;
mod postgres_listen;
mod postgres_literal;
mod postgres_options;
mod postgres_pace;
mod postgres_read;
mod postgres_reaper;
mod postgres_session;
mod postgres_start;
mod postgres_survey;
mod postgres_system;
mod postgres_transaction;
mod prober;
mod queue;
mod reader_role;
mod refused_value;
mod renew;
mod rows;
mod sqlite;
mod sqlite_connect;
mod sqlite_fault;
mod sqlite_file;
mod sqlite_format;
mod sqlite_function;
mod sqlite_math;
mod sqlite_offset;
mod sqlite_rows;
mod sqlite_system;
mod sqlite_work;
mod survey;
mod system;
mod turn;

pub use database::Database;
pub use gate::GateState;
pub use health::Health;
pub use limits::Limits;
pub use pool::PoolState;
pub use postgres_listen::MessageListener;
pub use postgres_options::DRIVER_ENVIRONMENT;
pub use rows::Rows;
pub use survey::{DatabaseSurvey, SurveyTrouble};
pub use system::DatabaseSystem;
pub use turn::LoadTurn;

#[cfg(test)]
mod tests;
