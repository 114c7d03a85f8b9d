//! What kind of event a record of a device table is.

use defenderbeat_mapping::{Args, Results, Value};

use super::action::slug;
use super::{contains, list, table, word};

/// Action types of DeviceEvents that are about the process that acts; sorted, in lower case. Other ones are about a
/// process that comes to be.
const ACTOR_ACTIONS: [&str; 32] = [
    "antivirusscancancelled",
    "antivirusscancompleted",
    "antivirusscanfailed",
    "appcontrolpolicyapplied",
    "appguardbrowsetourl",
    "appguardcreatecontainer",
    "appguardlaunchedwithurl",
    "appguardresumecontainer",
    "auditpolicymodification",
    "browserlaunchedtoopenurl",
    "clrunbackedmoduleloaded",
    "controlflowguardviolation",
    "createremotethreadapicall",
    "dnsqueryresponse",
    "dpapiaccessed",
    "exploitguardacgenforced",
    "exploitguardwin32systemcallblocked",
    "getasynckeystateapicall",
    "getclipboarddata",
    "ldapsearch",
    "memoryremoteprotect",
    "namedpipeevent",
    "ntallocatevirtualmemoryapicall",
    "ntallocatevirtualmemoryremoteapicall",
    "ntmapviewofsectionremoteapicall",
    "ntprotectvirtualmemoryapicall",
    "otheralertrelatedactivity",
    "powershellcommand",
    "processprimarytokenmodified",
    "screenshottaken",
    "smartscreenurlwarning",
    "writetolsassprocessmemory",
];

/// System calls on another process, whose name and path the record has too.
const TARGET_CALLS: [&str; 4] = [
    "createremotethreadapicall",
    "ntallocatevirtualmemoryremoteapicall",
    "openprocessapicall",
    "readprocessmemoryapicall",
];

/// The kinds that rows of `device.yml` distinguish, from table, action type and direction:
///
/// - the category (`process`, `file`, ..), `categorized` where there is one, `not_authentication` where it is another;
/// - `device_events`, `image_load`, `logon_events`: the table;
/// - `actor_action`: one that is about the process that acts, as its name says;
/// - `created` or `actor`: whether `process.*` is a process that was created or the one that acts; `actor_image`,
///   `actor_signature`, `actor_token`: what of the actor belongs there; `subject`: the record's own process columns
///   come first;
/// - `target`: a call on another process; `file_fields`, `file_signature`: columns of a file belong to `file.*`;
/// - `inbound`, `outbound`, `network_undirected`, `undirected`: the direction of a connection.
pub(crate) fn kinds<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let table = table::name(args, 0);
    let action = args.text(1).unwrap_or_default().to_ascii_lowercase();
    let direction = args.text(2).unwrap_or_default();
    let device_events = table == "DeviceEvents";
    let actor_action = device_events && ACTOR_ACTIONS.binary_search(&action.as_str()).is_ok();
    let mut kinds = Vec::with_capacity(12);
    let mut add = |kind| kinds.push(word(kind));
    let category = category(table, &action);
    if let Some(category) = category {
        add(category);
    }
    let is = |name: &str| category == Some(name);
    let call = is("api") || is("driver");
    if actor_action {
        add("actor_action");
    }
    if let Some(table) = match table {
        "DeviceEvents" => Some("device_events"),
        "DeviceImageLoadEvents" => Some("image_load"),
        "DeviceLogonEvents" => Some("logon_events"),
        _ => None,
    } {
        add(table);
    }
    if !is("api") {
        add("subject");
    }
    if category.is_some() {
        add("categorized");
        if !is("authentication") {
            add("not_authentication");
            if direction.is_empty() {
                add("undirected");
            }
        }
        if !call && (is("process") || (device_events && !actor_action)) {
            add("created");
        } else if call || !device_events || actor_action {
            add("actor");
            if !is("library") {
                add("actor_image");
            }
            if !is("driver") {
                add("actor_signature");
            }
            if is("library") || (device_events && !call) {
                add("actor_token");
            }
        }
        if !is("process") && !device_events {
            add("file_fields");
            if table != "DeviceFileCertificateInfo" {
                add("file_signature");
            }
        }
    }
    if is("api") && TARGET_CALLS.contains(&action.as_str()) {
        add("target");
    }
    if is("network") {
        match direction {
            "In" => add("inbound"),
            "Out" => add("outbound"),
            "" => add("network_undirected"),
            _ => {}
        }
    }
    results.set(0, list(&kinds, args.arena()));
}

