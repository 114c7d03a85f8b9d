//! What kind of event a record of a device table is.

use defenderbeat_mapping::letters::{contains, ends_with, same, starts_with};
use defenderbeat_mapping::{Args, Results, Value};

use super::action::slug;
use super::kinds::{Kind, Kinds};
use super::{table, word};

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
///
/// The first result are their words, for rows, the second the set, for functions.
pub(crate) fn kinds<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let table = table::name(args, 0);
    let action = args.text(1).unwrap_or_default();
    let direction = args.text(2).unwrap_or_default();
    let device_events = table == "DeviceEvents";
    let actor_action = device_events && ACTOR_ACTIONS.binary_search(&args.arena().lowercase(action)).is_ok();
    let mut words = args.arena().new_list(12);
    let mut kinds = Kinds::default();
    let mut add = |kind: Kind| {
        words.push(word(kind.word()));
        kinds.add(kind);
    };
    let category = category(table, action);
    if let Some(category) = category {
        add(category);
    }
    let is = |kind: Kind| category == Some(kind);
    let call = is(Kind::Api) || is(Kind::Driver);
    if actor_action {
        add(Kind::ActorAction);
    }
    match table {
        "DeviceEvents" => add(Kind::DeviceEvents),
        "DeviceImageLoadEvents" => add(Kind::ImageLoad),
        "DeviceLogonEvents" => add(Kind::LogonEvents),
        _ => {}
    }
    if !is(Kind::Api) {
        add(Kind::Subject);
    }
    if category.is_some() {
        add(Kind::Categorized);
        if !is(Kind::Authentication) {
            add(Kind::NotAuthentication);
            if direction.is_empty() {
                add(Kind::Undirected);
            }
        }
        if !call && (is(Kind::Process) || (device_events && !actor_action)) {
            add(Kind::Created);
        } else if call || !device_events || actor_action {
            add(Kind::Actor);
            if !is(Kind::Library) {
                add(Kind::ActorImage);
            }
            if !is(Kind::Driver) {
                add(Kind::ActorSignature);
            }
            if is(Kind::Library) || (device_events && !call) {
                add(Kind::ActorToken);
            }
        }
        if !is(Kind::Process) && !device_events {
            add(Kind::FileFields);
            if table != "DeviceFileCertificateInfo" {
                add(Kind::FileSignature);
            }
        }
    }
    if is(Kind::Api) && TARGET_CALLS.iter().any(|call| same(call, action)) {
        add(Kind::Target);
    }
    if is(Kind::Network) {
        match direction {
            "In" => add(Kind::Inbound),
            "Out" => add(Kind::Outbound),
            "" => add(Kind::NetworkUndirected),
            _ => {}
        }
    }
    results.set(0, Value::List(words.into_bump_slice()));
    results.set(1, kinds.value());
}

/// The kind that is the event's category, too.
fn category(table: &str, action: &str) -> Option<Kind> {
    if contains(action, "driverload") {
        return Some(Kind::Driver);
    }
    match table {
        "DeviceEvents" if action.is_empty() => None,
        "DeviceEvents" if ends_with(action, "apicall") => Some(Kind::Api),
        "DeviceEvents" | "DeviceInfo" => Some(Kind::Host),
        "DeviceLogonEvents" => Some(Kind::Authentication),
        "DeviceFileEvents" | "DeviceFileCertificateInfo" => Some(Kind::File),
        "DeviceProcessEvents" | "CloudProcessEvents" => Some(Kind::Process),
        "DeviceImageLoadEvents" => Some(Kind::Library),
        "DeviceNetworkEvents" | "DeviceNetworkInfo" => Some(Kind::Network),
        "DeviceRegistryEvents" => Some(Kind::Registry),
        _ => None,
    }
}

/// The kinds that are values of `event.category`; a record has one of them, if any.
const CATEGORIES: [Kind; 9] = [
    Kind::File,
    Kind::Process,
    Kind::Network,
    Kind::Registry,
    Kind::Library,
    Kind::Host,
    Kind::Authentication,
    Kind::Api,
    Kind::Driver,
];

