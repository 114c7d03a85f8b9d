//! `DeviceNetworkEvents`.

use crate::generate::event::json::Object;
use crate::generate::event::process::{self, Process};
use crate::generate::event::record::Record;
use crate::generate::event::software::Os;
use crate::generate::{Dice, pools};

/// Actions with a process that acts.
const CONNECTIONS: [(u32, &str); 12] = [
    (44, "ConnectionSuccess"),
    (14, "ConnectionRequest"),
    (9, "ConnectionFailed"),
    (6, "ConnectionAttempt"),
    (3, "ConnectionAcknowledged"),
    (5, "InboundConnectionAccepted"),
    (2, "InboundConnectionAttempt"),
    (2, "InboundConnectionAcknowledged"),
    (4, "ListeningConnectionCreated"),
    (1, "ConnectionFound"),
    (1, "ConnectionSuccessAggregatedReport"),
    (1, "ConnectionFailedAggregatedReport"),
];

/// Actions of deep inspection, in which nobody acts: the port of the other side, its protocol.
const INSPECTIONS: [(u32, (&str, i64)); 11] = [
    (40, ("DnsConnectionInspected", 53)),
    (16, ("SslConnectionInspected", 443)),
    (14, ("HttpConnectionInspected", 80)),
    (8, ("NetworkSignatureInspected", 445)),
    (6, ("KerberosConnectionInspected", 88)),
    (5, ("NtlmAuthenticationInspected", 445)),
    (4, ("IcmpConnectionInspected", 0)),
    (3, ("SshConnectionInspected", 22)),
    (1, ("FtpConnectionInspected", 21)),
    (1, ("SmtpConnectionInspected", 25)),
    (2, ("InboundInternetScanInspected", 3389)),
];

/// Where connections go: address as it is requested, port.
const PEERS: [(u32, (&str, i64)); 10] = [
    (14, ("https://settings-win.data.microsoft.com/settings/v3.0/wsd/muse?ProcessorClockSpeed=2112", 443)),
    (12, ("outlook.office365.com", 443)),
    (12, ("teams.microsoft.com", 443)),
    (10, ("contoso.sharepoint.com", 443)),
    (6, ("http://ctldl.windowsupdate.com/msdownload/update/v3/static/trustedr/en/disallowedcertstl.cab", 80)),
    (5, ("github.com", 443)),
    (3, ("bücher.example", 443)),
    (2, ("https://cdn-updates.example.org/gate?id=7&k=a'b", 8443)),
    (20, ("", 443)),
    (6, ("", 445)),
];

pub(super) fn write(record: &mut Record<'_>, row: &mut Object<'_>) {
    if record.dice.chance(0.2) {
        return write_inspection(record, row);
    }
    let Some(actor) = Process::acting(record) else { return };
    let device = record.device;
    let dice = &mut record.dice;
    let action =
        if device.os == Os::Windows || dice.chance(0.2) { dice.weighted(&CONNECTIONS) } else { "ConnectionRequest" };
    let (url, port) = dice.weighted(&PEERS);
    let (remote, remote_type) = peer(dice);
    let local_port = dice.between(49_152, 65_536);
    let is_v6 = dice.chance(0.06);
    let events = dice.between(2, 4000);
    let is_listening = action == "ListeningConnectionCreated";
    record.write_event(row, action);
    if is_listening {
        row.nulls(["RemoteIP", "RemotePort", "RemoteUrl", "RemoteIPType"]);
        row.set("LocalIP", "0.0.0.0");
        row.set("LocalPort", port);
        row.set("LocalIPType", "Reserved");
    } else {
        let kinds: [&str; 2] = if is_v6 { ["2001:db8:85a3::8a2e:370:7334", "Public"] } else { [&remote, remote_type] };
        let [remote, remote_type] = kinds;
        row.set("RemoteIP", remote);
        row.set("RemotePort", port);
        row.set("RemoteUrl", (!url.is_empty()).then_some(url));
        row.set("RemoteIPType", remote_type);
        row.set("LocalIP", if is_v6 { &device.machine.ipv6 } else { device.ip() });
        row.set("LocalPort", local_port);
        row.set("LocalIPType", "Private");
    }
    row.set(
        "Protocol",
        match port % 4 {
            1 if is_v6 => "TcpV6",
            1 => "TcpV4",
            _ => "Tcp",
        },
    );
    process::write_common(record, &actor, row);
    if record.has_rare_columns {
        row.set("LogonID", actor.logon_id());
    }
    match action {
        "ConnectionSuccessAggregatedReport" | "ConnectionFailedAggregatedReport" => {
            row.object_text("AdditionalFields", |fields| fields.set("uniqueEventsAggregated", events));
        }
        "ConnectionAttempt"
        | "ConnectionAcknowledged"
        | "InboundConnectionAttempt"
        | "InboundConnectionAcknowledged" => {
            row.object_text("AdditionalFields", |fields| {
                if action.starts_with("Connection") {
                    fields.set("direction", "Out");
                }
                fields.set("Tcp Flags", 2);
                fields.set("Source Mac", &device.mac);
                fields.set("Destination Mac", "00-15-5D-00-00-01");
                fields.set("Packet Size", 66);
            });
        }
        _ if device.os != Os::Windows => {
            row.object_text("AdditionalFields", |fields| actor.write_posix(fields, "InitiatingProcess"));
        }
        _ => row.set("AdditionalFields", (local_port % 2 == 0).then_some("{}")),
    }
}

