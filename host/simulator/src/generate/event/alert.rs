//! Tables about alerts and behaviours. The records of a block that are about one of them share its id.

use super::json::{Object, Time};
use super::process::Process;
use super::record::Record;
use super::table::Table;
use crate::generate::pools;
use crate::time::SECOND;

/// Title, category, techniques, product, sensor, severity.
const ALERTS: [[&str; 6]; 6] = [
    [
        "Suspicious PowerShell command line",
        "Execution",
        r#"["PowerShell (T1059.001)","Obfuscated Files or Information (T1027)"]"#,
        "Microsoft Defender for Endpoint",
        "EDR",
        "Medium",
    ],
    ["'Mimikatz' hacktool was prevented", "Malware", "", "Microsoft Defender for Endpoint", "Antivirus", "Low"],
    [
        "Suspected Golden Ticket usage",
        "Persistence",
        r#"["Golden Ticket (T1558.001)"]"#,
        "Microsoft Defender for Identity",
        "Microsoft Defender for Identity",
        "High",
    ],
    [
        "Impossible travel activity",
        "InitialAccess",
        r#"["Valid Accounts (T1078)"]"#,
        "Microsoft Defender for Cloud Apps",
        "Microsoft Defender for Cloud Apps",
        "Medium",
    ],
    [
        "Email messages containing malicious URL removed after delivery",
        "InitialAccess",
        r#"["Phishing (T1566)"]"#,
        "Microsoft Defender for Office 365",
        "Microsoft Defender for Office 365",
        "Informational",
    ],
    ["Anonymous IP address", "InitialAccess", "[]", "AAD Identity Protection", "AAD Identity Protection", "High"],
];

/// Kinds of entities.
const ENTITIES: [&str; 12] = [
    "File",
    "Process",
    "Machine",
    "User",
    "Ip",
    "Url",
    "MailMessage",
    "Mailbox",
    "CloudApplication",
    "RegistryValue",
    "CloudResource",
    "OAuthApplication",
];

/// Appends the columns of a record.
pub(super) fn write(record: &mut Record<'_>, row: &mut Object<'_>) {
    row.set("Timestamp", Time(record.timestamp));
    match record.table {
        Table::AlertInfo | Table::AlertEvidence => write_alert(record, row),
        _ => write_behavior(record, row),
    }
}

fn write_alert(record: &mut Record<'_>, row: &mut Object<'_>) {
    let mut own = record.shared_dice("alert", record.position % 2);
    let [title, category, techniques, product, sensor, severity] = own.pick(&ALERTS);
    let (_, group) = record.device.machine.group;
    row.set("AlertId", format_args!("da{}_{}", own.digits(18), own.digits(9)));
    row.set("Title", title);
    row.set("Severity", severity);
    row.set("ServiceSource", product);
    row.set("DetectionSource", sensor);
    row.set("AttackTechniques", techniques);
    row.set("MachineGroup", (!group.is_empty()).then_some(group));
    if record.table == Table::AlertInfo {
        row.set("Category", category);
        return;
    }
    row.list_text("Categories", [category]);
    row.set("EvidenceRole", record.dice.pick(&["Impacted", "Related"]));
    row.set("EvidenceDirection", record.dice.pick(&[None, None, Some("Source"), Some("Destination")]));
    let entity = record.dice.pick(&ENTITIES);
    write_entity(record, row, entity);
    let is_cloud = entity == "CloudResource";
    row.set("CloudResource", is_cloud.then_some("storage-contoso"));
    row.set("CloudPlatform", is_cloud.then_some("Azure"));
    row.set("ResourceType", is_cloud.then_some("Storage account"));
    row.set("ResourceID", is_cloud.then_some("/subscriptions/0f4b6e1c-52a7-4d0e-9d6c-3f7d5f2b8a11/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/contoso"));
    row.set("SubscriptionId", is_cloud.then_some("0f4b6e1c-52a7-4d0e-9d6c-3f7d5f2b8a11"));
}