/// `event.category` and `event.type` from kinds and action type. Both are single values, because ES|QL compares
/// no lists: of several types the last that applies.
pub(crate) fn categorize<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let kinds = Kinds::of(args, 0);
    let action = args.text(1).unwrap_or_default();
    let Some(category) = CATEGORIES.into_iter().find(|category| kinds.has(*category)) else { return };
    results.set(0, word(category.word()));
    let is = |name: &str| same(action, name);
    let has = |word: &str| contains(action, word);
    // Where the shorter word is not there, none of the longer ones is.
    let (connection, registry) = (has("connection"), has("registry"));
    let connected = |word: &str| connection && has(word);
    let registered = |word: &str| registry && has(word);
    let mut types = Types::default();
    let file = category == Kind::File;
    types.add(
        matches!(category, Kind::Authentication | Kind::Host)
            || connected("connectionfound")
            || has("networksignatureinspected"),
        "info",
    );
    types.add(file && is("filedeleted"), "deletion");
    types.add(file && (is("filemodified") || is("filerenamed")), "change");
    types.add(file && is("filecreated"), "creation");
    types.add(file && types.none(), "info");
    types.add(connected("connectionsuccess") || category == Kind::Driver || is("connectionattempt"), "start");
    types.add(connected("connectionfailed"), "denied");
    types.add(
        connected("connectionrequest")
            || connected("listeningconnectioncreated")
            || has("processcreated")
            || (kinds.has(Kind::ImageLoad) && !action.is_empty()),
        "start",
    );
    types.add(connected("inboundconnectionaccepted"), "start");
    types.add(registered("registrykeycreated"), "creation");
    types.add(registered("registrykeydeleted") || registered("registryvaluedeleted"), "deletion");
    types.add(registered("registrykeyrenamed") || registered("registryvalueset"), "change");
    types.add(category == Kind::Network && connected("dnsconnectioninspected"), "protocol");
    types.add(category == Kind::Api && types.none() && starts_with(action, "open"), "access");
    types.add(category == Kind::Api && types.none() && starts_with(action, "write"), "change");
    types.add(matches!(category, Kind::Network | Kind::Api) && types.none(), "info");
    if let Some(last) = types.last() {
        results.set(1, word(last));
    }
}

/// Values of `event.type` that apply, each once; there are eight.
#[derive(Default)]
struct Types {
    all: [&'static str; 8],
    count: usize,
}

impl Types {
    fn add(&mut self, when: bool, name: &'static str) {
        if when
            && !self.all.contains(&name)
            && let Some(place) = self.all.get_mut(self.count)
        {
            *place = name;
            self.count += 1;
        }
    }

    fn none(&self) -> bool {
        self.count == 0
    }

    fn last(&self) -> Option<&'static str> {
        self.all.iter().rfind(|name| !name.is_empty()).copied()
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
    let kinds = Kinds::of(args, 0);
    if !kinds.has(Kind::Categorized) {
        return;
    }
    let text = args.text(1).unwrap_or_default();
    let is = |name: &str| same(text, name);
    let known = if kinds.has(Kind::File) {
        [
            ("FileDeleted", "deletion"),
            ("FileModified", "modification"),
            ("FileRenamed", "rename"),
            ("FileCreated", "creation"),
        ]
        .into_iter()
        .find(|(name, _)| is(name))
        .map_or(Some(""), |(_, action)| Some(action))
    } else if kinds.has(Kind::Registry) {
        [
            ("RegistryKeyCreated", "creation"),
            ("RegistryValueSet", "modification"),
            ("RegistryKeyDeleted", "deletion"),
            ("RegistryValueDeleted", "deletion"),
        ]
        .into_iter()
        .find(|(name, _)| is(name))
        .map(|(_, action)| action)
    } else if kinds.has(Kind::Driver) {
        Some("load")
    } else if kinds.has(Kind::Process) && is("ProcessCreated") {
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
        if kinds.has(Kind::Network) && connection.into_iter().any(is) {
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
