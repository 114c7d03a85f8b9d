//! `DeviceEvents`: which columns are filled depends on the action.

use super::action::{ACTIONS, Subject, UNIX_ACTIONS, write_fields};
use crate::generate::event::json::{Object, Time};
use crate::generate::event::process::{Process, fill};
use crate::generate::event::record::Record;
use crate::generate::event::software::{Account, Os};

const SESSION: [&str; 4] =
    ["CreatedProcessSessionId", "IsProcessRemoteSession", "ProcessRemoteSessionDeviceName", "ProcessRemoteSessionIP"];

pub(super) fn write(record: &mut Record<'_>, row: &mut Object<'_>) {
    let Some(actor) = Process::acting(record) else { return };
    let slot = record.dice.below(record.device.residents.len());
    let Some(target) = Process::resident(record.device, slot) else { return };
    let (action, subject) = match record.device.os {
        Os::Windows => record.dice.weighted(&ACTIONS),
        _ => record.dice.weighted(&UNIX_ACTIONS),
    };
    record.write_event(row, action);
    write_file(record, row, subject, &target);
    write_process(row, subject, &target);
    write_account(record, row, subject, &target);
    write_registry(record, row, subject);
    write_network(record, row, subject);
    actor.write_as_actor(row);
    row.set("InitiatingProcessLogonId", actor.logon_id());
    let is_contained = action.starts_with("AppGuard");
    row.set("AppGuardContainerId", if is_contained { record.dice.guid() } else { String::new() });
    write_fields(record, row, action, &actor, &target);
}

fn write_file(record: &mut Record<'_>, row: &mut Object<'_>, subject: Subject, target: &Process<'_>) {
    let (device, dice) = (record.device, &mut record.dice);
    let is_download = subject == Subject::File && dice.chance(0.2);
    row.set("FileOriginUrl", is_download.then_some("https://docs-share.example.net/get?id=1&t=<x>"));
    row.set("FileOriginIP", is_download.then_some("198.51.100.23"));
    match subject {
        Subject::Process | Subject::Driver => {
            let code = &target.program.code;
            row.set("FileName", code.name);
            // Here it is the folder alone, as API calls are reported.
            row.set("FolderPath", code.path.strip_suffix(code.name).map(|folder| folder.trim_end_matches(['\\', '/'])));
            row.set("SHA1", &code.sha1);
            row.nulls(["SHA256"]);
            row.set("MD5", &code.md5);
            row.set("FileSize", code.size);
        }
        Subject::File => {
            let (folder, name) = match device.os {
                Os::Windows => (r"C:\Users\{user}\Desktop\tools\", "mimikatz {hex}.exe:payload"),
                Os::Mac => ("/Users/{user}/Library/LaunchAgents/", "com.contoso.{hex}.plist"),
                Os::Linux => ("/tmp/.x/", "{hex}.so"),
            };
            let mut path = String::new();
            fill(folder, device, dice, &mut path);
            let length = path.len();
            fill(name, device, dice, &mut path);
            row.set("FileName", path.get(length..));
            row.set("FolderPath", &path);
            row.set("SHA1", dice.hex(40));
            row.set("SHA256", dice.hex(64));
            row.set("MD5", dice.hex(32));
            row.set("FileSize", dice.between(200, 9_000_000));
        }
        _ => row.nulls(["FileName", "FolderPath", "SHA1", "SHA256", "MD5", "FileSize"]),
    }
}

fn write_process(row: &mut Object<'_>, subject: Subject, target: &Process<'_>) {
    if subject != Subject::Process {
        row.nulls(SESSION);
        return row.nulls([
            "ProcessId",
            "ProcessCommandLine",
            "ProcessCreationTime",
            "ProcessTokenElevation",
            "LogonId",
        ]);
    }
    row.set("ProcessId", target.pid);
    row.set("ProcessCommandLine", &target.command_line);
    row.set("ProcessCreationTime", Time(target.created));
    row.set("ProcessTokenElevation", target.token().1);
    row.set("LogonId", target.logon_id());
    target.write_session(row, SESSION);
}

fn write_account(record: &Record<'_>, row: &mut Object<'_>, subject: Subject, target: &Process<'_>) {
    let identity = match subject {
        Subject::Process => target.identity(),
        Subject::Account => record.device.identity(Account::User),
        _ => return row.nulls(["AccountDomain", "AccountName", "AccountSid"]),
    };
    row.set("AccountDomain", identity.domain);
    row.set("AccountName", identity.name);
    row.set("AccountSid", identity.sid);
}

fn write_registry(record: &Record<'_>, row: &mut Object<'_>, subject: Subject) {
    if subject != Subject::Registry {
        return row.nulls(["RegistryKey", "RegistryValueName", "RegistryValueData"]);
    }
    row.set("RegistryKey", r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows Defender\Real-Time Protection");
    row.set("RegistryValueName", "DisableRealtimeMonitoring");
    row.set("RegistryValueData", format_args!("{}", record.index % 2));
}

fn write_network(record: &mut Record<'_>, row: &mut Object<'_>, subject: Subject) {
    let (device, dice) = (record.device, &mut record.dice);
    let address = (dice.below(60), dice.between(10, 250));
    let ports = (dice.between(49_152, 65_536), dice.pick(&[445, 3389, 5985, 443]));
    row.set(
        "RemoteUrl",
        match subject {
            Subject::Url => Some("https://login-contoso.example/signin?user=a+b&next=%2F"),
            Subject::Network => Some("fs01.corp.contoso.com"),
            _ => None,
        },
    );
    if subject != Subject::Network {
        return row.nulls(["RemoteDeviceName", "RemoteIP", "RemotePort", "LocalIP", "LocalPort"]);
    }
    row.set("RemoteDeviceName", "fs01");
    row.set("RemoteIP", format_args!("10.{}.0.{}", address.0, address.1));
    row.set("RemotePort", ports.1);
    row.set("LocalIP", device.ip());
    row.set("LocalPort", ports.0);
}
