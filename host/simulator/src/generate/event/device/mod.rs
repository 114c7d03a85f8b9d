//! Tables about devices.

mod action;
mod event;
mod file;
mod image_load;
mod info;
mod logon;
mod network;
mod process;
mod registry;

use super::json::Object;
use super::record::Record;
use super::table::Table;

/// Appends the columns of a record.
pub(super) fn write(record: &mut Record<'_>, row: &mut Object<'_>) {
    match record.table {
        Table::DeviceEvents => event::write(record, row),
        Table::DeviceFileCertificateInfo => info::write_certificate(record, row),
        Table::DeviceFileEvents => file::write(record, row),
        Table::DeviceImageLoadEvents => image_load::write(record, row),
        Table::DeviceInfo => info::write_device(record, row),
        Table::DeviceLogonEvents => logon::write(record, row),
        Table::DeviceNetworkEvents => network::write(record, row),
        Table::DeviceNetworkInfo => info::write_adapter(record, row),
        Table::DeviceProcessEvents => process::write(record, row),
        _ => registry::write(record, row),
    }
}
