//! Servers that are named without a scheme: `host` or `host:port`, as in Beats.

use std::fmt;

use url::Url;

use crate::http::is_loopback_host;

/// A host and its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// A name or an address; that of IPv6 without brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Address {
    /// Reads `host:port`; `port` is that of a host that names none.
    pub(super) fn parse(text: &str, port: u16) -> Result<Self, String> {
        let wrong = || format!("must be names or addresses such as localhost:{port}, without a scheme or a path");
        let url = Url::parse(&format!("tcp://{text}")).map_err(|_| wrong())?;
        let bare = url.path().is_empty() && url.query().is_none() && url.fragment().is_none();
        let Some(host) = url.host_str().filter(|host| bare && !host.is_empty() && !text.contains('@')) else {
            return Err(wrong());
        };
        let host = host.trim_matches(['[', ']']).to_owned();
        Ok(Self { host, port: url.port().unwrap_or(port) })
    }

    /// Whether it is on this machine.
    pub(super) fn is_loopback(&self) -> bool {
        is_loopback_host(&self.host)
    }

    /// Whether it is an address of IPv6.
    pub(super) fn is_ipv6(&self) -> bool {
        self.host.contains(':')
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if self.is_ipv6() { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_filled_in_and_anything_else_is_refused() {
        for (text, shown, loopback) in [
            ("localhost", "localhost:5044", true),
            ("logstash.example.com:5045", "logstash.example.com:5045", false),
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("[::1]:9092", "[::1]:9092", true),
            ("10.0.0.1", "10.0.0.1:5044", false),
        ] {
            let address = Address::parse(text, 5044).unwrap();
            assert_eq!((address.to_string().as_str(), address.is_loopback()), (shown, loopback));
        }
        for text in ["", "https://localhost", "localhost/path", "user:hunter2@localhost", "a b", "localhost:x", "a?b"] {
            let error = Address::parse(text, 5044).unwrap_err();
            assert!(!error.contains("hunter2") && error.contains("localhost:5044"), "{text}: {error}");
        }
    }
}
