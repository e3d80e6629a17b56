//! Times in time zones. The zone database is compiled in, so that every machine gives the same answer.

use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde::Serialize;

/// Longest name of a zone and longest time, in bytes.
const MAX_TEXT_BYTES: usize = 100;

static PARSER: DateTimeParser = DateTimeParser::new();

/// One moment as a clock in one place shows it.
#[derive(Debug, PartialEq, Eq, Serialize, rmcp::schemars::JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
pub struct ClockReading {
    /// The time zone, by its IANA name or offset.
    pub timezone: String,
    /// Date, time and UTC offset, as RFC 3339 writes them.
    pub datetime: String,
    /// The day of the week in English.
    pub day_of_week: String,
    /// True while daylight saving time is in force.
    pub is_dst: bool,
}

/// One moment in two places.
#[derive(Debug, PartialEq, Eq, Serialize, rmcp::schemars::JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
pub struct Conversion {
    /// The moment where it was given.
    pub source: ClockReading,
    /// The same moment where it was asked for.
    pub target: ClockReading,
    /// How far the target's clock is ahead of the source's, such as `+5:30`.
    pub time_difference: String,
}

/// Why there is no time.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClockError {
    #[error("{0:?} is no time zone; use an IANA name such as Europe/Berlin, UTC, or an offset such as +02:00")]
    Zone(String),
    #[error("{0:?} is no time; use HH:MM, YYYY-MM-DD HH:MM, or RFC 3339 such as 2026-03-01T09:30:00+01:00")]
    Time(String),
    #[error("the time is outside the years that can be calculated")]
    Range,
}

/// What the clock in `timezone` (UTC when there is none) shows at `now`.
pub fn current_time(timezone: Option<&str>, now: Timestamp) -> Result<ClockReading, ClockError> {
    let zone = zone(timezone.unwrap_or("UTC"))?;
    Ok(reading(&now.to_zoned(zone)))
}

/// The moment `time` in `from` (UTC when there is none) as the clock in `to` shows it. A time without a
/// date is on the day that it is in `from` at `now`; a time with an offset needs no `from`.
pub fn convert_time(time: &str, from: Option<&str>, to: &str, now: Timestamp) -> Result<Conversion, ClockError> {
    let from = zone(from.unwrap_or("UTC"))?;
    let to = zone(to)?;
    let source = moment(time, &from, now)?;
    let target = source.with_time_zone(to);
    let ahead_seconds = target.offset().seconds() - source.offset().seconds();
    Ok(Conversion { source: reading(&source), target: reading(&target), time_difference: difference(ahead_seconds) })
}

fn zone(name: &str) -> Result<TimeZone, ClockError> {
    let unknown = || ClockError::Zone(excerpt(name));
    let wanted = name.trim();
    if wanted.is_empty() || wanted.len() > MAX_TEXT_BYTES {
        return Err(unknown());
    }
    // People write UTC+2 and GMT-3:30; the parser knows the offset alone.
    let offset = wanted.strip_prefix("UTC").or_else(|| wanted.strip_prefix("GMT")).filter(|rest| !rest.is_empty());
    match (wanted, offset) {
        ("Z" | "z", _) => Ok(TimeZone::UTC),
        (_, Some(offset)) => PARSER.parse_time_zone(padded(offset.trim())).map_err(|_| unknown()),
        (_, None) => PARSER.parse_time_zone(wanted).map_err(|_| unknown()),
    }
}

/// `+2` and `-3:30` with two digits for the hour, as the parser wants them.
fn padded(offset: &str) -> String {
    let digits = offset.trim_start_matches(['+', '-']);
    let hour_digits = digits.split(':').next().unwrap_or_default().len();
    match offset.strip_suffix(digits) {
        Some(sign) if hour_digits == 1 => format!("{sign}0{digits}"),
        _ => offset.to_owned(),
    }
}

fn moment(text: &str, zone: &TimeZone, now: Timestamp) -> Result<Zoned, ClockError> {
    let wanted = text.trim();
    if wanted.len() > MAX_TEXT_BYTES {
        return Err(ClockError::Time(excerpt(text)));
    }
    if let Ok(instant) = wanted.parse::<Timestamp>() {
        return Ok(instant.to_zoned(zone.clone()));
    }
    let today = || now.to_zoned(zone.clone()).date();
    let civil = match (wanted.parse::<Time>(), wanted.parse::<DateTime>(), wanted.parse::<Date>()) {
        (Ok(time), _, _) if !wanted.contains('-') => today().to_datetime(time),
        (_, Ok(datetime), _) => datetime,
        (_, _, Ok(date)) => date.to_datetime(Time::midnight()),
        _ => return Err(ClockError::Time(excerpt(text))),
    };
    civil.to_zoned(zone.clone()).map_err(|_| ClockError::Range)
}

