//! The tests against real servers and the real binary, in one binary so that they share them.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod browser;
mod cache_redis;
mod cache_redis_connections;
mod cache_redis_faults;
mod cache_support;
mod cli;
mod crowds;
mod db_faults;
mod db_pgbouncer;
mod db_postgres;
mod db_postgres_limits;
mod db_prober;
mod db_same_on_both;
mod db_sqlite;
mod db_support;
mod db_types;
mod end_to_end;
mod faults;
mod faults_redis;
mod faults_sqlite;
mod formats;
mod gates;
mod house;
mod http;
mod http_refusals;
mod life;
mod listen;
mod odd_requests;
mod process;
mod readme;
mod refusals;
mod security;
mod servers;
mod settings;
mod soak;
mod unslow;
