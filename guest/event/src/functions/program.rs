//! Processes of device tables.

use defenderbeat_mapping::letters::ends_with;
use defenderbeat_mapping::{Args, Results, Value};

use super::kinds::{Kind, Kinds};
use super::word;

/// The path of the process that acts, from kinds, its folder path and its file name. The path is complete in most
/// tables; logons and some calls carry the folder alone.
pub(crate) fn executable<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let kinds = Kinds::of(args, 0);
    let call =
        kinds.has(Kind::DeviceEvents) && !kinds.has(Kind::ActorAction) && kinds.has_any(&[Kind::Api, Kind::Driver]);
    let value = if kinds.has(Kind::LogonEvents) || call { join(args, 1, 2) } else { args.value(1) };
    results.set(0, value);
}

/// The path of the process that a call is about, from its folder path and its file name.
pub(crate) fn target<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    results.set(0, join(args, 0, 1));
}

/// The path of a driver, from its folder path and its file name.
pub(crate) fn driver<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    results.set(0, join(args, 0, 1));
}

/// A path with a file name at its end; nothing without a path.
fn join<'r>(args: &Args<'_, 'r>, path: usize, name: usize) -> Value<'r> {
    let (Some(path_text), Some(name_text)) = (args.text(path), args.text(name)) else {
        return args.value(path);
    };
    if ends_with(path_text, name_text) {
        return args.value(path);
    }
    let separator = if path_text.contains('\\') || !path_text.contains('/') { '\\' } else { '/' };
    let folder = path_text.strip_suffix(separator).unwrap_or(path_text);
    Value::Text(args.arena().write(|path| {
        path.push_str(folder);
        path.push(separator);
        path.push_str(name_text);
    }))
}

/// What a signature status says of the process that created another.
pub(crate) fn signature<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let truth = match args.text(0) {
        Some("Valid") => true,
        Some("Unsigned") => false,
        _ => {
            results.set(1, args.value(0));
            return;
        }
    };
    results.set(0, Value::Bool(truth));
    results.set(1, if truth { word("trusted") } else { args.value(0) });
    results.set(2, Value::Bool(truth));
}

/// `process.entity_id` and `process.parent.entity_id`: a hash over device, process id and time of creation, because
/// process ids are used again; a process has the same one in every table. Arguments: kinds, DeviceId, then id and time
/// of the record's own process, of the one that acts, and of that one's parent, all converted, and ProcessId as sent.
pub(crate) fn entities<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let (own, actor, parent) = (|| entity(args, 2), || entity(args, 4), || entity(args, 6));
    let kinds = Kinds::of(args, 0);
    if kinds.has(Kind::Created) {
        results.set(0, own());
        results.set(1, actor());
    } else if kinds.has(Kind::Actor) {
        // The record's own process, where it has one, is what process.pid is about.
        let about_own = kinds.has(Kind::Subject) && !args.value(8).is_missing();
        results.set(0, if about_own { own() } else { actor() });
        results.set(1, parent());
    }
}

fn entity<'r>(args: &Args<'_, 'r>, pid: usize) -> Value<'r> {
    let only = |index| match args.value(index) {
        Value::List([only]) => *only,
        value => value,
    };
    let (Some(device), Value::Long(pid), Value::Time(created)) = (args.text(1), only(pid), only(pid + 1)) else {
        return Value::Missing;
    };
    let id = args.arena().identity(|identity| {
        identity.add(0, device);
        identity.add_long(1, pid);
        identity.add_long(2, created);
    });
    Value::Text(args.arena().hex(id))
}

/// The name of a system call: the action type without its last `ApiCall`.
pub(crate) fn api<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    if let Some(action) = args.text(0) {
        let name = action.get(..action.len().saturating_sub("ApiCall".len())).unwrap_or_default();
        results.set(0, Value::from_text(name));
    }
}