/// Address of the other side, and its kind.
fn peer(dice: &mut Dice) -> (String, &'static str) {
    match dice.below(10) {
        0..5 => {
            let (network, (first, last), ..) = dice.pick(&pools::NETWORKS);
            (format!("{network}{}", dice.between(first, last + 1)), "Public")
        }
        5 => (format!("::ffff:10.{}.1.{}", dice.below(64), dice.below(250)), "FourToSixMapping"),
        6 => ("127.0.0.1".to_owned(), "Loopback"),
        7 => (format!("100.64.{}.{}", dice.below(64), dice.below(250)), "CarrierGradeNat"),
        _ => (format!("10.{}.{}.{}", dice.below(64), dice.below(4), dice.between(10, 250)), "Private"),
    }
}

fn write_inspection(record: &mut Record<'_>, row: &mut Object<'_>) {
    let (device, timestamp) = (record.device, record.timestamp);
    let dice = &mut record.dice;
    let (action, port) = dice.weighted(&INSPECTIONS);
    let is_out = action != "InboundInternetScanInspected" && dice.chance(0.8);
    let (remote, _) = peer(dice);
    let local_port = dice.between(49_152, 65_536);
    let protocol = match action {
        "IcmpConnectionInspected" => Some("Icmp"),
        "DnsConnectionInspected" => Some("Udp"),
        "NetworkSignatureInspected" => None,
        _ => Some("Tcp"),
    };
    let uid = format!("C{}", dice.hex(17));
    let id = dice.between(1, 65_536);
    let answers = dice.below(3);
    record.write_event(row, action);
    row.set("RemoteIP", if action == "DnsConnectionInspected" { "10.0.0.10" } else { &remote });
    row.set("RemotePort", (port > 0).then_some(port));
    row.set(
        "RemoteUrl",
        (action == "HttpConnectionInspected").then_some("http://intranet.contoso.com/a b/?q=1&r=\"2\""),
    );
    row.set("LocalIP", device.ip());
    row.set("LocalPort", (port > 0).then_some(local_port));
    row.nulls(["LocalIPType", "RemoteIPType"]);
    row.set("Protocol", protocol);
    process::write_nobody(row);
    if record.has_rare_columns {
        row.set("LogonID", 0);
    }
    row.object_text("AdditionalFields", |fields| {
        if action != "NetworkSignatureInspected" && action != "InboundInternetScanInspected" {
            fields.set("direction", if is_out { "Out" } else { "In" });
            fields.set("uid", &uid);
            // Microsoft sends the ticks of a Windows file time.
            fields.set("ts", format_args!("{}", timestamp + 116_444_736_000_000_000));
        }
        write_seen(fields, action, id, answers, &remote);
    });
}

