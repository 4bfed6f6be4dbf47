//! `--open`: the desktop's browser is shown where the server is.

use std::process::{Command, Stdio};

/// The program that opens an address in the user's browser.
const OPENER: &str = if cfg!(target_os = "macos") {
    "open"
} else if cfg!(windows) {
    "explorer"
} else {
    "xdg-open"
};

/// Has the first address shown, without waiting for it. That there is no browser is said in the
/// log.
pub(super) fn show_page(urls: &[String]) {
    let Some(address) = urls.iter().find_map(|url| reachable_url(url)) else {
        return;
    };
    let opened = Command::new(OPENER)
        .arg(&address)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match opened {
        Ok(mut started) => {
            // It ends when it has told the browser; somebody has to take note of that.
            let waiting = std::thread::Builder::new().spawn(move || started.wait());
            drop(waiting);
        }
        Err(error) => tracing::warn!("{OPENER} cannot show {address}: {error}"),
    }
}

/// Returns the address as a browser on this machine finds it; `None` for a unix socket.
fn reachable_url(url: &str) -> Option<String> {
    url.starts_with("http").then(|| {
        url.replace("//0.0.0.0", "//127.0.0.1")
            .replace("//[::]", "//[::1]")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_all_interfaces_is_shown_as_this_machine() {
        let shown = |url| reachable_url(url).unwrap_or_default();
        assert_eq!(shown("http://0.0.0.0:8000"), "http://127.0.0.1:8000");
        assert_eq!(shown("https://[::]:443"), "https://[::1]:443");
        assert_eq!(shown("http://10.0.0.1:80"), "http://10.0.0.1:80");
        assert_eq!(reachable_url("unix:/run/u.sock"), None);
    }
}
