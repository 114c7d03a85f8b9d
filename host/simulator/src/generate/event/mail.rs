//! Tables about mail. The records of a block that are about one message share its ids.

use super::json::{Object, Time};
use super::record::Record;
use super::table::Table;
use crate::generate::Dice;
use crate::generate::directory::{DOMAIN, Person};
use crate::generate::pools;

/// Messages that the records of a block are about.
const MESSAGES: u64 = 6;

/// A message.
struct Mail<'w> {
    id: String,
    internet_id: String,
    is_inbound: bool,
    sender: (String, &'static str, &'w str),
    sender_domain: &'static str,
    sender_object_id: Option<&'w str>,
    ip: String,
    recipient: &'w Person,
    subject: String,
    threat: Option<&'static str>,
    url: String,
    cluster: u64,
}

/// Appends the columns of a record.
pub(super) fn write(record: &mut Record<'_>, row: &mut Object<'_>) {
    let Some(mail) = Mail::draw(record) else { return };
    row.set("Timestamp", Time(record.timestamp));
    row.set("NetworkMessageId", &mail.id);
    row.set("ReportId", format_args!("{}-{}-{}", mail.id, mail.cluster, record.index));
    match record.table {
        Table::EmailEvents => write_message(record, &mail, row),
        Table::EmailUrlInfo => write_url(record, &mail, row),
        Table::EmailAttachmentInfo => write_attachment(record, &mail, row),
        Table::EmailPostDeliveryEvents => write_post_delivery(record, &mail, row),
        _ => write_click(record, &mail, row),
    }
}

impl<'w> Mail<'w> {
    fn draw(record: &mut Record<'w>) -> Option<Self> {
        let mut own = record.shared_dice("mail", record.position % MESSAGES);
        let is_inbound = own.chance(0.7);
        let from = own.among(&record.world.people)?;
        let threat = if is_inbound && own.chance(0.2) {
            Some(own.pick(&["Phish", "Spam", "Malware", "Phish, Malware"]))
        } else {
            None
        };
        let (network, (first, last), ..) = own.pick(&pools::NETWORKS);
        let foreign = own.pick(&pools::FOREIGN_DOMAINS);
        let subject = own.pick(&pools::SUBJECTS).replace("{hex}", &own.hex(8));
        Some(Self {
            id: own.guid(),
            internet_id: format!("<{}@{}>", own.hex(32), if is_inbound { foreign } else { DOMAIN }),
            sender: if is_inbound {
                (format!("billing@{foreign}"), "Fabrikam – Rechnungen", foreign)
            } else {
                (from.upn.clone(), "", DOMAIN)
            },
            sender_domain: if is_inbound { foreign } else { DOMAIN },
            sender_object_id: (!is_inbound).then_some(&from.object_id),
            ip: format!("{network}{}", own.between(first, last + 1)),
            recipient: record.dice.among(&record.world.people)?,
            url: format!("https://{foreign}/view/{}?u=a%40b&t=<1>", own.hex(24)),
            cluster: own.bits() >> 1,
            is_inbound,
            subject,
            threat,
        })
    }

    fn direction(&self) -> &'static str {
        if self.is_inbound { "Inbound" } else { "Intra-org" }
    }

    fn location(&self) -> (&'static str, &'static str) {
        match self.threat {
            None => ("Delivered", "Inbox/folder"),
            Some("Spam") => ("Junked", "Junk folder"),
            Some(_) => ("Blocked", "Quarantine"),
        }
    }
}