/// What was seen on the wire.
fn write_seen(fields: &mut Object<'_>, action: &str, id: i64, answers: usize, remote: &str) {
    match action {
        "DnsConnectionInspected" => {
            fields.set("trans_id", format_args!("{id}"));
            fields.set("rtt", format_args!("0.0{id}"));
            fields.set("query", "outlook.office365.com");
            for (name, value) in [("qclass", "1"), ("qclass_name", "C_INTERNET"), ("qtype", "1"), ("qtype_name", "A")] {
                fields.set(name, value);
            }
            fields.set("rcode", if answers == 0 { "3" } else { "0" });
            fields.set("rcode_name", if answers == 0 { "NXDOMAIN" } else { "NOERROR" });
            for (name, value) in [("AA", "false"), ("TC", "false"), ("RD", "true"), ("RA", "true")] {
                fields.set(name, value);
            }
            let all = ["outlook.ha.office365.com", remote];
            let ttls = [f64::from(u16::try_from(id).unwrap_or(60)), 20.5];
            fields.list_text("answers", all.get(..answers).unwrap_or_default());
            fields.list_text("TTLs", ttls.get(..answers).unwrap_or_default());
            fields.set("rejected", "false");
        }
        "SslConnectionInspected" => {
            fields.set("version", "TLSv13");
            fields.set("cipher", "TLS_AES_256_GCM_SHA384");
            fields.set("curve", "x25519");
            fields.set("server_name", "outlook.office365.com");
            fields.set("established", "true");
            fields.set("resumed", "false");
            fields.set("next_protocol", "h2");
            fields.set("subject", "CN=outlook.office365.com,O=Microsoft Corporation,L=Redmond,ST=Washington,C=US");
            fields.set("issuer", "CN=DigiCert Cloud Services CA-1,O=DigiCert Inc,C=US");
        }
        "HttpConnectionInspected" => {
            fields.set("method", "GET");
            fields.set("host", "intranet.contoso.com");
            fields.set("uri", "/a b/?q=1&r=\"2\"");
            fields.set("user_agent", "Microsoft-CryptoAPI/10.0");
            fields.set("status_code", "200");
            fields.set("status_msg", "OK");
            fields.set("version", "1.1");
            fields.set("request_body_len", "0");
            fields.set("response_body_len", format_args!("{id}"));
            fields.list_text("tags", ["text/html"]);
        }
        "NetworkSignatureInspected" => {
            fields.set("SignatureName", "SMB_Client");
            fields.set("SignatureMatchedContent", "%FESMB%40%00");
            fields.set("SamplePacketContent", "%01%00%5E%00%FFSMBr");
        }
        "NtlmAuthenticationInspected" => {
            fields.set("server_nb_computer_name", "FS01");
            fields.set("server_dns_computer_name", "fs01.corp.contoso.com");
            fields.set("server_nb_domain_name", "CONTOSO");
            fields.set("server_version", "10.0 20348 15");
        }
        "KerberosConnectionInspected" => {
            fields.set("request_type", "TGS");
            fields.set("client", "adele.vance/CORP.CONTOSO.COM");
            fields.set("service", "cifs/fs01.corp.contoso.com");
            fields.set("success", "true");
            fields.set("cipher", "aes256-cts-hmac-sha1-96");
        }
        "IcmpConnectionInspected" => {
            fields.set("conn_state", "OTH");
            fields.set("duration", format_args!("0.{id}"));
            for (name, value) in [
                ("orig_bytes", "64"),
                ("orig_pkts", "2"),
                ("resp_bytes", "64"),
                ("resp_pkts", "2"),
                ("missed_bytes", "0"),
            ] {
                fields.set(name, value);
            }
        }
        "SshConnectionInspected" => {
            fields.set("client", "SSH-2.0-OpenSSH_for_Windows_9.5");
            fields.set("server", "SSH-2.0-OpenSSH_9.6p1 Ubuntu-3ubuntu13.5");
            fields.set("auth_attempts", "1");
            fields.set("auth_success", "true");
        }
        "FtpConnectionInspected" => {
            fields.set("user", "anonymous");
            fields.set("command", "RETR");
            fields.set("reply_code", "226");
            fields.set("reply_msg", "Transfer complete");
        }
        "SmtpConnectionInspected" => {
            fields.set("helo", "mail.proseware.example");
            fields.set("mailfrom", "billing@proseware.example");
            fields.set("last_reply", "250 2.0.0 Ok: queued");
            fields.set("tls", "true");
        }
        _ => {
            fields.set("PublicScannedIp", remote);
            fields.set("PublicScannedPort", 3389);
            fields.set("PublicScannedProtocol", "tcp");
        }
    }
}
