//! Addresses, names, connections, and devices that are only seen on the network.

use super::super::enums::Kind;
use super::super::json::{Json, Member, members, object};
use super::super::pools;
use super::super::scene::{Address, Scene};
use super::{cloud, identity, inner};

pub(super) fn ip(scene: &mut Scene<'_>) -> Vec<Member> {
    let address = scene.attacker.clone();
    let stream = identity::stream(scene);
    public(&address, scene.dice.chance(0.6), stream)
}

/// A public address, with its place where that is known.
fn public(address: &Address, located: bool, stream: Json) -> Vec<Member> {
    let [city, state, country, letters] = address.place;
    let [latitude, longitude] = address.coordinates;
    let location = located.then(|| {
        object! {
            "city": city,
            "countryName": country,
            "latitude": latitude,
            "longitude": longitude,
            "state": state,
        }
    });
    members! {
        "ipAddress": &address.ip,
        "countryLetterCode": located.then_some(letters),
        "location": location,
        "stream": stream,
    }
}

/// An internal address.
pub(super) fn private(scene: &Scene<'_>, address: String) -> Json {
    let own = members! {
        "ipAddress": address,
        "countryLetterCode": Json::Null,
        "location": Json::Null,
        "stream": Json::Null,
    };
    inner(scene, Kind::Ip, own)
}

/// The attacker's address, within another item.
pub(super) fn attacker(scene: &mut Scene<'_>) -> Json {
    let own = ip(scene);
    inner(scene, Kind::Ip, own)
}

pub(super) fn url(scene: &mut Scene<'_>) -> Vec<Member> {
    members! { "url": address(scene) }
}

/// An address that nobody should follow.
pub(super) fn address(scene: &mut Scene<'_>) -> String {
    let domain = scene.dice.pick(&pools::FOREIGN_DOMAINS);
    let path = scene.dice.pick(&[
        "",
        "/login",
        "/d/{hex}",
        "/owa/?session={hex}&user={user}%40contoso.com",
        "/documents/view.php?id={hex}#page=2",
        "/a%20b/%7B{hex}%7D.html",
    ]);
    format!("https://{domain}{}", scene.fill(path))
}

pub(super) fn dns(scene: &mut Scene<'_>) -> Vec<Member> {
    let domain = scene.dice.pick(&pools::FOREIGN_DOMAINS);
    let host = scene.machine.ip.clone();
    members! {
        "domainName": format!("{}.{domain}", scene.dice.hex(24)),
        "dnsServerIp": private(scene, "10.0.0.53".to_owned()),
        "hostIpAddress": private(scene, host),
        "ipAddresses": [attacker(scene)],
    }
}

pub(super) fn connection(scene: &mut Scene<'_>) -> Vec<Member> {
    let source = scene.machine.ip.clone();
    members! {
        "destinationAddress": attacker(scene),
        "destinationPort": scene.dice.pick(&[443, 80, 8080, 22, 3389, 53]),
        "protocol": scene.dice.pick(&["tcp", "tcp", "udp"]),
        "sourceAddress": private(scene, source),
        "sourcePort": scene.dice.between(49_152, 65_536),
    }
}

pub(super) fn nic(scene: &mut Scene<'_>) -> Vec<Member> {
    let address = format!("10.90.{}.{}", scene.dice.between(0, 8), scene.dice.between(2, 250));
    members! {
        "macAddress": mac(scene),
        "ipAddress": private(scene, address),
        "vlans": [scene.dice.pick(&["10", "20"]), "90"],
    }
}

fn mac(scene: &mut Scene<'_>) -> String {
    let digits = scene.dice.hex(6).to_uppercase();
    let part = |from, to| digits.get(from..to).unwrap_or_default();
    format!("00-1D-9C-{}-{}-{}", part(0, 2), part(2, 4), part(4, 6))
}

pub(super) fn iot_device(scene: &mut Scene<'_>) -> Vec<Member> {
    let (kind, sub_kind, manufacturer, model) = scene.dice.pick(&[
        ("PLC", "Controller", "Rockwell Automation", "1756-L81E"),
        ("HMI", "Operator panel", "Siemens", "TP1200 Comfort"),
        ("IP Camera", "Dome", "Axis", "P3245-LVE"),
        ("Engineering Station", "Workstation", "Schneider Electric", "EcoStruxure"),
    ]);
    let number = scene.dice.between(100, 999);
    let address = format!("10.90.0.{}", number % 250 + 2);
    let hub = cloud::azure_resource(scene);
    let nic = nic(scene);
    let page = members! { "url": format!("https://portal.azure.com/#view/iot/devices/{number}") };
    members! {
        "ioTHub": inner(scene, Kind::AzureResource, hub),
        "deviceId": scene.dice.guid(),
        "deviceName": format!("{}-{number}", kind.to_lowercase().replace(' ', "-")),
        "owners": ["plant.operations@contoso.com"],
        "ioTSecurityAgentId": scene.dice.guid(),
        "deviceType": kind,
        "source": "Microsoft Defender for IoT",
        "sourceRef": inner(scene, Kind::Url, page),
        "manufacturer": manufacturer,
        "model": model,
        "operatingSystem": scene.dice.pick(&["VxWorks", "Windows 10 IoT", "Linux", "Firmware 33.011"]),
        "ipAddress": private(scene, address),
        "macAddress": mac(scene),
        "protocols": ["EtherNet/IP", "CIP", "Modbus TCP"],
        "serialNumber": scene.dice.digits(8),
        "site": "Reading plant",
        "zone": "Line 4",
        "sensor": "sensor-reading-02",
        "deviceSubType": sub_kind,
        "importance": scene.dice.pick(&["low", "normal", "high"]),
        "purdueLayer": scene.dice.pick(&["ProcessControl", "Supervisory", "Enterprise"]),
        "isProgramming": scene.dice.chance(0.3),
        "isAuthorized": scene.dice.chance(0.6),
        "isScanner": scene.dice.chance(0.1),
        "devicePageLink": format!("https://portal.azure.com/#view/iot/devices/{number}"),
        "nics": [inner(scene, Kind::Nic, nic)],
    }
}
