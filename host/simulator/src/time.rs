//! Times as Graph has them: 100 ns ticks, here since 1970-01-01T00:00:00Z.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Datelike, Timelike, Utc};

/// 100 ns since 1970-01-01T00:00:00Z.
pub(crate) type Ticks = i64;

/// Ticks of a second.
pub(crate) const SECOND: Ticks = 10_000_000;
/// Ticks of an hour.
pub(crate) const HOUR: Ticks = 3600 * SECOND;
/// Ticks of a day.
pub(crate) const DAY: Ticks = 24 * HOUR;

/// The present.
pub(crate) fn now() -> Ticks {
    from_utc(SystemTime::now().into())
}

/// A time in ticks; what is finer is cut.
pub(crate) fn from_utc(time: DateTime<Utc>) -> Ticks {
    time.timestamp().saturating_mul(SECOND).saturating_add(i64::from(time.timestamp_subsec_nanos() / 100))
}

/// A length of time in ticks.
pub(crate) fn from_duration(duration: Duration) -> Ticks {
    Ticks::try_from(duration.as_nanos() / 100).unwrap_or(Ticks::MAX)
}

/// A time as Graph writes it: up to seven digits of the second, without zeros at the end.
pub(crate) fn text(ticks: Ticks) -> String {
    let mut text = String::with_capacity(28);
    write(ticks, &mut text);
    text
}

/// Appends a time as [`text`] has it.
pub(crate) fn write(ticks: Ticks, text: &mut String) {
    let time = DateTime::from_timestamp(ticks.div_euclid(SECOND), 0).unwrap_or_default();
    write_digits(time.year().unsigned_abs(), 4, text);
    for (separator, part) in
        [('-', time.month()), ('-', time.day()), ('T', time.hour()), (':', time.minute()), (':', time.second())]
    {
        text.push(separator);
        write_digits(part, 2, text);
    }
    let (mut fraction, mut digits) = (u32::try_from(ticks.rem_euclid(SECOND)).unwrap_or_default(), 7);
    if fraction > 0 {
        while fraction.is_multiple_of(10) {
            (fraction, digits) = (fraction / 10, digits - 1);
        }
        text.push('.');
        write_digits(fraction, digits, text);
    }
    text.push('Z');
}

fn write_digits(number: u32, digits: u32, text: &mut String) {
    for place in (0..digits).rev() {
        text.push(char::from_digit(number / 10_u32.pow(place) % 10, 10).unwrap_or('0'));
    }
}

/// A time in a filter. None: it is none.
pub(crate) fn parse(text: &str) -> Option<Ticks> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| from_utc(time.to_utc()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tick_survives() {
        for (ticks, expected) in [
            (17_000_000_001_234_567, "2023-11-14T22:13:20.1234567Z"),
            (17_000_000_001_200_000, "2023-11-14T22:13:20.12Z"),
            (17_000_000_000_000_000, "2023-11-14T22:13:20Z"),
        ] {
            assert_eq!(text(ticks), expected);
            assert_eq!(parse(expected), Some(ticks));
        }
        assert_eq!(parse("2023-11-14T23:13:20+01:00"), Some(17_000_000_000_000_000));
        assert_eq!(parse("yesterday"), None);
    }
}