/// The event's category; `action` is in lower case.
fn category(table: &str, action: &str) -> Option<&'static str> {
    if contains(action, "driverload") {
        return Some("driver");
    }
    match table {
        "DeviceEvents" if action.is_empty() => None,
        "DeviceEvents" if action.ends_with("apicall") => Some("api"),
        "DeviceEvents" | "DeviceInfo" => Some("host"),
        "DeviceLogonEvents" => Some("authentication"),
        "DeviceFileEvents" | "DeviceFileCertificateInfo" => Some("file"),
        "DeviceProcessEvents" | "CloudProcessEvents" => Some("process"),
        "DeviceImageLoadEvents" => Some("library"),
        "DeviceNetworkEvents" | "DeviceNetworkInfo" => Some("network"),
        "DeviceRegistryEvents" => Some("registry"),
        _ => None,
    }
}

/// `event.category` and `event.type` from table, action type and kinds. Both are single values, because ES|QL compares
/// no lists: of several types the last that applies.
pub(crate) fn categorize<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let table = table::name(args, 0);
    let action = args.text(1).unwrap_or_default().to_ascii_lowercase();
    let Some(category) = category(table, &action) else { return };
    results.set(0, word(category));
    let has = |word: &str| contains(&action, word);
    // Where the shorter word is not there, none of the longer ones is.
    let (connection, registry) = (has("connection"), has("registry"));
    let connected = |word: &str| connection && has(word);
    let registered = |word: &str| registry && has(word);
    let mut types: Vec<&'static str> = Vec::new();
    let mut add = |when: bool, name: &'static str| {
        if when && !types.contains(&name) {
            types.push(name);
        }
        types.is_empty()
    };
    let file = category == "file";
    add(
        matches!(category, "authentication" | "host")
            || connected("connectionfound")
            || has("networksignatureinspected"),
        "info",
    );
    add(file && action == "filedeleted", "deletion");
    add(file && (action == "filemodified" || action == "filerenamed"), "change");
    let none = add(file && action == "filecreated", "creation");
    add(file && none, "info");
    add(connected("connectionsuccess") || has("driverload") || action == "connectionattempt", "start");
    add(connected("connectionfailed"), "denied");
    add(
        connected("connectionrequest")
            || connected("listeningconnectioncreated")
            || has("processcreated")
            || (table == "DeviceImageLoadEvents" && !action.is_empty()),
        "start",
    );
    add(connected("inboundconnectionaccepted"), "start");
    add(registered("registrykeycreated"), "creation");
    add(registered("registrykeydeleted") || registered("registryvaluedeleted"), "deletion");
    add(registered("registrykeyrenamed") || registered("registryvalueset"), "change");
    let none = add(category == "network" && connected("dnsconnectioninspected"), "protocol");
    add(category == "api" && none && action.starts_with("open"), "access");
    let none = add(category == "api" && none && action.starts_with("write"), "change");
    add(matches!(category, "network" | "api") && none, "info");
    if let Some(last) = types.last() {
        results.set(1, word(last));
    }
}

/// The action type; one that is about a loaded image is `load`.
pub(crate) fn action_type<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let load = args.text(0).is_some_and(|action| contains(action, "imageloaded"));
    results.set(0, if load { word("load") } else { args.value(0) });
}

/// `event.action` from kinds and action type. Attempts to connect also carry the endpoint's word for them, because
/// sequence rules ask for it.
pub(crate) fn action<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    if !args.has(0, "categorized") {
        return;
    }
    let text = args.text(1).unwrap_or_default();
    let is = |name: &str| text.eq_ignore_ascii_case(name);
    let known = if args.has(0, "file") {
        [
            ("FileDeleted", "deletion"),
            ("FileModified", "modification"),
            ("FileRenamed", "rename"),
            ("FileCreated", "creation"),
        ]
        .into_iter()
        .find(|(name, _)| is(name))
        .map_or(Some(""), |(_, action)| Some(action))
    } else if args.has(0, "registry") {
        [
            ("RegistryKeyCreated", "creation"),
            ("RegistryValueSet", "modification"),
            ("RegistryKeyDeleted", "deletion"),
            ("RegistryValueDeleted", "deletion"),
        ]
        .into_iter()
        .find(|(name, _)| is(name))
        .map(|(_, action)| action)
    } else if args.has(0, "driver") {
        Some("load")
    } else if args.has(0, "process") && is("ProcessCreated") {
        Some("start")
    } else {
        None
    };
    let action = match known {
        Some("") => return,
        Some(action) => word(action),
        None => Value::from_text(slug(text, args.arena())),
    };
    let connection = ["ConnectionAttempt", "ConnectionSuccess", "ConnectionRequest", "ConnectionFailed"];
    results.set(
        0,
        if args.has(0, "network") && connection.into_iter().any(is) {
            Value::List(args.arena().list(&[action, word("connection_attempted")]))
        } else {
            action
        },
    );
}

/// `event.outcome` of a logon: success where there is no reason for a failure.
pub(crate) fn outcome<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    results.set(0, word(if args.value(1).is_missing() { "success" } else { "failure" }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actor_actions_are_sorted() {
        assert!(ACTOR_ACTIONS.is_sorted());
    }
}
