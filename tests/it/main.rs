//! The one test binary: what needs more than one part of the program, or real servers.

mod house;
