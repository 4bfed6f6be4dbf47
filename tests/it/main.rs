//! The tests against real servers, in one binary so that they share them.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod db_faults;
mod db_pgbouncer;
mod db_postgres;
mod db_postgres_limits;
mod db_same_on_both;
mod db_sqlite;
mod db_support;
mod db_types;
mod servers;
