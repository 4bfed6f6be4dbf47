//! Taking over descriptors that another process has passed on by their numbers. What they are for
//! is not known here.
#![allow(
    unsafe_code,
    reason = "a number has no owner; whoever passed it on says that it is ours now"
)]

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

/// Standard input, output and error.
const STREAMS: RawFd = 3;

/// Returns the descriptor of this number, which from now on is closed with its owner and not passed
/// on any further. Each number may be taken once, before anything else of this process opens files.
///
/// # Errors
/// There is none of this number, or it is one of the standard streams.
pub(super) fn adopt_descriptor(number: RawFd) -> io::Result<OwnedFd> {
    if number < STREAMS {
        return Err(io::Error::other("it is one of the standard streams"));
    }
    // SAFETY: borrowed for one call, which fails where the number is not open and harms nothing.
    let open = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl(open, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    // SAFETY: it is open, the process that passed it on gave it to us, and nothing of this one has
    // it: this is called once for each number, before other files are opened.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Closes every descriptor but the standard streams and those that are kept: what a caller left
/// open by mistake would keep its other end waiting for as long as the daemon lives.
pub(super) fn close_all_but(kept: &BTreeSet<RawFd>) {
    for number in open().unwrap_or_default() {
        if number >= STREAMS && !kept.contains(&number) {
            // The one through which they were listed is closed already.
            let _ = nix::unistd::close(number);
        }
    }
}

/// Returns the numbers of all open descriptors.
fn open() -> io::Result<BTreeSet<RawFd>> {
    let names = std::fs::read_dir("/dev/fd")?;
    Ok(names
        .filter_map(|name| name.ok()?.file_name().to_str()?.parse().ok())
        .collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use std::io::Read as _;
    use std::os::fd::IntoRawFd;

    use super::*;

    #[test]
    fn a_passed_descriptor_is_taken_over_and_passed_on_no_further() {
        let (reader, writer) = io::pipe().unwrap();
        let passed = nix::unistd::dup(&reader).unwrap();
        drop(reader);
        let taken = adopt_descriptor(passed.into_raw_fd()).unwrap();
        let flags = fcntl(&taken, FcntlArg::F_GETFD).unwrap();
        assert_eq!(flags, FdFlag::FD_CLOEXEC.bits());
        drop(writer);
        let mut file = std::fs::File::from(taken);
        assert_eq!(file.read(&mut [0; 1]).unwrap(), 0);
    }

    #[test]
    fn a_number_that_nothing_stands_behind_is_refused() {
        assert!(adopt_descriptor(RawFd::MAX).is_err());
        assert!(adopt_descriptor(0).is_err());
    }
}
