//! Tables about messages in Teams. The records of a block that are about one message share its ids.

use super::json::{Object, Time};
use super::record::Record;
use super::table::Table;
use crate::generate::directory::Person;

/// Appends the columns of a record.
pub(super) fn write(record: &mut Record<'_>, row: &mut Object<'_>) {
    let mut own = record.shared_dice("message", record.position % 2);
    let (id, thread) = (own.digits(13), own.hex(32));
    let Some(sender) = own.among(&record.world.people) else { return };
    let is_external = own.chance(0.2);
    let threat = if is_external && own.chance(0.5) { Some("Phish") } else { None };
    row.set("Timestamp", Time(record.timestamp));
    row.set("TeamsMessageId", format_args!("19:{thread}@thread.v2{id}"));
    row.set("ReportId", format_args!("{}-{id}", record.index));
    match record.table {
        Table::MessageUrlInfo => {
            row.set("Url", "https://docs-share.example.net/view?d=1&x='<y>'");
            row.set("UrlDomain", "docs-share.example.net");
            row.set("ThreatTypes", threat);
        }
        Table::MessageEvents => write_message(record, row, sender, [&id, &thread], is_external, threat),
        _ => write_post_delivery(record, row, sender, is_external),
    }
}

fn write_message(
    record: &mut Record<'_>,
    row: &mut Object<'_>,
    sender: &Person,
    [id, thread]: [&str; 2],
    is_external: bool,
    threat: Option<&str>,
) {
    let recipients = record.world.people.get(record.dice.below(20)..).unwrap_or_default();
    let dice = &mut record.dice;
    let is_channel = dice.chance(0.4);
    row.set("LastEditedTime", dice.chance(0.2).then_some(Time(record.timestamp)));
    row.set("SenderEmailAddress", &sender.upn);
    row.set("SenderDisplayName", &sender.name);
    row.set("SenderObjectId", &sender.object_id);
    row.set("SenderType", if is_external { "FederatedUser" } else { "User" });
    row.objects("RecipientDetails", recipients.len().min(4), |index, recipient| {
        if let Some(person) = recipients.get(index) {
            recipient.set("RecipientSmtpAddress", &person.upn);
            recipient.set("RecipientDisplayName", &person.name);
            recipient.set("RecipientObjectId", &person.object_id);
            recipient.set("RecipientType", "User");
        }
    });
    row.set("IsOwnedThread", !is_external);
    row.set("MessageId", id);
    row.set("ParentMessageId", is_channel.then_some(id));
    row.set("GroupId", is_channel.then_some("5e0b7f6a-6d0e-4b58-8f0e-02b6f7a2d3c4"));
    row.set("GroupName", is_channel.then_some("Vertrieb & Größen"));
    row.set("ThreadId", format_args!("19:{thread}@thread.v2"));
    row.set("ThreadName", is_channel.then_some("General"));
    row.set("ThreadType", if is_channel { "Channel" } else { "Chat" });
    row.set("ThreadSubType", if is_channel { "Standard" } else { "OneOnOne" });
    row.set("IsExternalThread", is_external);
    row.set("MessageType", "RichText");
    row.set("MessageSubtype", "Html");
    row.set("MessageVersion", id);
    row.set("Subject", is_channel.then_some("Quartal 3 🎉"));
    row.set("ThreatTypes", threat);
    if threat.is_some() {
        row.object("DetectionMethods", |methods| methods.set("Phish", ["URL malicious reputation"]));
        row.object("ConfidenceLevel", |levels| levels.set("Phish", "High"));
    } else {
        row.nulls(["DetectionMethods", "ConfidenceLevel"]);
    }
    row.set("DeliveryAction", if threat.is_some() { "Blocked" } else { "Delivered" });
    row.set("DeliveryLocation", if threat.is_some() { "Quarantine" } else { "Teams" });
    row.set("SafetyTip", threat.map(|_| "External sender"));
}

fn write_post_delivery(record: &mut Record<'_>, row: &mut Object<'_>, sender: &Person, is_external: bool) {
    let Some(recipient) = record.dice.among(&record.world.people) else { return };
    let dice = &mut record.dice;
    row.set("Action", dice.pick(&["Moved to quarantine", "Blocked"]));
    row.set("ActionType", dice.pick(&["Phish ZAP", "Malware ZAP", "Manual remediation"]));
    row.set("ActionTrigger", dice.pick(&["ZAP", "AdminAction"]));
    row.set("ActionResult", dice.pick(&["Success", "Error"]));
    row.set("SenderEmailAddress", &sender.upn);
    row.objects("RecipientDetails", 1, |_, details| {
        details.set("RecipientSmtpAddress", &recipient.upn);
        details.set("RecipientObjectId", &recipient.object_id);
    });
    // So it is spelled on the wire.
    row.set("ThreadTypes", "Phish");
    row.object("ConfidenceLevel", |levels| levels.set("Phish", "High"));
    row.set("DetectionMethods", "URL malicious reputation");
    row.set("LatestDeliveryLocation", "Quarantine");
    row.set("IsExternalThread", is_external);
    if record.has_rare_columns {
        row.set("SafetyTip", if is_external { "External sender" } else { "" });
    }
}
