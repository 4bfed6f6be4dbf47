//! One test binary; its tests start the servers they need.

mod cache_redis;