fn reading(moment: &Zoned) -> ClockReading {
    let timezone = match moment.time_zone().iana_name() {
        Some(name) => name.to_owned(),
        None => moment.strftime("%:z").to_string(),
    };
    ClockReading {
        timezone,
        datetime: moment.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        day_of_week: moment.strftime("%A").to_string(),
        is_dst: moment.time_zone().to_offset_info(moment.timestamp()).dst().is_dst(),
    }
}

fn difference(ahead_seconds: i32) -> String {
    let sign = if ahead_seconds < 0 { '-' } else { '+' };
    let minutes = ahead_seconds.unsigned_abs() / 60;
    format!("{sign}{}:{:02}", minutes / 60, minutes % 60)
}

fn excerpt(text: &str) -> String {
    text.chars().take(MAX_TEXT_BYTES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-07-01T22:30:00Z".parse().unwrap()
    }

    #[test]
    fn current_time_knows_zones_and_offsets() {
        let cases = [
            (None, "UTC", "2026-07-01T22:30:00+00:00", "Wednesday", false),
            (Some("Z"), "UTC", "2026-07-01T22:30:00+00:00", "Wednesday", false),
            (Some("Europe/Berlin"), "Europe/Berlin", "2026-07-02T00:30:00+02:00", "Thursday", true),
            (Some("europe/berlin"), "Europe/Berlin", "2026-07-02T00:30:00+02:00", "Thursday", true),
            (Some("Asia/Kolkata"), "Asia/Kolkata", "2026-07-02T04:00:00+05:30", "Thursday", false),
            (Some("-05:00"), "-05:00", "2026-07-01T17:30:00-05:00", "Wednesday", false),
            (Some("UTC+2"), "+02:00", "2026-07-02T00:30:00+02:00", "Thursday", false),
            (Some("GMT-3:30"), "-03:30", "2026-07-01T19:00:00-03:30", "Wednesday", false),
        ];
        for (asked, timezone, datetime, day_of_week, is_dst) in cases {
            let expected = ClockReading {
                timezone: timezone.to_owned(),
                datetime: datetime.to_owned(),
                day_of_week: day_of_week.to_owned(),
                is_dst,
            };
            assert_eq!(current_time(asked, now()), Ok(expected), "{asked:?}");
        }
    }

    #[test]
    fn convert_time_takes_times_as_people_write_them() {
        let cases = [
            ("09:30", Some("Europe/Berlin"), "Asia/Tokyo", "2026-07-02T16:30:00+09:00", "+7:00"),
            ("09:30:15", None, "UTC", "2026-07-01T09:30:15+00:00", "+0:00"),
            ("2026-01-15 12:00", Some("America/New_York"), "Asia/Kolkata", "2026-01-15T22:30:00+05:30", "+10:30"),
            ("2026-01-15T12:00", Some("Asia/Kolkata"), "America/New_York", "2026-01-15T01:30:00-05:00", "-10:30"),
            ("2026-03-01T09:30:00+01:00", None, "America/Los_Angeles", "2026-03-01T00:30:00-08:00", "-8:00"),
            // The clocks of Berlin jump over this time; it counts as after the jump.
            ("2026-03-29 02:30", Some("Europe/Berlin"), "UTC", "2026-03-29T01:30:00+00:00", "-2:00"),
        ];
        for (time, from, to, expected, ahead) in cases {
            let conversion = convert_time(time, from, to, now()).unwrap();
            assert_eq!(conversion.target.datetime, expected, "{time} {from:?} {to}");
            assert_eq!(conversion.time_difference, ahead, "{time} {from:?} {to}");
        }
    }

    #[test]
    fn what_is_no_zone_or_time_is_named() {
        for zone in ["", "Mars/Base", "../../etc/passwd", "+25:99", "UTC+", "\0", "Ünter/Düsseldorf"] {
            assert_eq!(current_time(Some(zone), now()), Err(ClockError::Zone(zone.to_owned())), "{zone:?}");
        }
        let long = "x".repeat(10_000);
        assert_eq!(current_time(Some(&long), now()), Err(ClockError::Zone("x".repeat(100))));
        for time in ["", "25:00", "noon", "2026-13-01 10:00", "99999999-01-01"] {
            assert_eq!(convert_time(time, None, "UTC", now()), Err(ClockError::Time(time.to_owned())), "{time:?}");
        }
        assert!(convert_time("9999-12-31 23:59", Some("-12:00"), "+14:00", now()).is_err());
    }
}
