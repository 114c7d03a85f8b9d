//! The actions of `DeviceEvents`, and what they carry in `AdditionalFields`.

use crate::generate::event::json::{Object, Time};
use crate::generate::event::process::Process;
use crate::generate::event::record::Record;
use crate::generate::event::software::Os;

/// What an event is about, besides the process that acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Nothing,
    Process,
    Driver,
    File,
    Account,
    Registry,
    Network,
    Url,
}

use Subject::{Account, Driver, File, Network, Nothing, Registry, Url};

/// Action and subject, each as often as its weight says.
pub(super) const ACTIONS: [(u32, (&str, Subject)); 82] = [
    (90, ("DnsQueryResponse", Nothing)),
    (80, ("PowerShellCommand", Nothing)),
    (70, ("NtAllocateVirtualMemoryApiCall", Nothing)),
    (50, ("NtProtectVirtualMemoryApiCall", Nothing)),
    (60, ("OpenProcessApiCall", Subject::Process)),
    (50, ("ReadProcessMemoryApiCall", Subject::Process)),
    (16, ("CreateRemoteThreadApiCall", Subject::Process)),
    (16, ("NtAllocateVirtualMemoryRemoteApiCall", Subject::Process)),
    (8, ("WriteProcessMemoryApiCall", Subject::Process)),
    (6, ("NtMapViewOfSectionRemoteApiCall", Subject::Process)),
    (6, ("QueueUserApcRemoteApiCall", Subject::Process)),
    (6, ("SetThreadContextRemoteApiCall", Subject::Process)),
    (2, ("MemoryRemoteProtect", Subject::Process)),
    (2, ("WriteToLsassProcessMemory", Subject::Process)),
    (12, ("GetAsyncKeyStateApiCall", Nothing)),
    (30, ("NamedPipeEvent", Nothing)),
    (24, ("LdapSearch", Nothing)),
    (24, ("DpapiAccessed", Nothing)),
    (22, ("ScriptContent", File)),
    (20, ("GetClipboardData", Nothing)),
    (14, ("ScreenshotTaken", Nothing)),
    (14, ("ClrUnbackedModuleLoaded", Nothing)),
    (14, ("ShellLinkCreateFileEvent", File)),
    (14, ("SensitiveFileRead", File)),
    (14, ("ProcessCreatedUsingWmiQuery", Subject::Process)),
    (10, ("ProcessPrimaryTokenModified", Subject::Process)),
    (10, ("DriverLoad", Driver)),
    (10, ("FirewallOutboundConnectionBlocked", Network)),
    (10, ("FirewallInboundConnectionBlocked", Network)),
    (8, ("RemoteDesktopConnection", Network)),
    (8, ("RemoteWmiOperation", Network)),
    (8, ("NetworkShareObjectAccessChecked", Network)),
    (6, ("NetworkShareObjectAdded", Network)),
    (10, ("BrowserLaunchedToOpenUrl", Url)),
    (8, ("ExploitGuardNetworkProtectionBlocked", Url)),
    (6, ("SmartScreenUrlWarning", Url)),
    (2, ("SmartScreenUserOverride", Url)),
    (2, ("NetworkProtectionUserBypassEvent", Url)),
    (8, ("ScheduledTaskCreated", Nothing)),
    (8, ("ScheduledTaskUpdated", Nothing)),
    (4, ("ScheduledTaskDeleted", Nothing)),
    (4, ("ScheduledTaskEnabled", Nothing)),
    (6, ("ServiceInstalled", File)),
    (4, ("UserAccountCreated", Account)),
    (4, ("UserAccountModified", Account)),
    (3, ("UserAccountDeleted", Account)),
    (4, ("UserAccountAddedToLocalGroup", Account)),
    (3, ("PasswordChangeAttempt", Account)),
    (3, ("AccountCheckedForBlankPassword", Account)),
    (3, ("SecurityGroupCreated", Account)),
    (3, ("LogonRightsSettingEnabled", Account)),
    (2, ("SecurityLogCleared", Nothing)),
    (3, ("AuditPolicyModification", Nothing)),
    (4, ("TamperingAttempt", Registry)),
    (6, ("AntivirusDetection", File)),
    (4, ("AntivirusReport", File)),
    (4, ("AntivirusScanCompleted", Nothing)),
    (2, ("AntivirusScanCancelled", Nothing)),
    (2, ("AntivirusScanFailed", Nothing)),
    (4, ("AntivirusDefinitionsUpdated", Nothing)),
    (6, ("AsrOfficeChildProcessBlocked", File)),
    (6, ("AsrLsassCredentialTheftBlocked", File)),
    (4, ("AsrExecutableEmailContentAudited", File)),
    (4, ("AsrUntrustedExecutableWarnBypassed", File)),
    (4, ("ControlledFolderAccessViolationAudited", File)),
    (4, ("ExploitGuardAcgEnforced", Nothing)),
    (2, ("ExploitGuardWin32SystemCallBlocked", Nothing)),
    (4, ("ControlFlowGuardViolation", Nothing)),
    (4, ("AppControlExecutableAudited", File)),
    (4, ("AppControlCodeIntegrityPolicyAudited", File)),
    (2, ("AppControlPolicyApplied", Nothing)),
    (2, ("AppGuardLaunchedWithUrl", Nothing)),
    (2, ("AppGuardCreateContainer", Nothing)),
    (6, ("PnpDeviceConnected", Nothing)),
    (4, ("UsbDriveMounted", Nothing)),
    (2, ("UsbDriveUnmounted", Nothing)),
    (3, ("RemovableStoragePolicyTriggered", Nothing)),
    (3, ("UntrustedWifiConnection", Nothing)),
    (3, ("WmiBindEventFilterToConsumer", Nothing)),
    (2, ("CredentialsBackup", Nothing)),
    (2, ("OtherAlertRelatedActivity", Nothing)),
    (2, ("FileTimestampModificationEvent", File)),
];

