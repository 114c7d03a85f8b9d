//! Tables about identities.

use super::json::{Object, Time};
use super::record::Record;
use super::table::Table;
use crate::generate::directory::{DNS_DOMAIN, NT_DOMAIN, Person};
use crate::generate::pools;
use crate::time::DAY;

/// Appends the columns of a record.
pub(super) fn write(record: &mut Record<'_>, row: &mut Object<'_>) {
    let Some(person) = record.dice.among(&record.world.people) else { return };
    row.set("Timestamp", Time(record.timestamp));
    if record.table == Table::IdentityInfo {
        return write_info(record, row, person);
    }
    let id = record.dice.guid();
    row.set("ReportId", format_args!("{id}_{}", record.index));
    match record.table {
        Table::IdentityLogonEvents => write_logon(record, row, person),
        Table::IdentityQueryEvents => write_query(record, row, person),
        _ => write_directory(record, row, person),
    }
}

/// The account, and the device that it was used on.
fn write_account(record: &mut Record<'_>, row: &mut Object<'_>, person: &Person) {
    let port = record.dice.between(1024, 65_536);
    row.set("AccountName", &person.account);
    row.set("AccountDomain", NT_DOMAIN);
    row.set("AccountUpn", &person.upn);
    row.set("AccountSid", &person.sid);
    row.set("AccountObjectId", &person.object_id);
    row.set("AccountDisplayName", &person.name);
    row.set("DeviceName", &record.device.name);
    row.set("Port", port);
}

/// The other side: a domain controller.
fn write_destination(row: &mut Object<'_>, port: i64) {
    row.set("DestinationDeviceName", format_args!("dc-0001.{DNS_DOMAIN}"));
    row.set("DestinationIPAddress", "10.0.0.10");
    row.set("DestinationPort", port);
}

fn write_logon(record: &mut Record<'_>, row: &mut Object<'_>, person: &Person) {
    let is_cloud = record.dice.chance(0.6);
    write_account(record, row, person);
    let device = record.device;
    let dice = &mut record.dice;
    let is_failed = dice.chance(0.15);
    let (network, (first, last), [city, _, _, country], _) = dice.pick(&pools::NETWORKS);
    row.set("ActionType", if is_failed { "LogonFailed" } else { "LogonSuccess" });
    row.set("Application", if is_cloud { "Microsoft 365" } else { "Active Directory" });
    row.set(
        "LogonType",
        if is_cloud {
            dice.pick(&["OAuth2:Authorize", "Login:reprocess", "Kmsi:kmsi"])
        } else {
            dice.pick(&["Credentials validation", "Resource access", "Interactive"])
        },
    );
    row.set("Protocol", if is_cloud { None } else { Some(dice.pick(&["Kerberos", "Ntlm"])) });
    row.set(
        "FailureReason",
        if is_failed { dice.pick(&["WrongPassword", "AccountDisabled", "InvalidUserNameOrPassword"]) } else { "" },
    );
    row.set("DeviceType", dice.pick(&["Desktop", "Mobile", ""]));
    row.set("OSPlatform", if is_cloud { device.machine.platform } else { "Windows" });
    if is_cloud {
        row.set("IPAddress", format_args!("{network}{}", dice.between(first, last + 1)));
        row.set("Location", country);
        row.nulls(["DestinationDeviceName", "DestinationIPAddress", "DestinationPort"]);
    } else {
        row.set("IPAddress", device.ip());
        row.nulls(["Location"]);
        write_destination(row, 88);
    }
    row.set("TargetDeviceName", if is_cloud { "" } else { "fs01" });
    row.set("TargetAccountDisplayName", if record.dice.chance(0.1) { "Megan Bowen" } else { "" });
    row.set("ISP", if is_cloud { "Contoso Broadband" } else { "" });
    row.object("AdditionalFields", |fields| {
        if is_cloud {
            fields.set("Pass-through authentication", "false");
            fields.set("City", city);
            fields.set("ARG.CLOUD_SERVICE", "Office 365");
        } else {
            write_sides(fields, &device.machine.host, "DC-0001");
            fields.set("Spns", "cifs/fs01.corp.contoso.com");
            fields.set("Count", "1");
        }
    });
    write_habits(row, is_cloud);
}