fn write_message(record: &mut Record<'_>, mail: &Mail<'_>, row: &mut Object<'_>) {
    let dice = &mut record.dice;
    let (address, name, domain) = &mail.sender;
    let (action, location) = mail.location();
    row.set("InternetMessageId", &mail.internet_id);
    row.set("SenderMailFromAddress", address);
    row.set("SenderFromAddress", address);
    row.set("SenderDisplayName", name);
    row.set("SenderObjectId", mail.sender_object_id);
    row.set("SenderMailFromDomain", domain);
    row.set("SenderFromDomain", mail.sender_domain);
    row.set("SenderIPv4", mail.is_inbound.then_some(&mail.ip));
    row.set("SenderIPv6", (!mail.is_inbound).then_some("2001:db8:4:5::1a"));
    row.set("RecipientEmailAddress", &mail.recipient.upn);
    row.set("RecipientObjectId", &mail.recipient.object_id);
    row.set("RecipientDomain", DOMAIN);
    row.set("Subject", &mail.subject);
    row.set("EmailClusterId", mail.cluster);
    row.set("EmailDirection", mail.direction());
    row.set("DeliveryAction", action);
    row.set("DeliveryLocation", location);
    row.set("ThreatTypes", mail.threat.unwrap_or_default());
    row.set("ThreatNames", if mail.threat == Some("Malware") { "Trojan:Win32/Emotet.PA!MTB" } else { "" });
    match mail.threat {
        Some(_) => row.object_text("DetectionMethods", |methods| {
            methods.set("Phish", ["URL detonation reputation", "Impersonation brand"])
        }),
        None => row.set("DetectionMethods", ""),
    }
    row.set("ThreatClassification", mail.threat.map(|_| "Invoice"));
    match mail.threat {
        Some(_) => row.object_text("ConfidenceLevel", |levels| {
            levels.set("Spam", "Not spam");
            levels.set("Phish", "High");
        }),
        None => row.nulls(["ConfidenceLevel"]),
    }
    row.set("BulkComplaintLevel", dice.chance(0.3).then(|| dice.between(0, 10)));
    row.set("EmailAction", mail.threat.map(|_| "Send to quarantine"));
    row.set("EmailActionPolicy", mail.threat.map(|_| "Antiphishing"));
    row.set("EmailActionPolicyGuid", mail.threat.map(|_| "c0c0a1b2-5b0f-4a7e-9a36-6f1f3a6b1a01"));
    row.object_text("AuthenticationDetails", |details| {
        let verdict = if mail.threat.is_some() { "fail" } else { "pass" };
        for (name, value) in [("SPF", verdict), ("DKIM", "none"), ("DMARC", verdict), ("CompAuth", "pass")] {
            details.set(name, value);
        }
    });
    row.set("AttachmentCount", dice.between(0, 4));
    row.set("UrlCount", dice.between(0, 30));
    row.set("EmailLanguage", dice.pick(&["en", "de", "ja"]));
    row.set("Connectors", mail.is_inbound.then_some("From partner gateway"));
    row.set("OrgLevelAction", dice.chance(0.05).then_some("Allow"));
    row.set("OrgLevelPolicy", dice.chance(0.05).then_some("Exchange transport rule"));
    row.set("UserLevelAction", dice.chance(0.02).then_some("Block"));
    row.set("UserLevelPolicy", dice.chance(0.02).then_some("Sender address list"));
    row.set("AdditionalFields", dice.chance(0.1).then_some("{\"NormalizedRecipient\":true}"));
    row.set("DistributionList", dice.chance(0.1).then_some("all-staff@contoso.com"));
    row.set("ExchangeTransportRule", dice.chance(0.1).then_some("External banner, Disclaimer \"DE\""));
    row.set("ForwardingInformation", if dice.chance(0.03) { "forwarded to adele.vance@contoso.com" } else { "" });
    row.set("Context", if dice.chance(0.03) { "Evaluation" } else { "" });
    row.set("To", [&mail.recipient.upn]);
    let others = dice.below(3);
    row.set(
        "Cc",
        record
            .world
            .people
            .get(..others)
            .map(|people| people.iter().map(|person| person.upn.as_str()).collect::<Vec<_>>()),
    );
    row.set("EmailSize", dice.between(4_000, 8_000_000));
    row.set("IsFirstContact", mail.is_inbound && dice.chance(0.3));
    if record.has_rare_columns {
        row.set("LatestDeliveryLocation", location);
        row.set("LatestDeliveryAction", action);
        row.set("LastEventExecutionTime", Time(record.timestamp));
    }
}

fn write_url(record: &mut Record<'_>, mail: &Mail<'_>, row: &mut Object<'_>) {
    let dice = &mut record.dice;
    row.set("Url", &mail.url);
    row.set("UrlDomain", mail.url.split('/').nth(2));
    row.set("UrlLocation", dice.pick(&["Body", "Attachment", "Subject", "QRCode"]));
    let chain = dice.chance(0.2).then(|| dice.guid());
    row.set("UrlChainPosition", chain.as_ref().map(|_| dice.between(0, 5)));
    row.set("UrlChainId", chain);
}

