//! Tables about devices.

mod file;
mod network;
mod process;

use super::json::Object;
use super::record::Record;
use super::table::Table;

/// Appends the columns of a record.
pub(super) fn write(record: &mut Record<'_>, row: &mut Object<'_>) {
    match record.table {
        Table::DeviceProcessEvents => process::write(record, row),
        Table::DeviceNetworkEvents => network::write(record, row),
        Table::DeviceFileEvents => file::write(record, row),
        _ => record.write_device(row),
    }
}