/// What is usual for a user.
pub(super) fn write_habits(row: &mut Object<'_>, is_known: bool) {
    row.set("LastSeenForUser", is_known.then_some(Habits));
    if is_known {
        row.set("UncommonForUser", ["ISP", "UserAgent"]);
    } else {
        row.nulls(["UncommonForUser"]);
    }
}

/// Days since something was seen.
struct Habits;

impl super::json::Value for Habits {
    fn write(&self, json: &mut String, escapes: super::json::Escapes) {
        Object::write(json, escapes, |days| {
            for (name, value) in [("ISP", -1), ("UserAgent", -1), ("CountryCode", 0), ("ActionType", 0)] {
                days.set(name, value);
            }
        });
    }
}

/// Both sides, as the sensor on a domain controller describes them.
fn write_sides(fields: &mut Object<'_>, source: &str, destination: &str) {
    fields.set("FROM.DEVICE", source);
    fields.set("TO.DEVICE", destination);
    fields.set("SourceComputerOperatingSystem", "windows 11 enterprise");
    fields.set("SourceComputerOperatingSystemType", "windows");
    fields.set("SourceComputerOperatingSystemVersion", "10.0 (26100)");
    fields.set("DestinationComputerOperatingSystem", "windows server 2022 datacenter");
    fields.set("DestinationComputerOperatingSystemType", "windows");
    fields.set("DestinationComputerObjectGuid", "7f0a6c55-2b1d-4c0e-8f2a-90f3c1f5a7b1");
}