fn write_attachment(record: &mut Record<'_>, mail: &Mail<'_>, row: &mut Object<'_>) {
    let dice = &mut record.dice;
    let (name, kind) = dice.pick(&[
        ("Invoice {hex}.docm", "docm"),
        ("Rechnung – März.pdf", "pdf"),
        ("image001.png", "png"),
        ("請求書.zip", "zip"),
        ("winmail.dat", "dat"),
    ]);
    row.set("SenderFromAddress", &mail.sender.0);
    row.set("SenderDisplayName", mail.sender.1);
    row.set("SenderObjectId", mail.sender_object_id);
    row.set("RecipientEmailAddress", &mail.recipient.upn);
    row.set("RecipientObjectId", &mail.recipient.object_id);
    row.set("FileName", name.replace("{hex}", &dice.hex(6)));
    row.set("FileType", kind);
    row.set("FileExtension", kind);
    row.set("SHA256", dice.hex(64));
    row.set("FileSize", dice.between(900, 9_000_000));
    row.set("ThreatTypes", mail.threat);
    row.set("ThreatNames", mail.threat.map(|_| "TrojanDownloader:O97M/Qakbot.PAA!MTB"));
    match mail.threat {
        Some(_) => row.object_text("DetectionMethods", |methods| methods.set("Malware", ["File detonation"])),
        None => row.nulls(["DetectionMethods"]),
    }
}

fn write_post_delivery(record: &mut Record<'_>, mail: &Mail<'_>, row: &mut Object<'_>) {
    let dice = &mut record.dice;
    row.set("InternetMessageId", &mail.internet_id);
    row.set("Action", dice.pick(&["Moved to quarantine", "Moved to junk folder", "Deleted"]));
    row.set("ActionType", dice.pick(&["Phish ZAP", "Malware ZAP", "Spam ZAP", "Manual Remediation", "Redelivery"]));
    row.set("ActionTrigger", dice.pick(&["ZAP", "Admin", "Automation"]));
    row.set("ActionResult", dice.pick(&["Success", "Failed"]));
    row.set("RecipientEmailAddress", &mail.recipient.upn);
    row.set("DeliveryLocation", dice.pick(&["Quarantine", "Junk folder", "Inbox/folder"]));
    row.set("ThreatTypes", mail.threat.unwrap_or("Phish"));
    row.set("DetectionMethods", "URL malicious reputation");
    row.set("SenderFromAddress", &mail.sender.0);
    row.set("EmailDirection", mail.direction());
    if record.has_rare_columns {
        row.set("SourceLocation", "Inbox/folder");
    }
}

fn write_click(record: &mut Record<'_>, mail: &Mail<'_>, row: &mut Object<'_>) {
    let dice = &mut record.dice;
    let action = dice.weighted(&[
        (80, "ClickAllowed"),
        (10, "ClickBlocked"),
        (2, "ClickBlockedByTenantPolicy"),
        (4, "UrlErrorPage"),
        (4, "UrlScanInProgress"),
    ]);
    let is_through = action != "ClickAllowed" && dice.chance(0.2);
    row.set("Url", &mail.url);
    row.set("ActionType", action);
    row.set("AccountUpn", &mail.recipient.upn);
    row.set("Workload", dice.pick(&["Email", "Office", "Teams"]));
    row.set("ThreatTypes", mail.threat.unwrap_or_default());
    row.set("DetectionMethods", mail.threat.map_or("", |_| "URL detonation"));
    row.set("IPAddress", &mail.ip);
    row.set("IsClickedThrough", is_through);
    row.list_text("UrlChain", [&mail.url, "https://login-contoso.example/signin"]);
    row.set("AppName", dice.pick(&["Mail", "Word", "Teams"]));
    row.set("AppVersion", dice.pick(&["16.0.18429.20132", "0.0.0000"]));
    row.set("SourceId", dice.chance(0.5).then(|| Dice::guid(dice)));
    if record.has_rare_columns {
        row.set("TenantId", &record.world.tenant_id);
        row.set("Type", "UrlClickEvents");
        row.set("SourceSystem", "Microsoft");
        row.set("TimeGenerated", Time(record.timestamp));
    }
}
