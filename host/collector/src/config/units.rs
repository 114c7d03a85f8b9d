//! Values that are written with a unit. Each type says how a number is read, shown and described, for use as
//! `#[serde(with = "units::Time")]`.

use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// Durations: `300ms`, `5m`, `24h`, `1h30m`.
pub(crate) struct Time;

/// Sizes in bytes: `64MiB`, `10mb`, or a plain number.
pub(crate) struct Bytes;

/// Permissions of a file, octal: `0600`.
pub(crate) struct Permissions;

impl Time {
    /// What is wanted.
    pub(crate) const WANTED: &str = "a duration with its unit, such as 300ms, 5m, 24h or 1h30m";

    pub(crate) fn parse(text: &str) -> Option<Duration> {
        humantime::parse_duration(text).ok()
    }

    pub(crate) fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        // humantime would write 24h as 1day, which nobody writes into such a file.
        let (seconds, millis) = (time.as_secs(), time.subsec_millis());
        serializer.collect_str(&match seconds {
            _ if millis > 0 => format!("{}ms", time.as_millis()),
            0 => "0s".to_owned(),
            _ if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
            _ if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
            _ => format!("{seconds}s"),
        })
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).ok_or_else(|| D::Error::custom(Self::WANTED))
    }
}

impl Bytes {
    /// What is wanted.
    pub(crate) const WANTED: &str = "a size above 0, such as 64MiB, 10mb or a number of bytes";

    pub(crate) fn parse(text: &str) -> Option<usize> {
        let bytes: bytesize::ByteSize = text.trim().parse().ok()?;
        usize::try_from(bytes.as_u64()).ok().filter(|bytes| *bytes > 0)
    }

    pub(crate) fn serialize<S: Serializer>(bytes: &usize, serializer: S) -> Result<S::Ok, S::Error> {
        let text = bytesize::ByteSize(*bytes as u64).display().iec().to_string();
        serializer.serialize_str(&text.replace(".0", "").replace(' ', ""))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).ok_or_else(|| D::Error::custom(Self::WANTED))
    }
}

impl Permissions {
    /// What is wanted.
    pub(crate) const WANTED: &str = "octal permissions, such as 0600";

    pub(crate) fn parse(text: &str) -> Option<u32> {
        let octal = text.strip_prefix("0o").unwrap_or(text);
        u32::from_str_radix(octal, 8).ok().filter(|mode| *mode <= 0o777)
    }

    pub(crate) fn serialize<S: Serializer>(mode: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("0{mode:o}"))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).ok_or_else(|| D::Error::custom(Self::WANTED))
    }
}

macro_rules! text_of_format {
    ($($unit:ident: $format:literal),*) => {$(
        impl JsonSchema for $unit {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $format.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "format": $format })
            }
        }
    )*};
}

text_of_format!(Time: "duration", Bytes: "size", Permissions: "permissions");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        for (text, millis) in [("300ms", 300), ("5m", 300_000), ("24h", 86_400_000), ("1h30m", 5_400_000), ("0s", 0)] {
            assert_eq!(Time::parse(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["5", "", "m", "-5m", "5 parsecs"] {
            assert_eq!(Time::parse(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_decimal_or_binary() {
        for (text, bytes) in [("64MiB", 64 << 20), ("10mb", 10_000_000), ("10 MB", 10_000_000), ("512", 512)] {
            assert_eq!(Bytes::parse(text), Some(bytes), "{text}");
        }
        for text in ["", "0", "-1", "64 MiBs", "much"] {
            assert_eq!(Bytes::parse(text), None, "{text}");
        }
    }

    #[test]
    fn permissions_are_octal() {
        assert_eq!(Permissions::parse("0600"), Some(0o600));
        assert_eq!(Permissions::parse("0o640"), Some(0o640));
        assert_eq!(Permissions::parse("0800"), None);
        assert_eq!(Permissions::parse("1777"), None);
    }

    #[test]
    fn what_is_shown_is_read_again() {
        for millis in [0, 300, 1_500, 30_000, 300_000, 86_400_000] {
            let time = Duration::from_millis(millis);
            let shown = Time::serialize(&time, serde_json::value::Serializer).unwrap();
            assert_eq!(Time::parse(shown.as_str().unwrap()), Some(time));
        }
        assert_eq!(Time::serialize(&Duration::from_secs(86_400), serde_json::value::Serializer).unwrap(), "24h");
        assert_eq!(Bytes::serialize(&(64 << 20), serde_json::value::Serializer).unwrap(), "64MiB");
        assert_eq!(Permissions::serialize(&0o600, serde_json::value::Serializer).unwrap(), "0600");
    }
}
