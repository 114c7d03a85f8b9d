//! Instants, in the forms that Microsoft sends and the one form that documents have.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};

use crate::digits;
use crate::text::Text;

/// 100 ns ticks since 1970-01-01T00:00:00Z: the resolution of Microsoft's timestamps.
pub type Ticks = i64;

/// Ticks of one millisecond.
pub const MILLISECOND: Ticks = 10_000;
const SECOND: Ticks = 10_000_000;
const DAY: Ticks = 86_400 * SECOND;

/// Ticks of a time in milliseconds.
pub fn from_millis(millis: i64) -> Ticks {
    millis.saturating_mul(MILLISECOND)
}

/// Milliseconds of ticks, cut and not rounded.
pub fn to_millis(ticks: Ticks) -> i64 {
    ticks.div_euclid(MILLISECOND)
}

/// Reads an ISO 8601 instant: `T` or a space between date and time, any number of fraction digits (more than seven
/// are cut), `Z`, an offset, or no zone, which means UTC. A date alone is its midnight.
pub fn parse(text: &str) -> Option<Ticks> {
    parse_utc(text).or_else(|| parse_any(text.trim()))
}

/// The common form, `YYYY-MM-DDThh:mm:ss[.fraction][Z]`, without the generality of a format parser.
fn parse_utc(text: &str) -> Option<Ticks> {
    let (date, rest) = text.as_bytes().split_first_chunk()?;
    let (clock, rest) = rest.split_first_chunk()?;
    let (&[b':', s1, s2], rest) = rest.split_first_chunk()? else { return None };
    let date = digits::read(*date, *b"0000-00-")?;
    let clock = digits::read(*clock, *b"00T00:00").or_else(|| digits::read(*clock, *b"00 00:00"))?;
    if !s1.is_ascii_digit() || !s2.is_ascii_digit() {
        return None;
    }
    let [y1, _, y2, _, _, month, ..] = digits::pair_values(date).map(u32::from);
    let [day, _, _, hour, _, _, minute, _] = digits::pair_values(clock).map(u32::from);
    let second = u32::from(s1 - b'0') * 10 + u32::from(s2 - b'0');
    let days = days_before(y1 * 100 + y2, month, day)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = i64::from(hour * 3600 + minute * 60 + second);
    Some(days * DAY + seconds * SECOND + fraction(rest)?)
}

/// What stands behind the seconds: a fraction, `Z`, both or nothing.
fn fraction(text: &[u8]) -> Option<Ticks> {
    // As Microsoft sends it, with seven digits.
    if let [b'.', digits @ ..] = text
        && let Ok(digits) = <[u8; 8]>::try_from(digits)
        && let Some(digits) = digits::read(digits, *b"0000000Z")
    {
        return i64::try_from(digits::of_eight(digits << 8)).ok();
    }
    match text.strip_suffix(b"Z").unwrap_or(text) {
        [] => Some(0),
        [b'.', digits @ ..] if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => {
            let seven = digits.iter().chain([b'0'; 7].iter()).take(7);
            Some(seven.fold(0, |ticks, digit| ticks * 10 + Ticks::from(digit - b'0')))
        }
        _ => None,
    }
}

/// Days from 1970-01-01 to a day of the Gregorian calendar; none where there is no such day (`days_from_civil`, as
/// [`civil`]).
fn days_before(year: u32, month: u32, day: u32) -> Option<i64> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let last = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if day == 0 || day > last {
        return None;
    }
    let (year, month) = if month > 2 { (year, month - 3) } else { (year.checked_add(399)?, month + 9) };
    let eras = i64::from(year / 400) - i64::from(month > 9);
    let year = year % 400;
    let days = year * 365 + year / 4 - year / 100 + (153 * month + 2) / 5 + day - 1;
    Some(eras * 146_097 + i64::from(days) - 719_468)
}

fn parse_any(text: &str) -> Option<Ticks> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return ticks(time.timestamp(), time.timestamp_subsec_nanos());
    }
    if let Ok(time) = DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z") {
        return ticks(time.timestamp(), time.timestamp_subsec_nanos());
    }
    for format in
        ["%Y-%m-%dT%H:%M:%S%.fZ", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%MZ", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S%.f"]
    {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, format) {
            return ticks(time.and_utc().timestamp(), time.and_utc().timestamp_subsec_nanos());
        }
    }
    let midnight = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_time(NaiveTime::MIN);
    ticks(midnight.and_utc().timestamp(), 0)
}

fn ticks(seconds: i64, nanos: u32) -> Option<Ticks> {
    seconds.checked_mul(SECOND)?.checked_add(Ticks::from(nanos / 100))
}

