//! The process as its neighbours see it: the file that says that it runs, the socket it takes
//! commands on, systemd's messages, the listeners it is handed, and whom it runs as. What is
//! served is not known here.

pub mod adopt;
pub mod control;
pub mod identity;
pub mod inherited;
pub mod notify;
pub mod pidfile;
