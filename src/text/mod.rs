//! Texts for people: units of time and size, values in messages, the nearest known name. It is a
//! leaf: nothing of the program is known here.

pub mod units;
pub(crate) mod words;