/// What an alert or a behaviour is about.
fn write_entity(record: &mut Record<'_>, row: &mut Object<'_>, entity: &str) {
    let Some(process) = Process::acting(record) else { return };
    let (device, dice) = (record.device, &mut record.dice);
    let is = |kinds: &[&str]| kinds.contains(&entity);
    let (network, (first, last), ..) = dice.pick(&pools::NETWORKS);
    let is_file = is(&["File", "Process"]);
    let code = is_file.then_some(&process.program.code);
    row.set("EntityType", entity);
    row.set("FileName", code.map(|code| code.name));
    row.set("FolderPath", code.and_then(|code| code.path.strip_suffix(code.name)));
    row.set("SHA1", code.map(|code| &code.sha1));
    row.set("SHA256", code.map(|code| &code.sha256));
    row.set("FileSize", code.map(|code| code.size));
    row.set("ThreatFamily", (entity == "File").then_some("Mimikatz"));
    if entity == "Ip" {
        row.set("RemoteIP", format_args!("{network}{}", dice.between(first, last + 1)));
    } else {
        row.nulls(["RemoteIP"]);
    }
    row.set("RemoteUrl", is(&["Url"]).then_some("https://cdn-updates.example.org/gate?id=1&k=<2>"));
    let user = is(&["User", "Process", "Mailbox", "MailMessage"]).then_some(&device.user);
    row.set("AccountName", user.map_or("", |user| &user.account));
    row.set("AccountDomain", user.map(|_| device.domain()));
    row.set("AccountSid", user.map(|user| &user.sid));
    row.set("AccountObjectId", user.map(|user| &user.object_id));
    row.set("AccountUpn", user.map(|user| &user.upn));
    let has_device = is(&["Machine", "Process", "File", "RegistryValue"]);
    row.set("DeviceId", has_device.then_some(&device.machine.id));
    row.set("DeviceName", has_device.then_some(&device.name));
    row.set("LocalIP", has_device.then_some(device.ip()));
    let is_mail = is(&["MailMessage"]);
    row.set("NetworkMessageId", is_mail.then(|| dice.guid()));
    row.set("EmailSubject", is_mail.then(|| dice.pick(&pools::SUBJECTS)));
    let is_app = is(&["CloudApplication", "OAuthApplication"]);
    row.set("Application", is_app.then_some("Microsoft Exchange Online"));
    row.set("ApplicationId", is_app.then_some(20893));
    row.set("OAuthApplicationId", is(&["OAuthApplication"]).then(|| dice.guid()));
    row.set("ProcessCommandLine", is(&["Process"]).then_some(&process.command_line));
    let is_registry = is(&["RegistryValue"]);
    row.set("RegistryKey", is_registry.then_some(r"HKEY_LOCAL_MACHINE\SOFTWARE\Policies\Microsoft\Windows Defender"));
    row.set("RegistryValueName", is_registry.then_some("DisableAntiSpyware"));
    row.set("RegistryValueData", is_registry.then_some("1"));
    if record.dice.chance(0.9) {
        row.object_text("AdditionalFields", |fields| {
            fields.set("$id", "1");
            if let Some(code) = code {
                fields.set("Directory", code.path.strip_suffix(code.name));
                fields.set("Name", code.name);
                fields.objects("FileHashes", 2, |index, hash| {
                    hash.set("$id", format_args!("{}", index + 2));
                    hash.set("Algorithm", if index == 0 { "SHA1" } else { "SHA256" });
                    hash.set("Value", if index == 0 { &code.sha1 } else { &code.sha256 });
                    hash.set("Type", "filehash");
                });
                fields.set("ProcessId", format_args!("{}", process.pid));
                fields.set("CreationTimeUtc", Time(process.created));
            }
            fields.object("Host", |host| {
                host.set("HostName", &device.machine.host);
                host.set("OSFamily", "Windows");
                host.set("IsDomainJoined", true);
            });
            fields.set("Type", entity.to_lowercase());
            fields.set("LastSeen", Time(record.timestamp));
        });
    } else {
        row.set("AdditionalFields", "");
    }
}

fn write_behavior(record: &mut Record<'_>, row: &mut Object<'_>) {
    let mut own = record.shared_dice("behavior", record.position % 2);
    let action = own.pick(&[
        "ImpossibleTravelActivity",
        "MultipleFailedLoginAttempts",
        "MassDownload",
        "UnusualAdditionOfCredentialsToAnOauthApp",
    ]);
    row.set("BehaviorId", own.hex(24));
    row.set("ActionType", action);
    row.list_text("Categories", ["InitialAccess"]);
    row.set("ServiceSource", "Microsoft Defender for Cloud Apps");
    row.set("DetectionSource", "Microsoft Cloud App Security");
    row.list_text("DataSources", ["Office 365", "Microsoft Entra ID"]);
    if record.table == Table::BehaviorEntities {
        let entity = record.dice.pick(&ENTITIES);
        row.set("EntityRole", record.dice.pick(&["Impacted", "Related"]));
        row.set("DetailedEntityRole", record.dice.pick(&["Actor", ""]));
        row.set("EmailClusterId", record.dice.chance(0.2).then(|| record.dice.digits(10)));
        write_entity(record, row, entity);
        let is_cloud = entity == "CloudResource";
        row.set("CloudPlatform", is_cloud.then_some("Azure"));
        row.set("CloudResourceType", is_cloud.then_some("Storage account"));
        row.set("CloudResourceId", is_cloud.then_some("contoso"));
        row.set("CloudSubscriptionId", is_cloud.then_some("0f4b6e1c-52a7-4d0e-9d6c-3f7d5f2b8a11"));
        return;
    }
    let user = &record.device.user;
    row.set(
        "Description",
        format_args!("The user {} was active from two places within 20 minutes: “London” and 'Hanoi'.", user.name),
    );
    row.list_text("AttackTechniques", ["Valid Accounts (T1078)", "Cloud Accounts (T1078.004)"]);
    row.set("DeviceId", record.dice.chance(0.4).then_some(&record.device.machine.id));
    row.set("AccountUpn", &user.upn);
    row.set("AccountObjectId", &user.object_id);
    row.set("StartTime", Time(record.timestamp - 1200 * SECOND));
    row.set("EndTime", Time(record.timestamp - 20 * SECOND));
    row.object_text("AdditionalFields", |fields| {
        fields.set("Countries", ["GB", "VN"]);
        fields.set("UserAgents", [record.dice.pick(&pools::BROWSERS)[2]]);
    });
    if record.has_rare_columns {
        row.set("Title", "Impossible travel");
    }
}
