//! Periods as bytes: in memory once they are over, and in a store.

use std::fmt;

use crate::period::Period;
use crate::time::MINUTES_PER_HOUR;

/// How a stored chunk begins: what it is, and which version of it. A change of [`Period`] that older programs cannot
/// read is another version.
const HEAD: &[u8] = b"mgu\x01";

/// Why a chunk cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// It is of another version, or none of ours.
    Foreign,
    /// It is damaged.
    Damaged,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Foreign => "another version of the gateway has written it",
            Self::Damaged => "it is damaged",
        })
    }
}

/// The bytes of a period.
pub(crate) fn pack(period: &Period) -> Box<[u8]> {
    postcard::to_allocvec(period).expect("a period is plain data and fits in memory").into()
}

/// The period of bytes that [`pack`] has written.
pub(crate) fn unpack(bytes: &[u8]) -> Result<Period, Unreadable> {
    postcard::from_bytes(bytes).map_err(|_| Unreadable::Damaged)
}

/// A stored chunk: an hour, and those of its minutes that are still told apart, by number.
pub(crate) fn write(hour: &Period, minutes: &[(u64, Period)]) -> Vec<u8> {
    let bytes = postcard::to_extend(hour, HEAD.to_vec()).and_then(|bytes| postcard::to_extend(minutes, bytes));
    bytes.expect("periods are plain data and fit in memory")
}

/// The hour of a stored chunk.
pub(crate) fn read_hour(chunk: &[u8]) -> Result<Period, Unreadable> {
    split(chunk).map(|(hour, _)| hour)
}

/// The minutes of a stored chunk that begins with `hour`.
pub(crate) fn read_minutes(chunk: &[u8], hour: u64) -> Result<Vec<(u64, Period)>, Unreadable> {
    let (_, rest) = split(chunk)?;
    let minutes: Vec<(u64, Period)> = postcard::from_bytes(rest).map_err(|_| Unreadable::Damaged)?;
    let belongs = |minute: &u64| minute / MINUTES_PER_HOUR == hour;
    if minutes.iter().all(|(minute, _)| belongs(minute)) { Ok(minutes) } else { Err(Unreadable::Damaged) }
}

fn split(chunk: &[u8]) -> Result<(Period, &[u8]), Unreadable> {
    let body = chunk.strip_prefix(HEAD).ok_or(Unreadable::Foreign)?;
    postcard::take_from_bytes(body).map_err(|_| Unreadable::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::UsageLimits;
    use crate::period::Keys;
    use crate::tally::{Measured, Outcome};

    fn period(tools: u64) -> Period {
        let mut period = Period::default();
        for tool in 0..tools {
            let name = format!("tool-{tool}");
            let keys = Keys { server: "s", tool: &name, session: "", caller: "c", door: "mcp" };
            let call = Measured {
                outcome: Outcome::ToolError,
                request_bytes: tool,
                response_bytes: tool * 7,
                characters: tool * 8,
                took_us: tool * 1_000,
            };
            period.call(&keys, &call, &UsageLimits::default(), &mut String::new());
        }
        period.searches.add(false, 12, Some("a query"), 10);
        period.searches.led("a query", "s", "tool-1", 10);
        period
    }

    #[test]
    fn what_was_written_is_read() {
        let (hour, minutes) = (period(50), vec![(7 * 60, period(20)), (7 * 60 + 59, period(30))]);
        let chunk = write(&hour, &minutes);
        assert_eq!(read_hour(&chunk), Ok(hour.clone()));
        assert_eq!(read_minutes(&chunk, 7), Ok(minutes));
        assert_eq!(read_minutes(&chunk, 8), Err(Unreadable::Damaged));
        assert_eq!(unpack(&pack(&hour)), Ok(hour));
    }

    #[test]
    fn what_is_no_chunk_is_refused_and_nothing_panics() {
        let chunk = write(&period(3), &[(60, period(2))]);
        assert_eq!(read_hour(b""), Err(Unreadable::Foreign));
        assert_eq!(read_hour(b"mgu\x02and more"), Err(Unreadable::Foreign));
        for length in 0..chunk.len() {
            assert!(read_minutes(&chunk[..length], 1).is_err(), "cut to {length} bytes");
        }
        for place in 0..chunk.len() {
            for wrong in [0, 0x7f, 0x80, 0xff] {
                let mut broken = chunk.clone();
                broken[place] = wrong;
                // May still be some chunk or other; its numbers must be borne.
                if let (Ok(hour), Ok(_)) = (read_hour(&broken), read_minutes(&broken, 1)) {
                    let mut sum = hour.clone();
                    sum.merge(&hour, &UsageLimits::default());
                    sum.total.counts();
                }
            }
        }
    }
}
