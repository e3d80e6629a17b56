//! What Redis says of itself when a connection is made.

use std::time::Duration;

use gateway_core::Result;

use crate::error::unavailable_because;

/// What matters to a queue in the answer to `INFO`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Greeting {
    pub version: String,
    /// Another one after each start.
    pub run_id: String,
    /// How long it has been up.
    pub up: Duration,
    /// The policy by which it throws keys away that nobody has said may go, where it has one.
    pub throws_away: Option<String>,
}

impl Greeting {
    /// Reads it; an error where this Redis cannot carry a queue, or not yet.
    pub(crate) fn read(info: &str) -> Result<Self> {
        let field =
            |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or_default();
        let version = field("redis_version");
        let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
        let version_is = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        // Who says no version is something else that speaks like Redis.
        if !version.is_empty() && version_is < (6, 2) {
            return Err(unavailable_because(&format!("it is Redis {version}, and 6.2 or later is needed")));
        }
        if field("cluster_enabled") == "1" {
            return Err(unavailable_because("it is a cluster, which is not supported"));
        }
        if field("loading") == "1" {
            return Err(unavailable_because("it is still loading its data"));
        }
        let policy = field("maxmemory_policy");
        let throws_away = policy.starts_with("allkeys") && field("maxmemory") != "0";
        Ok(Self {
            version: version.to_owned(),
            run_id: field("run_id").to_owned(),
            up: Duration::from_secs(field("uptime_in_seconds").parse().unwrap_or(u64::MAX)),
            throws_away: throws_away.then(|| policy.to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use gateway_core::ErrorKind;

    use super::*;

    fn info(version: &str, rest: &str) -> String {
        format!("# Server\r\nredis_version:{version}\r\nrun_id:abc\r\nuptime_in_seconds:7\r\n{rest}\r\n")
    }

    #[test]
    fn what_it_says_is_read() {
        let greeting = |version: &str, policy: Option<&str>| Greeting {
            version: version.to_owned(),
            run_id: "abc".to_owned(),
            up: Duration::from_secs(7),
            throws_away: policy.map(str::to_owned),
        };
        let check = |version: &str, rest: &str, policy: Option<&str>| {
            assert_eq!(Greeting::read(&info(version, rest)).expect("it will do"), greeting(version, policy), "{rest}");
        };
        check("6.2.0", "", None);
        check("7.0.15", "cluster_enabled:0\r\nloading:0", None);
        check("10.0", "maxmemory:0\r\nmaxmemory_policy:allkeys-lru", None);
        check("7.2.4", "maxmemory:100\r\nmaxmemory_policy:noeviction", None);
        check("7.2.4", "maxmemory:100\r\nmaxmemory_policy:allkeys-lru", Some("allkeys-lru"));
        assert_eq!(Greeting::read("").expect("it may do").up, Duration::from_secs(u64::MAX));
    }

    #[test]
    fn what_will_not_do_is_refused() {
        let check = |version: &str, rest: &str, said: &str| {
            let error = Greeting::read(&info(version, rest)).expect_err("it will not do");
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert!(error.message().contains(said), "{error}");
        };
        check("6.0.16", "", "it is Redis 6.0.16, and 6.2 or later is needed");
        check("5.0", "", "6.2 or later");
        check("7.0.1", "cluster_enabled:1", "a cluster");
        check("7.0.1", "loading:1", "loading");
    }
}
