//! Hosts and origins: which names the gateway answers to, and which web pages may use it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a `Host` header or a URL's authority says: a name, perhaps with a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Host<'a> {
    /// The name or address, an IPv6 one without its brackets. The case is the caller's.
    pub name: &'a str,
    /// The port, where one is written.
    pub port: Option<u16>,
}

impl<'a> Host<'a> {
    /// Reads `name`, `name:port`, `[v6]` or `[v6]:port`; `None` for anything else, user names included.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (name, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (name, port) = rest.split_once(']')?;
                name.parse::<Ipv6Addr>().ok()?;
                (name, port)
            }
            None => {
                let (name, port) = text.split_at(text.find(':').unwrap_or(text.len()));
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
                if name.is_empty() || name.len() > 255 || !name.bytes().all(plain) {
                    return None;
                }
                (name, port)
            }
        };
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse().ok()?),
            _ => return None,
        };
        // `localhost.` is `localhost`.
        Some(Self { name: name.strip_suffix('.').unwrap_or(name), port })
    }

    /// Whether the name always means this machine, whatever a name server says.
    pub(crate) fn is_loopback(&self) -> bool {
        self.name.eq_ignore_ascii_case("localhost") || self.address().is_some_and(|address| address.is_loopback())
    }

    /// The address, where the name is one. An address cannot be rebound to another machine.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        // Names with a letter beyond hexadecimal are by far the most; they are not tried twice.
        let v4 = || self.name.parse::<Ipv4Addr>().ok().map(IpAddr::V4);
        let v6 = || self.name.parse::<Ipv6Addr>().ok().map(|address| IpAddr::V6(address).to_canonical());
        v4().or_else(v6)
    }

    /// Whether a configured entry, in lower case, stands for this host.
    pub(crate) fn matches(&self, entry: &str) -> bool {
        match Host::parse(entry) {
            Some(entry) => {
                self.name.eq_ignore_ascii_case(entry.name) && (entry.port.is_none() || entry.port == self.port)
            }
            None => entry == "*",
        }
    }
}

/// Whether a browser origin is a page of this machine: `http://localhost:3000`.
pub(crate) fn is_loopback_origin(origin: &str) -> bool {
    let rest = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    rest.and_then(Host::parse).is_some_and(|host| host.is_loopback())
}

/// A list of origins as configured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origins {
    listed: Vec<String>,
    loopback: bool,
    any: bool,
}

impl Origins {
    /// Reads a list; the words `loopback` and `*` are meant only where `words` says so.
    pub(crate) fn new(list: &[String], words: Words) -> Self {
        let mut origins = Self::default();
        for entry in list {
            match (entry.as_str(), words) {
                ("loopback", Words::Meant) => origins.loopback = true,
                ("*", Words::Meant) => origins.any = true,
                // Browsers write origins in lower case and without a slash; people often do not.
                _ => origins.listed.push(entry.trim_end_matches('/').to_ascii_lowercase()),
            }
        }
        origins
    }

    /// The loopback origins only.
    pub(crate) fn loopback() -> Self {
        Self { loopback: true, ..Self::default() }
    }

    /// Whether `origin` is in the list. `null` (a sandboxed page, a file) never is, since every page can
    /// make itself one.
    pub(crate) fn contain(&self, origin: &str) -> bool {
        if origin == "null" || !origin.contains("://") {
            return false;
        }
        self.any
            || (self.loopback && is_loopback_origin(origin))
            || self.listed.iter().any(|listed| listed.eq_ignore_ascii_case(origin))
    }
}

/// Whether a list of origins may use words for many of them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Words {
    /// `loopback` and `*` have their meaning.
    Meant,
    /// They are origins that do not exist.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_hosts() {
        let check = |text: &str, expected: Option<(&str, Option<u16>)>| {
            assert_eq!(Host::parse(text).map(|host| (host.name, host.port)), expected, "{text}");
        };
        check("localhost", Some(("localhost", None)));
        check("LOCALHOST:8000", Some(("LOCALHOST", Some(8000))));
        check("localhost.:80", Some(("localhost", Some(80))));
        check("[::1]:8000", Some(("::1", Some(8000))));
        check("[::1]", Some(("::1", None)));
        for bad in
            ["", ":80", "a:b", "a:99999", "[::1", "[::1]x", "[evil.example]", "a@b", "a b", "a/b", "a:80:80", "::1"]
        {
            check(bad, None);
        }
    }

    #[test]
    fn knows_loopback_hosts() {
        for name in ["localhost", "LocalHost:1", "127.0.0.1", "127.8.9.1:8000", "[::1]", "[::ffff:127.0.0.1]"] {
            assert!(Host::parse(name).expect(name).is_loopback(), "{name}");
        }
        for name in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "[::2]", "0.0.0.0"]
        {
            assert!(!Host::parse(name).expect(name).is_loopback(), "{name}");
        }
    }

    #[test]
    fn matches_configured_hosts() {
        let check = |host: &str, entry: &str, expected: bool| {
            assert_eq!(Host::parse(host).expect(host).matches(entry), expected, "{host} {entry}");
        };
        check("gw.example:8000", "gw.example", true);
        check("GW.Example", "gw.example", true);
        check("gw.example:8000", "gw.example:8000", true);
        check("gw.example:8001", "gw.example:8000", false);
        check("evil.example", "gw.example", false);
        check("evil.example", "*", true);
    }

    #[test]
    fn knows_origins() {
        let listed = ["https://App.example/".to_owned(), "loopback".to_owned(), "*".to_owned()];
        let check = |origins: &Origins, origin: &str, expected: bool| {
            assert_eq!(origins.contain(origin), expected, "{origin}");
        };
        let loopback = Origins::loopback();
        check(&loopback, "http://localhost:3000", true);
        check(&loopback, "https://127.0.0.1", true);
        check(&loopback, "http://[::1]:1", true);
        check(&loopback, "http://localhost.evil.example", false);
        check(&loopback, "http://localhost@evil.example", false);
        check(&loopback, "chrome-extension://localhost", false);
        check(&loopback, "https://app.example", false);
        check(&loopback, "null", false);
        let one = Origins::new(&listed[..1], Words::Meant);
        check(&one, "https://app.example", true);
        check(&one, "http://app.example", false);
        check(&one, "http://localhost:3000", false);
        let two = Origins::new(&listed[..2], Words::Meant);
        check(&two, "http://localhost:3000", true);
        let any = Origins::new(&listed, Words::Meant);
        check(&any, "https://evil.example", true);
        check(&any, "null", false);
        let admin = Origins::new(&listed, Words::Unknown);
        check(&admin, "https://evil.example", false);
        check(&admin, "http://localhost:3000", false);
        check(&admin, "https://app.example", true);
    }
}
