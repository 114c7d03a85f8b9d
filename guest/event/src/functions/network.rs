//! Addresses and protocols.

use defenderbeat_mapping::letters::contains;
use defenderbeat_mapping::{Args, Results, Value};

/// A hardware address in upper case with `-` for `:` and `.`, no separators added.
pub(crate) fn mac_text<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    if let Some(text) = args.text(0) {
        results.set(0, Value::from_text(args.arena().text(&separated(text))));
    }
}

/// A hardware address as a list of one, pairs joined by `-`.
pub(crate) fn mac_list<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let Some(text) = args.text(0) else { return };
    let mut text = separated(text);
    if !text.contains('-') {
        let characters: Vec<char> = text.chars().collect();
        let pairs: Vec<String> = characters.chunks(2).map(|pair| pair.iter().collect()).collect();
        text = pairs.join("-");
    }
    let arena = args.arena();
    results.set(0, Value::List(arena.list(&[Value::from_text(arena.text(&text))])));
}

fn separated(text: &str) -> String {
    text.replace([':', '.'], "-").to_uppercase()
}

/// The text without the braces around it.
pub(crate) fn without_braces<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let Some(text) = args.text(0) else { return };
    let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    results.set(0, inner.map_or(args.value(0), Value::from_text));
}

/// The host that the other side was asked for by: of a URL, or of text that is a host with or without port and path.
pub(crate) fn domain<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let Some(text) = args.text(0) else { return };
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = match host.find(']') {
        Some(end) => host.get(..=end).unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let odd = |letter: char| letter.is_whitespace() || letter == '\\';
    if (host.contains('.') || host.starts_with('[')) && !host.contains(odd) {
        results.set(0, Value::from_text(host));
    }
}

/// `network.transport` and `network.protocol` from the columns Protocol and RequestProtocol and the action type.
pub(crate) fn protocols<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let lower = |text: &'r str| args.arena().lowercase(text);
    let mut protocol = "";
    let transport = match args.text(0).map_or("", lower) {
        "ntlm" => {
            protocol = "ntlm";
            ""
        }
        "tcpv4" | "tcpv6" => "tcp",
        "negotiate" | "microsoft_authentication_package_v1_0" => "",
        transport => transport,
    };
    results.set(0, Value::from_text(transport));
    if let Some(requested) = args.text(1) {
        protocol = lower(requested);
    }
    if let Some(action) = args.text(2)
        && let Some(word) = ["ftp", "ssl", "http", "dns"].into_iter().find(|word| contains(action, word))
    {
        protocol = word;
    }
    if protocol != "local" && protocol != "unknown" {
        results.set(1, Value::from_text(protocol));
    }
}
