//! `DeviceFileEvents`.

use crate::generate::event::json::Object;
use crate::generate::event::process::{self, Process, fill};
use crate::generate::event::record::Record;
use crate::generate::event::software::Os;

const ACTIONS: [(u32, &str); 7] = [
    (52, "FileCreated"),
    (14, "FileModified"),
    (16, "FileRenamed"),
    (15, "FileDeleted"),
    (1, "FileCreatedAggregatedReport"),
    (1, "FileModifiedAggregatedReport"),
    (1, "FileRenamedAggregatedReport"),
];

/// Folder and name of files on Windows.
const WINDOWS: [[&str; 2]; 12] = [
    [r"C:\Users\{user}\AppData\Local\Microsoft\Edge\User Data\Default\Cache\Cache_Data", "f_{hex}"],
    [r"C:\Users\{user}\AppData\Local\Temp", "{guid}.tmp"],
    [r"C:\Users\{user}\AppData\Local\Temp\__PSScriptPolicyTest", "{hex}.ps1"],
    [r"C:\Users\{user}\OneDrive - Contoso\Finance\Übersichten", "Q3 – Umsätze {number}.xlsx"],
    [r"C:\Windows\Prefetch", "POWERSHELL.EXE-{hex}.pf"],
    [r"C:\Windows\SoftwareDistribution\Download\{hex}{hex}\inst", "amd64_microsoft-windows-{hex}.manifest"],
    [r"C:\Users\{user}\Downloads", "Invoice_{hex}.docm"],
    [r"C:\Users\{user}\Downloads", "Teams-setup ({hex}).exe"],
    [r"C:\ProgramData\Microsoft\Windows\Start Menu\Programs\StartUp", "OneNote {hex}.lnk"],
    [r"C:\inetpub\wwwroot\aspnet_client", "{hex}.aspx"],
    [r"\\fs01.corp.contoso.com\projects\{host}", "请求 {hex}.pdf"],
    [r"C:\Users\{user}\source\repos\portal\node_modules\.cache\{hex}", "index.{hex}.js"],
];

const MAC: [[&str; 2]; 4] = [
    ["/Users/{user}/Library/Caches/com.apple.Safari/fsCachedData", "{guid}"],
    ["/Users/{user}/Downloads", "setup {hex}.pkg"],
    ["/Users/{user}/Library/LaunchAgents", "com.contoso.{hex}.plist"],
    ["/private/var/folders/zz/{hex}/T", "tmp{hex}"],
];

const LINUX: [[&str; 2]; 4] = [
    ["/tmp", "tmp.{hex}"],
    ["/home/{user}/projects/portal/target/release/deps", "libportal-{hex}.rlib"],
    ["/var/lib/dpkg/info", "libssl3t64:amd64.{hex}.list"],
    ["/etc/cron.d", ".x{hex}"],
];

pub(super) fn write(record: &mut Record<'_>, row: &mut Object<'_>) {
    let Some(actor) = Process::acting(record) else { return };
    let device = record.device;
    let dice = &mut record.dice;
    let action = dice.weighted(&ACTIONS);
    let (separator, [folder, name]) = match device.os {
        Os::Windows => ('\\', dice.pick(&WINDOWS)),
        Os::Mac => ('/', dice.pick(&MAC)),
        Os::Linux => ('/', dice.pick(&LINUX)),
    };
    let mut path = String::with_capacity(160);
    fill(folder, device, dice, &mut path);
    let folder_length = path.len();
    path.push(separator);
    fill(name, device, dice, &mut path);
    let (folder, name) = path.split_at(folder_length);
    let name = name.get(1..).unwrap_or_default();
    let is_hashed = action != "FileDeleted" && dice.chance(0.8);
    let hashes = is_hashed.then(|| (dice.hex(40), dice.hex(64), dice.hex(32)));
    let size = (action != "FileDeleted").then(|| dice.between(0, 4_000_000));
    let is_download = folder.ends_with("Downloads");
    let label = dice.chance(0.03).then_some("Confidential");
    let (port, events) = (dice.between(49_152, 65_536), dice.between(2, 5000));
    let is_remote = folder.starts_with(r"\\") || dice.chance(0.02);
    record.write_event(row, action);
    row.set("FileName", name);
    row.set("FolderPath", &path);
    row.set("SHA1", hashes.as_ref().map(|hashes| &hashes.0));
    row.set("SHA256", hashes.as_ref().map(|hashes| &hashes.1));
    row.set("MD5", hashes.as_ref().map(|hashes| &hashes.2));
    row.set("FileSize", size);
    row.set("FileOriginUrl", is_download.then_some("https://cdn-updates.example.org/download?file=setup&v=2"));
    row.set("FileOriginReferrerUrl", is_download.then_some("https://docs-share.example.net/"));
    row.set("FileOriginIP", is_download.then_some("203.0.113.77"));
    let is_renamed = action.starts_with("FileRenamed");
    row.set("PreviousFolderPath", is_renamed.then_some(folder));
    if is_renamed {
        row.set("PreviousFileName", format_args!("~${name}.part"));
    } else {
        row.set("PreviousFileName", "");
    }
    let identity = device.identity(crate::generate::event::software::Account::User);
    row.set("RequestProtocol", if is_remote { "SMB" } else { "Local" });
    row.set("RequestSourceIP", is_remote.then_some("10.12.1.44"));
    row.set("RequestSourcePort", is_remote.then_some(port));
    row.set("RequestAccountName", is_remote.then_some(identity.name));
    row.set("RequestAccountDomain", is_remote.then_some(device.domain()));
    row.set("RequestAccountSid", if is_remote { identity.sid } else { None });
    row.set("ShareName", if is_remote { "projects$" } else { "" });
    row.set("SensitivityLabel", label);
    row.set("SensitivitySubLabel", label.map(|_| "All Employees"));
    row.set("IsAzureInfoProtectionApplied", label.is_some());
    process::write_common(record, &actor, row);
    if record.has_rare_columns {
        row.set("LogonID", actor.logon_id());
    }
    if action.ends_with("AggregatedReport") {
        row.object_text("AdditionalFields", |fields| fields.set("uniqueEventsAggregated", events));
    } else if device.os == Os::Windows {
        let kind = if is_download { "PortableExecutable" } else { "Unknown" };
        row.object_text("AdditionalFields", |fields| fields.set("FileType", kind));
    } else {
        row.object_text("AdditionalFields", |fields| actor.write_posix(fields, "InitiatingProcess"));
    }
}