/// The instant in UTC with exactly three decimals, more are cut: `2022-11-08T08:41:56.595Z`.
pub fn format_millis(ticks: Ticks) -> String {
    let mut text = Text::with_capacity(24);
    write_millis(ticks, &mut text);
    text.into_string()
}

pub(crate) fn write_millis(ticks: Ticks, out: &mut Text) {
    let days = ticks.div_euclid(DAY);
    let millis = u32::try_from(ticks.rem_euclid(DAY) / MILLISECOND).unwrap_or_default();
    let (year, month, day) = civil(days);
    let (seconds, millis) = (millis / 1000, millis % 1000);
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    let (hours, minutes) = (minutes / 60, minutes % 60);
    let common = u32::try_from(year).ok().filter(|year| *year <= 9999);
    let short = common.unwrap_or_default();
    let date = u64::from_le_bytes(digits::pairs([short / 100, short % 100, month, day]));
    let clock = u64::from_le_bytes(digits::pairs([hours, minutes, seconds, millis / 10]));
    // Pairs of digits move to their places among the marks, in registers: `YYYYMMDD` and `hhmmssff`, and the last digit.
    let pair = |word: u64, index: u32| word >> (16 * index) & 0xFFFF;
    let first = u64::from_le_bytes(*b"\0\0\0\0-\0\0-") | date & 0xFFFF_FFFF | pair(date, 2) << 40;
    let second = u64::from_le_bytes(*b"\0\0T\0\0:\0\0") | pair(date, 3) | pair(clock, 0) << 24 | pair(clock, 1) << 48;
    let last = u64::from(millis % 10 + u32::from(b'0'));
    let third = u64::from_le_bytes(*b":\0\0.\0\0\0Z") | pair(clock, 2) << 8 | pair(clock, 3) << 32 | last << 48;
    match common {
        Some(_) => out.push_ascii(first.to_le_bytes()),
        None => {
            let [_, _, _, _, behind @ ..] = first.to_le_bytes();
            crate::write::push_display(out, format_args!("{year:+05}"));
            out.push_ascii(behind);
        }
    }
    out.push_ascii(second.to_le_bytes());
    out.push_ascii(third.to_le_bytes());
}

/// Year, month and day of a day since 1970-01-01 in the Gregorian calendar. Years begin in March here, so that the day that
/// some have more is their last (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`).
fn civil(days: i64) -> (i64, u32, u32) {
    const ERA: i64 = 146_097;
    let days = days + 719_468;
    let era = days.div_euclid(ERA);
    let day = u32::try_from(days.rem_euclid(ERA)).unwrap_or_default();
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (i64::from(year) + era * 400 + next, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_becomes_utc_milliseconds() {
        for (text, expected) in [
            ("2022-11-08T08:41:56.5951234Z", "2022-11-08T08:41:56.595Z"),
            ("2022-11-08T08:41:56.5959999Z", "2022-11-08T08:41:56.595Z"),
            ("2022-11-08T08:41:56Z", "2022-11-08T08:41:56.000Z"),
            ("2022-11-08T08:41:56.5Z", "2022-11-08T08:41:56.500Z"),
            ("2022-11-08T08:41:56.59", "2022-11-08T08:41:56.590Z"),
            ("2022-11-08T08:41:56.123456789Z", "2022-11-08T08:41:56.123Z"),
            ("2022-11-08 08:41:56.5951234", "2022-11-08T08:41:56.595Z"),
            ("2022-11-08T10:41:56.595+02:00", "2022-11-08T08:41:56.595Z"),
            ("2022-11-08T10:41:56+0200", "2022-11-08T08:41:56.000Z"),
            ("2022-11-08T08:41Z", "2022-11-08T08:41:00.000Z"),
            ("2022-11-08", "2022-11-08T00:00:00.000Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
            ("9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.999Z"),
            ("1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(parse(text).map(format_millis).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(format_millis(parse("9999-12-31T23:59:59Z").unwrap() + SECOND), "+10000-01-01T00:00:00.000Z");
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        for text in [
            "",
            "now",
            "2022-13-01T00:00:00Z",
            "2022-02-30T00:00:00Z",
            "2022-11-08T25:00:00Z",
            "2022-11-08T08:41:56.Z",
            "1667896916",
            "2022-11-08T08:41:56.12x4Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn ticks_keep_seven_digits() {
        assert_eq!(parse("1970-01-01T00:00:00.0000001Z"), Some(1));
        assert_eq!(parse("1970-01-01T00:00:01.0000000Z"), Some(10_000_000));
    }
}
