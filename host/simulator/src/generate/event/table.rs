//! The tables of the event stream.

use std::fmt;
use std::str::FromStr;

macro_rules! tables {
    ($($table:ident $weight:literal,)*) => {
        /// A table of advanced hunting that is streamed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "the names are Microsoft's")]
        pub enum Table {
            $($table,)*
        }

        impl Table {
            /// All of them.
            pub const ALL: [Self; [$(stringify!($table)),*].len()] = [$(Self::$table,)*];

            /// The name, such as `DeviceInfo`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$table => stringify!($table),)*
                }
            }

            /// How many of 1000 records are of this table: estimated from public accounts of what tenants stream.
            pub(super) fn weight(self) -> usize {
                match self {
                    $(Self::$table => $weight,)*
                }
            }
        }
    };
}

tables! {
    DeviceNetworkEvents 190,
    DeviceProcessEvents 170,
    DeviceFileEvents 150,
    DeviceImageLoadEvents 100,
    DeviceRegistryEvents 90,
    DeviceEvents 90,
    DeviceLogonEvents 38,
    DeviceInfo 8,
    DeviceNetworkInfo 6,
    DeviceFileCertificateInfo 8,
    EmailEvents 32,
    EmailUrlInfo 24,
    EmailAttachmentInfo 9,
    EmailPostDeliveryEvents 2,
    UrlClickEvents 4,
    IdentityLogonEvents 22,
    IdentityQueryEvents 6,
    IdentityDirectoryEvents 3,
    IdentityInfo 2,
    CloudAppEvents 24,
    CloudAuditEvents 3,
    CloudProcessEvents 4,
    CloudStorageAggregatedEvents 1,
    AlertInfo 1,
    AlertEvidence 3,
    BehaviorInfo 1,
    BehaviorEntities 2,
    MessageEvents 4,
    MessageUrlInfo 2,
    MessagePostDeliveryEvents 1,
}

impl Table {
    /// Whether it is about devices.
    #[must_use]
    pub fn is_device(self) -> bool {
        self.name().starts_with("Device")
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Table {
    type Err = String;

    /// Reads a name in any case.
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|table| table.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| format!("there is no table {text}; tables are {}", Self::ALL.map(Self::name).join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_parts_of_a_thousand_of_which_devices_have_850() {
        let sum = |is_counted: fn(&Table) -> bool| {
            Table::ALL.iter().filter(|table| is_counted(table)).map(|table| table.weight()).sum::<usize>()
        };
        assert_eq!(sum(|_| true), 1000);
        assert_eq!(sum(|table| table.is_device()), 850);
    }

    #[test]
    fn a_table_is_found_in_any_case() {
        assert_eq!("deviceINFO".parse(), Ok(Table::DeviceInfo));
        assert!("Device".parse::<Table>().unwrap_err().contains("CloudAppEvents"));
    }
}
