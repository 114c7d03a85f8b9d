//! `DeviceImageLoadEvents`.

use crate::generate::event::json::Object;
use crate::generate::event::process::{self, Process};
use crate::generate::event::record::Record;

pub(super) fn write(record: &mut Record<'_>, row: &mut Object<'_>) {
    let Some(actor) = Process::acting(record) else { return };
    // Where no libraries are listed, what is loaded is the program itself.
    let image = record.dice.among(&record.device.software.libraries).unwrap_or(&actor.program.code);
    record.write_event(row, "ImageLoaded");
    row.set("FileName", image.name);
    row.set("FolderPath", &image.path);
    row.set("SHA1", &image.sha1);
    row.set("SHA256", record.dice.chance(0.8).then_some(&image.sha256));
    row.set("MD5", &image.md5);
    row.set("FileSize", image.size);
    process::write_common(record, &actor, row);
}