fn write_query(record: &mut Record<'_>, row: &mut Object<'_>, person: &Person) {
    write_account(record, row, person);
    let (action, kind, protocol, port, query) = record.dice.pick(&[
        ("LDAP query", "AllUsers", "Ldap", 389, "(&(objectCategory=person)(adminCount=1))"),
        ("SAMR query", "QueryGroup", "Samr", 445, ""),
        ("DNS query", "A", "Dns", 53, "wpad.corp.contoso.com"),
        ("LdapQuery", "Spn", "Ldap", 389, r#"(servicePrincipalName=MSSQLSvc/*)"#),
    ]);
    row.set("ActionType", action);
    row.set("Application", "Active Directory");
    row.set("QueryType", kind);
    row.set("QueryTarget", record.dice.pick(&["Domain Admins", "Server Operators", "wpad"]));
    row.set("Query", (!query.is_empty()).then_some(query));
    row.set("Protocol", protocol);
    row.set("IPAddress", record.device.ip());
    write_destination(row, port);
    row.set("TargetDeviceName", if record.dice.chance(0.2) { "fs01.corp.contoso.com" } else { "" });
    row.set("TargetAccountUpn", record.dice.chance(0.3).then_some(&person.upn));
    row.set("TargetAccountDisplayName", record.dice.chance(0.3).then_some(&person.name));
    row.set("Location", record.dice.chance(0.1).then_some("Zürich"));
    row.object("AdditionalFields", |fields| {
        fields.set("Category", "Discovery");
        fields.set("AttackTechniques", "Account Discovery (T1087), Domain Account (T1087.002)");
        fields.set("ACTOR.DEVICE", &record.device.machine.host);
        write_sides(fields, &record.device.machine.host, "DC-0001");
        fields.set("Count", "1");
    });
}

fn write_directory(record: &mut Record<'_>, row: &mut Object<'_>, person: &Person) {
    write_account(record, row, person);
    let target = record.dice.among(&record.world.people);
    let dice = &mut record.dice;
    let action = dice.pick(&[
        "Group Membership changed",
        "Account Password changed",
        "Account Disabled changed",
        "Directory Service replication",
        "Device Account Created",
        "Potential lateral movement path identified",
        "SMB session",
        "Service creation",
        "Task scheduling",
        "PowerShell execution",
    ]);
    row.set("ActionType", action);
    row.set("Application", "Active Directory");
    row.set("TargetAccountUpn", target.map(|person| &person.upn));
    row.set("TargetAccountDisplayName", target.map(|person| &person.name));
    row.set("TargetDeviceName", dice.chance(0.4).then_some("fs01.corp.contoso.com"));
    row.set("Protocol", dice.pick(&[None, Some("Kerberos"), Some("SMB")]));
    row.set("IPAddress", record.device.ip());
    write_destination(row, 389);
    row.set("Location", dice.chance(0.1).then_some("Zürich"));
    row.set("ISP", dice.chance(0.1).then_some("Contoso Broadband"));
    row.object("AdditionalFields", |fields| {
        fields.set("TO.GROUP", "Domain Admins");
        fields.set("ACTOR.ACCOUNT", &person.name);
        fields.set("IsSensitive", true);
        write_sides(fields, &record.device.machine.host, "DC-0001");
    });
}

fn write_info(record: &mut Record<'_>, row: &mut Object<'_>, person: &Person) {
    let own = &mut crate::generate::Dice::new(record.world.seed, &person.account, 0);
    let (given, surname) = person.name.split_once(' ').unwrap_or_default();
    let [city, state, country, _] = own.pick(&pools::NETWORKS).2;
    row.set("ReportId", record.dice.guid());
    row.set("AccountObjectId", &person.object_id);
    row.set("IdentityId", format_args!("User_{}", person.object_id));
    row.set("AccountUpn", &person.upn);
    row.set("OnPremSid", &person.sid);
    row.set("OnPremObjectId", &person.guid);
    row.set("CloudSid", format_args!("S-1-12-1-{}-{}", own.digits(10), own.digits(10)));
    row.set("AccountDisplayName", &person.name);
    row.set("AccountName", &person.account);
    row.set("AccountDomain", DNS_DOMAIN);
    row.set("CriticalityLevel", own.chance(0.2).then(|| own.between(0, 4)));
    row.set("Type", "User");
    row.set("DistinguishedName", format_args!("CN={},OU=Users,OU=Zürich,DC=corp,DC=contoso,DC=com", person.name));
    row.set("GivenName", given);
    row.set("Surname", surname);
    row.set("Department", own.pick(&["Finance", "Sales & Marketing", "IT"]));
    row.set("JobTitle", own.pick(&["Analyst", "Engineer", "VP"]));
    row.set("EmailAddress", &person.upn);
    row.set("SipProxyAddress", format_args!("sip:{}", person.upn));
    row.set("Address", own.chance(0.5).then_some("1 Main St.\r\n2nd floor"));
    row.set("City", city);
    row.set("State", state);
    row.set("Country", country);
    row.set("IsAccountEnabled", own.chance(0.95));
    row.set("Manager", own.chance(0.7).then_some("Patti Fernandez"));
    row.set("Phone", "+1 (555) 0100");
    row.set("CreatedDateTime", Time(record.device.boot - own.between(100 * DAY, 3000 * DAY)));
    row.set("ChangeSource", own.pick(&["AzureActiveDirectory", "ActiveDirectory", "System-UserPersona"]));
    row.set("BlastRadius", own.chance(0.3).then_some("Low"));
    row.set("CompanyName", "Contoso");
    row.set("DeletedDateTime", record.dice.chance(0.05).then_some(Time(record.timestamp)));
    row.set("EmployeeId", own.digits(6));
    row.set("OtherMailAddresses", [format!("{}@contoso.onmicrosoft.com", person.account)]);
    row.set("RiskLevel", own.pick(&[None, Some("None"), Some("High")]));
    row.set("RiskLevelDetails", own.chance(0.3).then_some("AiConfirmedSigninSafe"));
    row.set("Tags", if own.chance(0.3) { ["Sensitive"].as_slice() } else { &[] });
    row.set("PrivilegedEntraPimRoles", if own.chance(0.2) { ["Security Administrator"].as_slice() } else { &[] });
    row.set("UserAccountControl", "NormalAccount");
    row.set("IdentityEnvironment", own.pick(&["Hybrid", "Cloud"]));
    row.set("SourceProviders", ["AzureActiveDirectory", "ActiveDirectory"]);
    row.set("SourceProvider", "AzureActiveDirectory");
    if record.has_rare_columns {
        row.set("AssignedRoles", ["Global Reader"]);
        row.set("GroupMembership", ["Domain Users", "VPN – Zürich"]);
        row.set("TenantId", &record.world.tenant_id);
        row.set("SourceSystem", "AzureAD");
        row.set("TenantMembershipType", "Member");
        row.set("RiskStatus", "None");
    }
}
