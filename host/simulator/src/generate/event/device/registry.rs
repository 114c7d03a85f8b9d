//! `DeviceRegistryEvents`.

use crate::generate::event::json::Object;
use crate::generate::event::process::{self, Process, fill};
use crate::generate::event::record::Record;

/// Action, key, value name, type, data. `{sid}` is the user's.
const CHANGES: [(u32, [&str; 5]); 16] = [
    (
        30,
        [
            "RegistryValueSet",
            r"HKEY_CURRENT_USER\{sid}\SOFTWARE\Microsoft\Windows\CurrentVersion\Explorer\FeatureUsage\AppSwitched",
            r"{guid}\cmd.exe",
            "Dword",
            "7",
        ],
    ),
    (
        24,
        [
            "RegistryValueSet",
            r"HKEY_LOCAL_MACHINE\SYSTEM\ControlSet001\Services\bam\State\UserSettings\{sid}",
            r"\Device\HarddiskVolume3\Windows\explorer.exe",
            "Binary",
            "0x5f{hex}{hex}da0100000000",
        ],
    ),
    (
        16,
        [
            "RegistryValueSet",
            r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows Advanced Threat Protection",
            "CrashHeartbeat",
            "Qword",
            "1333{number}00",
        ],
    ),
    (
        10,
        [
            "RegistryValueSet",
            r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Schedule\TaskCache\Tasks\{{guid}}",
            "DynamicInfo",
            "Binary",
            "0x0300{hex}{hex}{hex}",
        ],
    ),
    (
        8,
        [
            "RegistryKeyCreated",
            r"HKEY_CURRENT_USER\{sid}\SOFTWARE\Classes\Local Settings\MuiCache\{hex}",
            "",
            "None",
            "",
        ],
    ),
    (
        8,
        [
            "RegistryKeyDeleted",
            r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows\CurrentVersion\Authentication\LogonUI\SessionData\{number}",
            "",
            "None",
            "",
        ],
    ),
    (
        7,
        [
            "RegistryValueDeleted",
            r"HKEY_USERS\{sid}\SOFTWARE\Microsoft\Windows\CurrentVersion\RunOnce",
            "OneDrive {hex}",
            "String",
            r#""C:\Users\{user}\AppData\Local\Microsoft\OneDrive\OneDriveSetup.exe" /silent"#,
        ],
    ),
    (2, ["RegistryKeyRenamed", r"HKEY_LOCAL_MACHINE\SOFTWARE\Contoso\Agent\{hex}", "", "None", ""]),
    (
        8,
        [
            "RegistryValueSet",
            r"HKEY_CURRENT_USER\{sid}\SOFTWARE\Microsoft\Windows\CurrentVersion\Run",
            "OfficeUpdate",
            "String",
            r"C:\Users\{user}\AppData\Roaming\updater.exe",
        ],
    ),
    (
        3,
        [
            "RegistryValueSet",
            r"HKEY_LOCAL_MACHINE\SYSTEM\ControlSet001\Services\updsvc",
            "ImagePath",
            "ExpandString",
            r"%ProgramData%\Updater\updater.exe -s",
        ],
    ),
    (
        3,
        [
            "RegistryValueSet",
            r"HKEY_LOCAL_MACHINE\SYSTEM\ControlSet001\Control\Session Manager",
            "PendingFileRenameOperations",
            "MultiString",
            r"\??\C:\Windows\Temp\{hex}.tmp \??\C:\Windows\Temp\ünïcode",
        ],
    ),
    (
        2,
        [
            "RegistryValueSet",
            r"HKEY_LOCAL_MACHINE\SOFTWARE\Policies\Microsoft\Windows Defender",
            "DisableAntiSpyware",
            "Dword",
            "1",
        ],
    ),
    (
        2,
        [
            "RegistryValueSet",
            r"HKEY_CLASSES_ROOT\ms-settings\Shell\Open\command",
            "",
            "String",
            "cmd.exe /c \"start {hex}\"",
        ],
    ),
    (
        1,
        [
            "RegistryValueSet",
            r"HKEY_LOCAL_MACHINE\SYSTEM\ControlSet001\Control\SecurityProviders\WDigest",
            "UseLogonCredential",
            "Dword",
            "1",
        ],
    ),
    (
        1,
        [
            "RegistryValueSet",
            r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Image File Execution Options\sethc.exe",
            "Debugger",
            "String",
            r"C:\Windows\System32\cmd.exe",
        ],
    ),
    (
        1,
        [
            "RegistryValueSet",
            r"HKEY_CURRENT_CONFIG\System\CurrentControlSet\Control\VIDEO\{{guid}}\0000",
            "DefaultSettings.XResolution",
            "Dword",
            "2560",
        ],
    ),
];

pub(super) fn write(record: &mut Record<'_>, row: &mut Object<'_>) {
    let Some(actor) = Process::acting(record) else { return };
    let device = record.device;
    let dice = &mut record.dice;
    let [action, key, name, kind, data] = dice.weighted(&CHANGES);
    let (mut filled, mut value_name, mut value_data) = (String::new(), String::new(), String::new());
    fill(key, device, dice, &mut filled);
    fill(name, device, dice, &mut value_name);
    fill(data, device, dice, &mut value_data);
    let key = filled.replace("{sid}", &device.user.sid);
    let is_deleted = action.ends_with("Deleted");
    let previous = dice.chance(0.4).then(|| dice.digits(9));
    record.write_event(row, action);
    if is_deleted {
        row.set("RegistryKey", "");
        row.nulls(["RegistryValueType", "RegistryValueName", "RegistryValueData"]);
        row.set("PreviousRegistryKey", &key);
        row.set("PreviousRegistryValueName", &value_name);
        row.set("PreviousRegistryValueData", &value_data);
    } else {
        row.set("RegistryKey", &key);
        row.set("RegistryValueType", kind);
        row.set("RegistryValueName", &value_name);
        row.set("RegistryValueData", &value_data);
        if action == "RegistryKeyRenamed" {
            row.set("PreviousRegistryKey", format_args!("{key}.old"));
        } else {
            row.set("PreviousRegistryKey", previous.as_ref().map(|_| &key));
        }
        row.set("PreviousRegistryValueName", previous.as_ref().map(|_| &value_name));
        row.set("PreviousRegistryValueData", previous);
    }
    process::write_common(record, &actor, row);
}