/// Those of macOS and Linux.
pub(super) const UNIX_ACTIONS: [(u32, (&str, Subject)); 7] = [
    (50, ("ScriptContent", File)),
    (10, ("PTraceDetected", Subject::Process)),
    (10, ("PlistPropertyModified", File)),
    (6, ("UserAccountCreated", Account)),
    (6, ("AntivirusDetection", File)),
    (6, ("AntivirusScanCompleted", Nothing)),
    (12, ("SensitiveFileRead", File)),
];

const SCRIPT: &str = "#Requires -Version 5.1\r\nparam([string]$Path = \"$env:ProgramData\\Contoso\")\r\n\
# Größe aller Dateien, nach Endung\r\nGet-ChildItem -LiteralPath $Path -Recurse -File -ErrorAction SilentlyContinue |\r\n\
\tGroup-Object -Property Extension |\r\n\tForEach-Object { [pscustomobject]@{ Name = $_.Name; Size = ($_.Group | \
Measure-Object -Property Length -Sum).Sum } } |\r\n\tSort-Object -Property Size -Descending | Select-Object -First 20 |\r\n\
\tConvertTo-Json | Set-Content -Path \"$Path\\sizes.json\" -Encoding utf8 # <done> & 'fine'\r\n";

/// Appends `AdditionalFields`.
pub(super) fn write_fields(
    record: &mut Record<'_>,
    row: &mut Object<'_>,
    action: &str,
    actor: &Process<'_>,
    target: &Process<'_>,
) {
    let (device, timestamp) = (record.device, record.timestamp);
    let dice = &mut record.dice;
    let hex = dice.hex(8);
    let number = dice.between(1, 65_536);
    if matches!(action, "GetClipboardData" | "ScreenshotTaken" | "SensitiveFileRead" | "PasswordChangeAttempt") {
        return row.set("AdditionalFields", if number % 2 == 0 { None } else { Some("") });
    }
    row.object_text("AdditionalFields", |fields| {
        if device.os != Os::Windows {
            actor.write_posix(fields, "InitiatingProcess");
        }
        match action {
            "NtAllocateVirtualMemoryApiCall" | "NtProtectVirtualMemoryApiCall" | "NtAllocateVirtualMemoryRemoteApiCall" => {
                fields.set("BaseAddress", 2_000_000_000_000 + number * 65_536);
                fields.set("RegionSize", number * 16);
                fields.set("ProtectionMask", if number % 3 == 0 { 64 } else { 4 });
            }
            "OpenProcessApiCall" => fields.set("DesiredAccess", if number % 3 == 0 { 2_097_151 } else { 5136 }),
            "ReadProcessMemoryApiCall" | "WriteProcessMemoryApiCall" => fields.set("TotalBytesCopied", number * 100),
            _ if action.ends_with("RemoteApiCall") || action == "CreateRemoteThreadApiCall" => write_target(fields, target),
            "GetAsyncKeyStateApiCall" => fields.set("BackgroundCallCount", number),
            "DnsQueryResponse" => {
                fields.set("DnsQueryString", format_args!("{hex}.cdn-updates.example.org"));
                fields.objects("DnsQueryResult", 2, |index, answer| {
                    answer.set("DnsQueryType", if index == 0 { "CNAME" } else { "A" });
                    answer.set("Result", if index == 0 { "edge.example.net" } else { "203.0.113.9" });
                });
            }
            "PowerShellCommand" => fields.set("Command", ["Set-StrictMode", "Invoke-Expression", "Get-ADUser", "Add-Type"].get(number as usize % 4)),
            "ScriptContent" => {
                fields.set("ScriptContent", SCRIPT);
                fields.set("Hash", format_args!("{hex}{hex}{hex}{hex}{hex}{hex}{hex}{hex}"));
            }
            "NamedPipeEvent" => {
                fields.set("PipeName", format_args!(r"\Device\NamedPipe\mojo.{number}.{hex}"));
                fields.set("FileOperation", "File created");
                fields.set("NamedPipeEnd", "Server");
                fields.set("RemoteClientsAccess", "AcceptRemote");
                fields.set("DesiredAccess", 1_180_063);
                fields.set("ThreadId", number);
            }
            "LdapSearch" => {
                fields.set("SearchFilter", "(&(objectCategory=person)(servicePrincipalName=*))");
                fields.set("DistinguishedName", "DC=corp,DC=contoso,DC=com");
                fields.set("ScopeOfSearch", "SubTree");
                fields.set("AttributeList", ["sAMAccountName", "servicePrincipalName"]);
            }
            "DpapiAccessed" => fields.set("CallerProcessID", actor.pid),
            "ShellLinkCreateFileEvent" => {
                fields.set("ShellLinkWorkingDirectory", r"C:\Users\Public");
                fields.set("ShellLinkCommandLine", "");
                fields.set("ShellLinkRunAsAdmin", false);
                fields.set("ShellLinkShowCommand", "SW_SHOWNORMAL");
                fields.set("IsOnRemovableMedia", number % 5 == 0);
                fields.set("FileSizeInBytes", number);
                fields.set("VolumeGuidPath", r"\\?\Volume{5c1c8a0e-4a53-4f05-9c7e-2b1a6f3d7e11}");
            }
            "ProcessCreatedUsingWmiQuery" | "RemoteWmiOperation" => {
                fields.set("Namespace", r"root\cimv2");
                fields.set("ClassName", "Win32_Process");
                fields.set("MethodName", "Create");
                fields.set("IsRemoteMachine", number % 2 == 0);
                fields.set("ClientMachine", &device.machine.host);
                fields.set("OperationType", "ExecMethod");
                fields.set("OperationDetails", "Win32_Process::Create");
            }
            "ProcessPrimaryTokenModified" => {
                fields.set("OriginalTokenIntegrityLevel", 8192);
                fields.set("CurrentTokenIntegrityLevel", 16_384);
                fields.set("OriginalTokenUserSid", &device.user.sid);
                fields.set("CurrentTokenUserSid", "S-1-5-18");
                fields.set("OriginalTokenPointer", number * 4096);
                fields.set("CurrentTokenPointer", number * 8192);
            }
            "FirewallOutboundConnectionBlocked" | "FirewallInboundConnectionBlocked" => {
                fields.set("Direction", if action.contains("Outbound") { "Outbound" } else { "Inbound" });
                fields.set("LocalAddress", device.ip());
                fields.set("LocalPort", number);
                fields.set("RemoteAddress", "10.0.0.99");
                fields.set("RemotePort", 445);
            }
            "NetworkShareObjectAccessChecked" | "NetworkShareObjectAdded" => {
                fields.set("ShareName", r"\\*\ADMIN$");
                fields.set("ShareLocalPath", r"\??\C:\Windows");
                fields.set("RelativeTargetName", format_args!(r"Temp\{hex}.tmp"));
            }
            "ScheduledTaskCreated" | "ScheduledTaskUpdated" | "ScheduledTaskDeleted" | "ScheduledTaskEnabled" => {
                fields.set("TaskName", format_args!(r"\Microsoft\Office\Office Update {hex}"));
                fields.set("TaskContent", "<?xml version=\"1.0\" encoding=\"UTF-16\"?>\r\n<Task version=\"1.2\"><Actions Context=\"Author\"><Exec><Command>cmd.exe</Command></Exec></Actions></Task>");
            }
            "AntivirusDetection" | "AntivirusReport" => {
                fields.set("ThreatName", "HackTool:Win32/Mimikatz.D");
                fields.set("WasExecutingWhileDetected", false);
                fields.set("WasRemediated", true);
                fields.set("Action", 2);
                fields.set("ReportSource", "Windows Defender");
                fields.set("Container", format_args!(r"C:\Users\Public\{hex}.zip"));
            }
            _ if action.starts_with("AntivirusScan") => {
                fields.set("Scan ID", format_args!("{{{hex}-0000-4000-8000-000000000000}}"));
                fields.set("Scan Type Index", 1);
                fields.set("Scan Parameters Index", 1);
                fields.set("Domain", "NT AUTHORITY");
                fields.set("User", "SYSTEM");
                if action == "AntivirusScanFailed" {
                    fields.set("Error Code", "0x80508023");
                    fields.set("Error Description", "The program could not find the malware.");
                }
            }
            _ if action.starts_with("Asr") || action.starts_with("Controlled") => {
                fields.set("RuleId", "d4f940ab-401b-4efc-aadc-ad5f3c50688a");
                fields.set("IsAudit", action.ends_with("Audited"));
            }
            "ExploitGuardNetworkProtectionBlocked" | "SmartScreenUrlWarning" | "SmartScreenUserOverride" => {
                fields.set("Uri", "https://login-contoso.example/signin");
                fields.set("IsAudit", false);
                fields.set("ResponseCategory", "Phishing");
                fields.set("ActivityId", format_args!("{hex}-0000-4000-8000-000000000000"));
            }
            "PnpDeviceConnected" | "UsbDriveMounted" | "RemovableStoragePolicyTriggered" => {
                fields.set("ClassName", "DiskDrive");
                fields.set("DeviceId", format_args!(r"USBSTOR\DISK&VEN_CONTOSO&PROD_STICK&REV_1.00\{hex}&0"));
                fields.set("DeviceDescription", "Disk drive");
                fields.set("VendorIds", [r"USBSTOR\DiskContoso_Stick___________1.00"]);
                fields.set("Manufacturer", "Contoso");
                fields.set("BusType", "Usb");
                fields.set("SerialNumber", &hex);
                fields.set("RemovableStoragePolicyVerdict", "Deny");
                fields.objects("LoggedOnUsers", 1, |_, user| user.set("UserName", &device.user.account));
            }
            "AppControlExecutableAudited" | "AppControlCodeIntegrityPolicyAudited" => {
                fields.set("Fqbn", r"O=CONTOSO\UPDATER\UPDATER.EXE\1.0.0.0");
                fields.set("AuthenticodeHash", format_args!("{hex}{hex}{hex}{hex}"));
                fields.set("RequestedSigningLevel", 2);
                fields.set("ValidatedSigningLevel", 1);
            }
            "UserAccountAddedToLocalGroup" | "SecurityGroupCreated" | "LogonRightsSettingEnabled" => {
                fields.set("GroupName", "Administrators");
                fields.set("GroupSid", "S-1-5-32-544");
                fields.set("LogonRights", "SeServiceLogonRight");
            }
            _ => fields.set("ActivityTime", Time(timestamp)),
        }
    });
}

fn write_target(fields: &mut Object<'_>, target: &Process<'_>) {
    fields.set("TargetProcess", target.program.code.name);
    fields.set("CreationTimeUtc", Time(target.created));
    fields.set("CommandLine", &target.command_line);
    let (level, elevation) = target.token();
    fields.set("TokenElevationType", elevation);
    fields.set("IntegrityLevel", level);
    fields.set("Account_Sid", target.identity().sid);
}
