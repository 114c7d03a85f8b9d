//! `DeviceInfo`, `DeviceNetworkInfo`, `DeviceFileCertificateInfo`: what is known of devices and files, rather than what
//! happens.

use crate::generate::Dice;
use crate::generate::event::json::{Object, Time};
use crate::generate::event::record::Record;
use crate::generate::event::software::Os;
use crate::time::{DAY, SECOND};

/// 100 ns from 0001-01-01 to 1970-01-01: numbers of reports look like .NET's ticks.
const DOTNET_EPOCH: i64 = 621_355_968_000_000_000;

/// `DeviceInfo`.
pub(super) fn write_device(record: &mut Record<'_>, row: &mut Object<'_>) {
    let device = record.device;
    let machine = &device.machine;
    let is_windows = device.os == Os::Windows;
    let is_server = machine.group.1 == "Servers";
    let mut own = Dice::new(record.world.seed, &machine.id, 0);
    record.write_device(row);
    // Above 2^53, and different for each record.
    row.set(
        "ReportId",
        DOTNET_EPOCH
            + record.timestamp / SECOND * SECOND
            + i64::try_from(record.index % 10_000_000).unwrap_or_default(),
    );
    row.set("ClientVersion", if is_windows { "10.8797.26100.3194" } else { "101.25012.0008" });
    row.set("PublicIP", &device.public_ip);
    row.set("OSArchitecture", if device.os == Os::Mac { "arm64" } else { "64-bit" });
    row.set("OSPlatform", machine.platform);
    row.set("OSBuild", (machine.build > 0).then_some(machine.build));
    row.set("OsBuildRevision", is_windows.then(|| own.digits(4)));
    row.set("OSVersion", if is_windows { "10.0" } else { machine.version });
    row.set("OSVersionInfo", machine.version);
    row.set("OSDistribution", if device.os == Os::Linux { "Ubuntu" } else { machine.platform });
    row.set("IsAzureADJoined", is_windows && !is_server);
    row.set(
        "JoinType",
        match (is_windows, is_server) {
            (true, false) => Some("Hybrid Azure AD Join"),
            (true, true) => Some("Domain Joined"),
            _ => None,
        },
    );
    row.set("AadDeviceId", is_windows.then_some(&machine.object_id));
    row.objects_text("LoggedOnUsers", 1, |_, user| {
        user.set("UserName", &device.user.account);
        user.set("DomainName", device.domain());
        user.set("Sid", device.identity(crate::generate::event::software::Account::User).sid);
    });
    row.set("RegistryDeviceTag", if is_server { "tier-1" } else { "" });
    row.set("OnboardingStatus", "Onboarded");
    if own.chance(0.3) {
        row.object_text("AdditionalFields", |fields| fields.set("IsOnboardedByIntune", true));
    } else {
        row.nulls(["AdditionalFields"]);
    }
    row.set("DeviceCategory", "Endpoint");
    row.set("DeviceType", if is_server { "Server" } else { "Workstation" });
    row.set("DeviceSubtype", if is_server { Some("Server") } else { None });
    row.set("Model", own.pick(&["Surface Laptop 7", "Latitude 7450", "Virtual Machine", "ThinkPad X1 Carbon Gen 12"]));
    row.set("Vendor", if device.os == Os::Mac { "Apple Inc." } else { "Microsoft Corporation" });
    row.set("MergedDeviceIds", own.chance(0.1).then(|| own.hex(40)));
    row.set("MergedToDeviceId", if own.chance(0.05) { own.hex(40) } else { String::new() });
    row.set("IsInternetFacing", own.chance(0.03));
    row.set("SensorHealthState", own.pick(&["Active", "Active", "Active", "ImpairedCommunication"]));
    let is_excluded = own.chance(0.02);
    row.set("IsExcluded", is_excluded);
    row.set("ExclusionReason", is_excluded.then_some("TransientMachine"));
    row.set("ExposureLevel", own.pick(&["Low", "Medium", "High"]));
    row.set("AssetValue", own.pick(&["Normal", "Normal", "High"]));
    row.list_text("DeviceManualTags", [own.pick(&["Zürich", "London"])]);
    row.set("DeviceDynamicTags", "[]");
    row.set("ConnectivityType", if is_windows { "Streamlined" } else { "Standard" });
    row.set("HostDeviceId", if own.chance(0.05) { own.hex(40) } else { String::new() });
    write_cloud(row, machine.vm.as_deref(), &machine.host);
    row.set("HardwareUuid", own.guid());
    row.set("IsTransient", false);
    row.set("MitigationStatus", if own.chance(0.02) { Some(r#"{"Isolated":true}"#) } else { None });
    if record.has_rare_columns {
        row.set("Site", "Zürich 2");
        row.objects_text("DiscoverySources", 1, |_, source| {
            source.set("Source", "Microsoft Defender for Endpoint");
            source.set("LastSeen", Time(record.timestamp));
        });
        row.list_text("DeviceRoles", [if is_server { "DomainController" } else { "Workstation" }]);
        row.object_text("DlpInfo", |fields| fields.set("ConfigurationStatus", "Updated"));
        row.set("DeviceObjectId", &machine.object_id);
        row.set("RestrictedDeviceSecurityOperations", "[]");
    }
}

/// Where a virtual machine runs.
fn write_cloud(row: &mut Object<'_>, vm: Option<&str>, host: &str) {
    row.set("AzureVmId", vm);
    match vm {
        Some(id) => {
            let subscription = "0f4b6e1c-52a7-4d0e-9d6c-3f7d5f2b8a11";
            let is_aws = id.starts_with(['0', '1', '2']);
            row.set("AzureVmSubscriptionId", subscription);
            row.set("AzureResourceId", format_args!("/subscriptions/{subscription}/resourceGroups/rg-servers/providers/Microsoft.Compute/virtualMachines/{host}"));
            if is_aws {
                row.set("AwsResourceName", format_args!("arn:aws:ec2:eu-central-1:123456789012:instance/i-{host}"));
                row.set(
                    "GcpFullResourceName",
                    format_args!("//compute.googleapis.com/projects/contoso/zones/europe-west6-a/instances/{host}"),
                );
                row.list_text("CloudPlatforms", ["Azure", "AWS", "GCP"]);
            } else {
                row.nulls(["AwsResourceName", "GcpFullResourceName"]);
                row.list_text("CloudPlatforms", ["Azure"]);
            }
        }
        None => {
            row.set("AzureVmSubscriptionId", "");
            row.nulls(["AzureResourceId", "AwsResourceName", "GcpFullResourceName"]);
            row.set("CloudPlatforms", "[]");
        }
    }
}

/// `DeviceNetworkInfo`.
pub(super) fn write_adapter(record: &mut Record<'_>, row: &mut Object<'_>) {
    let device = record.device;
    let dice = &mut record.dice;
    let is_tunnel = dice.chance(0.1);
    let name = format!("{{{}}}", dice.guid()).to_uppercase();
    record.write_event_without_action(row);
    row.set("NetworkAdapterName", if device.os == Os::Windows { name.as_str() } else { "en0" });
    row.set("MacAddress", &device.mac);
    row.set("NetworkAdapterType", if is_tunnel { "Tunnel" } else { "Ethernet" });
    row.set("NetworkAdapterStatus", if is_tunnel { "Down" } else { "Up" });
    row.set("TunnelType", if is_tunnel { "Teredo" } else { "None" });
    row.objects_text("ConnectedNetworks", 1, |_, network| {
        network.set("Name", "corp.contoso.com");
        network.set("Description", "Netzwerk – Büro");
        network.set("IsConnectedToInternet", true);
        network.set("Category", "Domain");
    });
    row.list_text("DnsAddresses", ["10.0.0.10", "10.0.0.11"]);
    row.set("IPv4Dhcp", "10.0.0.5");
    row.set("IPv6Dhcp", is_tunnel.then_some("fe80::5"));
    row.list_text("DefaultGateways", ["10.0.0.1"]);
    row.objects_text("IPAddresses", 2, |index, address| {
        address.set("IPAddress", if index == 0 { device.ip() } else { &device.machine.ipv6 });
        address.set("SubnetPrefix", if index == 0 { 24 } else { 64 });
        address.set("AddressType", "Private");
    });
    row.set("NetworkAdapterVendor", (!is_tunnel).then_some("Intel(R) Wi-Fi 6E AX211 160MHz"));
    if record.has_rare_columns {
        row.set("OnboardingStatus", "Onboarded");
        row.set("NetworkAdapterDnsSuffix", "corp.contoso.com");
    }
}

/// `DeviceFileCertificateInfo`.
pub(super) fn write_certificate(record: &mut Record<'_>, row: &mut Object<'_>) {
    let software = &record.device.software;
    let files = software.residents.len() + software.started.len() + software.libraries.len();
    let number = record.dice.below(files);
    let Some(file) = software.files().nth(number) else { return };
    record.write_event_without_action(row);
    row.set("SHA1", &file.sha1);
    row.set("IsSigned", file.maker.signer.is_some());
    let Some([signer, issuer]) = file.maker.signer else {
        row.set("SignatureType", "Unknown");
        row.nulls(["Signer", "SignerHash", "Issuer", "IssuerHash", "CertificateSerialNumber"]);
        row.set("CrlDistributionPointUrls", "[]");
        row.nulls(["CertificateCreationTime", "CertificateExpirationTime", "CertificateCountersignatureTime"]);
        row.set("IsTrusted", false);
        row.set("IsRootSignerMicrosoft", false);
        return;
    };
    let mut certificate = Dice::new(record.world.seed, signer, 0);
    let created = record.device.boot / SECOND * SECOND - certificate.between(100, 300) * DAY;
    row.set("SignatureType", if file.size % 3 == 0 { "Catalog" } else { "Embedded" });
    row.set("Signer", signer);
    row.set("SignerHash", certificate.hex(40));
    row.set("Issuer", issuer);
    row.set("IssuerHash", Dice::new(record.world.seed, issuer, 0).hex(40));
    row.set("CertificateSerialNumber", format_args!("33000004{}", certificate.hex(30)));
    row.list_text("CrlDistributionPointUrls", [format!("http://crl.example/pki/{}.crl", certificate.hex(12))]);
    row.set("CertificateCreationTime", Time(created));
    row.set("CertificateExpirationTime", Time(created + 365 * DAY));
    row.set("CertificateCountersignatureTime", (file.size % 2 == 0).then_some(Time(created + 50 * DAY + 6_280_000)));
    row.set("IsTrusted", true);
    row.set("IsRootSignerMicrosoft", issuer.starts_with("Microsoft"));
}
