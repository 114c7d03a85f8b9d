//! Mail, mailboxes and Teams.

use super::super::directory::DOMAIN;
use super::super::enums::Kind;
use super::super::json::{Json, Member, members, object};
use super::super::pools;
use super::super::scene::Scene;
use super::{endpoint, inner, network};

/// Who sends, and from which domain.
fn sender(scene: &mut Scene<'_>) -> (String, &'static str) {
    let domain = scene.dice.pick(&pools::FOREIGN_DOMAINS);
    let name = scene.dice.pick(&["noreply", "it-support", "billing", "hr", "ceo.office"]);
    (format!("{name}@{domain}"), domain)
}

fn subject(scene: &mut Scene<'_>) -> String {
    let subject = scene.dice.pick(&pools::SUBJECTS);
    scene.fill(subject)
}

pub(super) fn message(scene: &mut Scene<'_>) -> Vec<Member> {
    let (address, domain) = sender(scene);
    let urls: Vec<String> = (0..scene.dice.between(0, 3)).map(|_| network::address(scene)).collect();
    let sender = |name: Option<&'static str>| {
        object! { "emailAddress": &address, "displayName": name, "domainName": domain }
    };
    let (envelope, header) = (sender(None), sender(Some("Contoso IT Support")));
    let network_id = scene.dice.guid();
    let (action, location) = scene.dice.pick(&[
        ("Delivered", "Inbox/folder"),
        ("DeliveredAsSpam", "JunkFolder"),
        ("Blocked", "Quarantine"),
        ("Replaced", "Inbox/folder"),
    ]);
    members! {
        "networkMessageId": &network_id,
        "internetMessageId": format!("<{}@{domain}>", scene.dice.hex(32)),
        "subject": subject(scene),
        "language": scene.dice.pick(&["en", "de", "ja", "fr"]),
        "senderIp": &scene.attacker.ip,
        "recipientEmailAddress": &scene.person.upn,
        "antiSpamDirection": scene.dice.pick(&["Inbound", "Inbound", "Intraorg", "Outbound"]),
        "deliveryAction": action,
        "deliveryLocation": location,
        "urn": format!("urn:MailEntity:{}", scene.dice.hex(32)),
        "threats": scene.dice.pick(&["ZapPhish", "NormalPhish", "HighConfPhish", "Malware"]).split(' ').map(Json::from).collect::<Vec<_>>(),
        "threatDetectionMethods": [scene.dice.pick(&["UrlReputation", "FingerPrintMatch", "AtpSafeAttachments", "Campaign"])],
        "urls": urls.iter().map(Json::from).collect::<Vec<_>>(),
        "urlCount": urls.len() as i64,
        "attachmentsCount": scene.dice.between(0, 3),
        "receivedDateTime": scene.at(),
        "p1Sender": envelope,
        "p2Sender": header,
    }
}

pub(super) fn cluster(scene: &mut Scene<'_>) -> Vec<Member> {
    let ids: Vec<String> = (0..scene.dice.between(1, 6)).map(|_| scene.dice.guid()).collect();
    let (address, domain) = sender(scene);
    let (by, value) = scene.dice.pick(&[
        ("Subject;P2SenderDomain;ContentType", 3),
        ("BodyFingerprintBin1;P2SenderDomain", 2),
        ("SenderIp;ContentType", 1),
    ]);
    let value = match value {
        3 => format!("{};{domain};1", subject(scene)),
        2 => format!("{};{domain}", scene.dice.between(1_000_000, 4_000_000_000)),
        _ => format!("{};1", scene.attacker.ip),
    };
    members! {
        "clusterBy": by,
        "clusterByValue": &value,
        "emailCount": ids.len() as i64,
        "networkMessageIds": ids,
        "query": format!("( (( (Sender:\"{address}\") )) AND (ContentType: 1) )"),
        "urn": format!("urn:MailClusterEntity:{}", scene.dice.hex(32)),
    }
}

pub(super) fn mailbox(scene: &mut Scene<'_>) -> Vec<Member> {
    let person = scene.person.clone();
    members! {
        "primaryAddress": &person.upn,
        "displayName": &person.name,
        "upn": &person.upn,
        "userAccount": scene.account(),
    }
}

pub(super) fn mailbox_configuration(scene: &mut Scene<'_>) -> Vec<Member> {
    let (kind, name) = scene.dice.pick(&[
        ("mailForwardingRule", "Forwarding to an external address"),
        ("userInboxRule", "."),
        ("mailDelegation", "Full access"),
        ("owaSettings", "Outlook on the web"),
    ]);
    members! {
        "mailboxPrimaryAddress": &scene.person.upn,
        "upn": &scene.person.upn,
        "externalDirectoryObjectId": &scene.person.object_id,
        "configurationType": kind,
        "configurationId": scene.dice.digits(19),
        "displayName": name,
    }
}

pub(super) fn submission(scene: &mut Scene<'_>) -> Vec<Member> {
    members! {
        "networkMessageId": scene.dice.guid(),
        "submissionId": scene.dice.guid(),
        "submissionDateTime": scene.at(),
        "submitter": &scene.person.upn,
        "recipient": &scene.person.upn,
        "sender": sender(scene).0,
        "senderIp": &scene.attacker.ip,
        "subject": subject(scene),
        "reportType": scene.dice.pick(&["Phish", "Junk", "Malware", "NotJunk"]),
    }
}

pub(super) fn teams_message(scene: &mut Scene<'_>) -> Vec<Member> {
    let url = network::url(scene);
    let url = inner(scene, Kind::Url, url);
    let files = if scene.dice.chance(0.3) {
        let file = endpoint::file(scene);
        vec![inner(scene, Kind::File, file)]
    } else {
        Vec::new()
    };
    let message_id = scene.dice.digits(13);
    let thread = format!("19:{}@thread.v2", scene.dice.hex(32));
    let other = format!("adele.vance@{DOMAIN}");
    let tenant = scene.tenant_id.to_owned();
    members! {
        "campaignId": scene.dice.guid(),
        "channelId": &thread,
        "deliveryAction": scene.dice.pick(&["delivered", "blocked", "replaced", "deliveredAsSpam"]),
        "deliveryLocation": scene.dice.pick(&["teams", "quarantine", "failed"]),
        "files": files,
        "groupId": scene.dice.guid(),
        "isExternal": scene.dice.chance(0.7),
        "isOwned": scene.dice.chance(0.5),
        "lastModifiedDateTime": scene.at(),
        "messageDirection": scene.dice.pick(&["inbound", "outbound", "intraorg"]),
        "messageId": &message_id,
        "owningTenantId": tenant,
        "parentMessageId": &message_id,
        "receivedDateTime": scene.before(60),
        "recipients": vec![scene.person.upn.clone(), other],
        "senderFromAddress": sender(scene).0,
        "senderIP": &scene.attacker.ip,
        "sourceAppName": "Teams",
        "sourceId": scene.dice.guid(),
        "subject": scene.maybe(0.4, "Please look at this today"),
        "suspiciousRecipients": [&scene.person.upn],
        "threadId": &thread,
        "threadType": scene.dice.pick(&["chat", "space", "meeting"]),
        "urls": [url],
    }
}
