//! Devices and what is on them: files, processes, the registry, sessions.

use super::super::directory::{DNS_DOMAIN, NT_DOMAIN};
use super::super::enums::Kind;
use super::super::json::{Json, Member, members, object};
use super::super::pools;
use super::super::scene::{Address, Scene};
use super::{identity, inner};

pub(super) fn device(scene: &mut Scene<'_>) -> Vec<Member> {
    let machine = scene.machine.clone();
    let vm = machine.vm.as_ref().map(|id| {
        object! {
            "vmId": id,
            "cloudProvider": "azure",
            "resourceId": format!(
                "/subscriptions/{0}/resourceGroups/rg-app/providers/Microsoft.Compute/virtualMachines/{1}",
                super::cloud::SUBSCRIPTION, machine.host
            ),
            "subscriptionId": super::cloud::SUBSCRIPTION,
        }
    });
    let accesses = if scene.dice.chance(0.1) { vec![scene.access()] } else { Vec::new() };
    let external = Address::draw(&mut scene.dice).ip;
    members! {
        "firstSeenDateTime": machine.first_seen(),
        "mdeDeviceId": &machine.id,
        "azureAdDeviceId": scene.maybe(0.8, &machine.object_id),
        "deviceDnsName": machine.dns_name(),
        "hostName": &machine.host,
        "ntDomain": scene.maybe(0.5, NT_DOMAIN),
        "dnsDomain": DNS_DOMAIN,
        "osPlatform": machine.platform,
        "osBuild": machine.build,
        "version": machine.version,
        "healthStatus": scene.dice.pick(&["active", "active", "active", "inactive", "impairedCommunication"]),
        "riskScore": scene.dice.pick(&["none", "informational", "low", "medium", "high"]),
        "rbacGroupId": machine.group.0,
        "rbacGroupName": if machine.group.1.is_empty() { None } else { Some(machine.group.1) },
        "onboardingStatus": "onboarded",
        "defenderAvStatus": scene.dice.pick(&["updated", "updated", "notUpdated", "disabled", "unknown"]),
        "lastIpAddress": &machine.ip,
        "lastExternalIpAddress": external,
        "ipInterfaces": vec![machine.ip.clone(), machine.ipv6.clone(), "127.0.0.1".to_owned(), "::1".to_owned()],
        "vmMetadata": vm,
        "loggedOnUsers": [object! { "accountName": &scene.person.account, "domainName": NT_DOMAIN }],
        "resourceAccessEvents": accesses,
    }
}

pub(super) fn file(scene: &mut Scene<'_>) -> Vec<Member> {
    let file = scene.file.clone();
    members! {
        "detectionStatus": scene.dice.pick(&["detected", "detected", "blocked", "prevented"]),
        "mdeDeviceId": &scene.machine.id,
        "fileDetails": file.details(&mut scene.dice),
    }
}

pub(super) fn file_hash(scene: &mut Scene<'_>) -> Vec<Member> {
    let file = &scene.file;
    let (algorithm, value) = match scene.dice.below(3) {
        0 => ("md5", &file.md5),
        1 => ("sha1", &file.sha1),
        _ => ("sha256", &file.sha256),
    };
    members! { "algorithm": algorithm, "value": value }
}

pub(super) fn process(scene: &mut Scene<'_>) -> Vec<Member> {
    let ((image, command_line), parent) = (scene.process(), scene.parent());
    members! {
        "processId": scene.dice.between(600, 30_000),
        "parentProcessId": scene.dice.between(400, 12_000),
        "processCommandLine": command_line,
        "processCreationDateTime": scene.at(),
        "parentProcessCreationDateTime": scene.before(7200),
        "detectionStatus": scene.dice.pick(&["detected", "detected", "blocked", "prevented"]),
        "mdeDeviceId": &scene.machine.id,
        "imageFile": image.details(&mut scene.dice),
        "parentProcessImageFile": parent.details(&mut scene.dice),
        "userAccount": scene.account(),
    }
}

pub(super) fn registry_key(scene: &mut Scene<'_>) -> Vec<Member> {
    let [hive, key, ..] = scene.dice.pick(&pools::REGISTRY);
    members! { "registryKey": key, "registryHive": hive }
}

pub(super) fn registry_value(scene: &mut Scene<'_>) -> Vec<Member> {
    let [hive, key, name, kind, value] = scene.dice.pick(&pools::REGISTRY);
    members! {
        "mdeDeviceId": &scene.machine.id,
        "registryKey": key,
        "registryHive": hive,
        "registryValue": scene.fill(value),
        "registryValueName": name,
        "registryValueType": kind,
    }
}

pub(super) fn malware(scene: &mut Scene<'_>) -> Vec<Member> {
    let [name, category, _] = scene.threat;
    let file = file(scene);
    let processes = if scene.dice.chance(0.3) {
        let process = process(scene);
        vec![inner(scene, Kind::Process, process)]
    } else {
        Vec::new()
    };
    members! {
        "name": name,
        "category": category,
        "files": [inner(scene, Kind::File, file)],
        "processes": processes,
    }
}

pub(super) fn logon_session(scene: &mut Scene<'_>) -> Vec<Member> {
    let user = identity::user(scene);
    let host = device(scene);
    let ended = scene.at();
    members! {
        "sessionId": format!("0x{}", scene.dice.hex(6)),
        "account": inner(scene, Kind::User, user),
        "host": inner(scene, Kind::Device, host),
        "startUtcDateTime": scene.before(3600),
        "endUtcDateTime": if scene.dice.chance(0.5) { ended.into() } else { Json::Null },
    }
}
