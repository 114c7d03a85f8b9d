//! `DeviceLogonEvents`.

use crate::generate::event::json::Object;
use crate::generate::event::process::{self, Process};
use crate::generate::event::record::Record;
use crate::generate::event::software::{Account, Os};

/// Kind of logon, and whether it is from elsewhere.
const KINDS: [(u32, (&str, bool)); 10] = [
    (40, ("Network", true)),
    (14, ("Interactive", false)),
    (8, ("Unlock", false)),
    (6, ("CachedInteractive", false)),
    (6, ("RemoteInteractive", true)),
    (8, ("Service", false)),
    (6, ("Batch", false)),
    (3, ("NewCredentials", false)),
    (3, ("Local", false)),
    (2, ("Unknown", false)),
];

const PROTOCOLS: [&str; 4] = ["Negotiate", "NTLM", "Kerberos", "MICROSOFT_AUTHENTICATION_PACKAGE_V1_0"];

pub(super) fn write(record: &mut Record<'_>, row: &mut Object<'_>) {
    let Some(actor) = Process::acting(record) else { return };
    let device = record.device;
    let is_windows = device.os == Os::Windows;
    let dice = &mut record.dice;
    let action = dice.weighted(&[
        (70, "LogonSuccess"),
        (20, "LogonFailed"),
        (8, "LogonAttempted"),
        (1, "LogonSuccessAggregatedReport"),
        (1, "LogonFailedAggregatedReport"),
    ]);
    let (kind, is_remote) = dice.weighted(&KINDS);
    let account = dice.pick(&[Account::User, Account::User, Account::User, Account::System, Account::LocalService]);
    let protocol = dice.pick(&PROTOCOLS);
    let reason = dice.pick(&["InvalidUserNameOrPassword", "LogonServerUnavailable", "AccountLockedOut"]);
    let (third, fourth) = (dice.below(4), dice.between(10, 250));
    let port = dice.between(49_152, 65_536);
    let (is_admin, logon_id) = (dice.chance(0.2), dice.between(100_000, 90_000_000));
    let has_protocol = is_windows && dice.chance(0.9);
    let events = dice.between(2, 700);
    let is_failed = action.starts_with("LogonFailed");
    let identity = device.identity(account);
    record.write_event(row, action);
    row.set("LogonType", kind);
    row.set("AccountDomain", identity.domain);
    row.set("AccountName", identity.name);
    row.set("AccountSid", identity.sid);
    row.set("Protocol", has_protocol.then_some(protocol));
    row.set("FailureReason", if is_failed { Some(reason) } else { None });
    row.set("IsLocalAdmin", (is_windows && !is_failed).then_some(is_admin));
    row.set("LogonId", (!is_failed).then_some(logon_id));
    if is_remote {
        row.set("RemoteDeviceName", format_args!("lt-{:04}", logon_id % 400));
        row.set("RemoteIP", format_args!("10.{}.{third}.{fourth}", third + 20));
        row.set("RemoteIPType", "Private");
        row.set("RemotePort", port);
    } else {
        row.set("RemoteDeviceName", "");
        row.set("RemoteIP", if kind == "CachedInteractive" { Some("127.0.0.1") } else { None });
        row.set("RemoteIPType", if kind == "CachedInteractive" { Some("Loopback") } else { None });
        row.set("RemotePort", (kind == "CachedInteractive").then_some(0));
    }
    process::write_common(record, &actor, row);
    row.object_text("AdditionalFields", |fields| {
        if action.ends_with("AggregatedReport") {
            return fields.set("uniqueEventsAggregated", events);
        }
        fields.set("IsLocalLogon", !is_remote);
        if !is_windows {
            let (name, group, id) = actor.posix_user();
            fields.set("InitiatingAccountName", name);
            fields.set("InitiatingAccountDomain", &device.name);
            fields.set("InitiatingAccountPosixUserId", id);
            fields.set("InitiatingAccountPosixGroupName", group);
            fields.set("InitiatingAccountPosixGroupId", id);
            fields.set("PosixUserId", 1000);
            fields.set("PosixPrimaryGroupName", "users");
            fields.set("PosixPrimaryGroupId", 1000);
            fields.objects("PosixSecondaryGroups", 2, |index, group| {
                group.set("Name", if index == 0 { "sudo" } else { "docker" });
                group.set("PosixGroupId", 27 + index);
            });
        } else if account == Account::User {
            fields.set("Upn", &device.user.upn);
        }
    });
}
