//! The variables that Kubernetes sets in every container for each service: one that is called
//! `unslow`, or `unslow-redis`, has variables that begin like ours.

/// Returns whether a variable whose name begins with `UNSLOW_` tells of a service, and sets nothing
/// here.
pub(super) fn is_service_link(name: &str, text: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let words: Vec<&str> = name.split('_').collect();
    let address = || {
        let schemes = ["tcp://", "udp://", "sctp://"];
        schemes.iter().any(|scheme| text.starts_with(scheme))
    };
    match words.as_slice() {
        [_, .., "SERVICE", "HOST"] => true,
        [_, .., "SERVICE", "PORT"] => is_number(text),
        [.., "PORT", number, "TCP" | "UDP" | "SCTP"] => is_number(number) && address(),
        [
            ..,
            "PORT",
            number,
            "TCP" | "UDP" | "SCTP",
            "PROTO" | "PORT" | "ADDR",
        ] => is_number(number),
        [_, .., "PORT"] => address(),
        // A port of a service has a name of its own.
        words => {
            let named = words.windows(2).any(|pair| pair == ["SERVICE", "PORT"]);
            named && is_number(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kubernetes_says_of_services_is_told_from_settings() {
        for (name, text) in [
            ("UNSLOW_SERVICE_HOST", "10.0.0.1"),
            ("UNSLOW_SERVICE_PORT", "80"),
            ("UNSLOW_SERVICE_PORT_HTTP", "80"),
            ("UNSLOW_SERVICE_PORT_STATS_PAGE", "9000"),
            ("UNSLOW_PORT", "tcp://10.0.0.1:80"),
            ("UNSLOW_PORT_8000_TCP", "tcp://10.0.0.1:8000"),
            ("UNSLOW_PORT_8000_TCP_PROTO", "tcp"),
            ("UNSLOW_PORT_8000_TCP_PORT", "8000"),
            ("UNSLOW_PORT_8000_TCP_ADDR", "10.0.0.1"),
            ("UNSLOW_PORT_53_UDP_ADDR", "fd00::1"),
            ("UNSLOW_REDIS_MASTER_SERVICE_HOST", "10.0.0.2"),
            ("UNSLOW_POSTGRES_PORT", "tcp://10.0.0.3:5432"),
            ("UNSLOW_POSTGRES_PORT_5432_TCP", "tcp://[fd00::1]:5432"),
        ] {
            assert!(is_service_link(name, text), "{name}");
        }
        for (name, text) in [
            ("UNSLOW_CACHE_TTTL", "5s"),
            ("UNSLOW_POSTGRES_PORT", "5432"),
            ("UNSLOW_PORT", "8000"),
            ("UNSLOW_PORT", "http://10.0.0.1"),
            ("UNSLOW_PORT_X_TCP_ADDR", "10.0.0.1"),
            ("UNSLOW_SERVICE_PORT", "http"),
            ("UNSLOW_SERVER_HOST", "10.0.0.1"),
            ("UNSLOW_", ""),
        ] {
            assert!(!is_service_link(name, text), "{name}");
        }
    }
}
