//! `DeviceProcessEvents`.

use crate::generate::event::json::{Object, Time};
use crate::generate::event::process::{self, Process};
use crate::generate::event::record::Record;
use crate::generate::event::software::{Os, Program};

pub(super) fn write(record: &mut Record<'_>, row: &mut Object<'_>) {
    let Some(created) = Process::created(record, record.position) else { return };
    let Some(actor) = Process::of(record, created.parent.origin) else { return };
    let action = if record.dice.chance(0.01) { "ProcessCreatedAggregatedReport" } else { "ProcessCreated" };
    record.timestamp = record.timestamp.max(created.created);
    record.write_event(row, action);
    write_created(&created, row);
    process::write_common(record, &actor, row);
    if record.has_rare_columns {
        row.set("LogonID", actor.logon_id());
    }
    row.set("InitiatingProcessLogonId", actor.logon_id());
    let (signer, status) = signature(actor.program);
    row.set("InitiatingProcessSignerType", signer);
    row.set("InitiatingProcessSignatureStatus", status);
    if created.device.os == Os::Windows {
        if action == "ProcessCreated" {
            row.set("AdditionalFields", (record.dice.chance(0.5)).then_some("{}"));
        } else {
            let events = record.dice.between(2, 900);
            row.object_text("AdditionalFields", |fields| fields.set("uniqueEventsAggregated", events));
        }
    } else {
        row.object_text("AdditionalFields", |fields| {
            actor.write_posix(fields, "InitiatingProcess");
            created.write_posix(fields, "Process");
            fields.object("ProcessPosixFileUserOwner", |fields| {
                fields.set("Name", "root");
                fields.set("PosixUserId", 0);
            });
        });
    }
}

fn write_created(created: &Process<'_>, row: &mut Object<'_>) {
    let (code, identity) = (&created.program.code, created.identity());
    row.set("FileName", code.name);
    row.set("FolderPath", &code.path);
    row.set("SHA1", &code.sha1);
    row.set("SHA256", &code.sha256);
    row.set("MD5", &code.md5);
    row.set("FileSize", code.size);
    created.write_version(
        row,
        [
            "ProcessVersionInfoCompanyName",
            "ProcessVersionInfoProductName",
            "ProcessVersionInfoProductVersion",
            "ProcessVersionInfoInternalFileName",
            "ProcessVersionInfoOriginalFileName",
            "ProcessVersionInfoFileDescription",
        ],
    );
    row.set("ProcessId", created.pid);
    row.set("ProcessCommandLine", &created.command_line);
    let (level, elevation) = created.token();
    row.set("ProcessIntegrityLevel", level);
    row.set("ProcessTokenElevation", elevation);
    row.set("ProcessCreationTime", Time(created.created));
    row.set("AccountDomain", identity.domain);
    row.set("AccountName", identity.name);
    row.set("AccountSid", identity.sid);
    row.set("AccountUpn", identity.upn);
    row.set("AccountObjectId", identity.object_id);
    row.set("LogonId", created.logon_id());
    created.write_session(
        row,
        [
            "CreatedProcessSessionId",
            "IsProcessRemoteSession",
            "ProcessRemoteSessionDeviceName",
            "ProcessRemoteSessionIP",
        ],
    );
    row.set("ProcessUniqueId", created.unique_id());
}

/// Kind of signer, and state of the signature.
fn signature(program: &Program) -> (&'static str, &'static str) {
    let maker = program.code.maker;
    match maker.signer {
        Some(_) if maker.product.starts_with("Microsoft® Windows®") => ("OsVendor", "Valid"),
        Some(_) => ("Unknown", "Valid"),
        None => ("Unknown", "Unknown"),
    }
}
