//! Columns that hold JSON.

use std::borrow::Cow;

use defenderbeat_mapping::{Arena, Args, Json, Results, Text, Value, write_json, write_string};

use super::{ends_with, table};

/// Members of AdditionalFields that go to fields of their own: the index of the result for each.
const DNS: [(&str, usize); 6] =
    [("query", 2), ("qclass_name", 3), ("qtype_name", 4), ("rcode_name", 5), ("answers", 6), ("TTLs", 7)];
const CALL: [(&str, usize); 4] =
    [("RegionSize", 9), ("ProtectionMask", 10), ("BaseAddress", 11), ("DesiredAccess", 12)];
const FLAGS: [&str; 7] = ["AA", "TC", "RD", "RA", "AD", "CD", "DO"];
const POSIX: [&str; 6] =
    ["EffectiveGroup", "EffectiveUser", "FilePermissions", "ProcessGroupId", "RealUser", "SessionId"];

/// AdditionalFields of device tables (arguments: the column, category, action type): result 0 is what stays of them,
/// the others are what is lifted out: the direction of a connection, the parts of a DNS inspection (with the flags that
/// are set), the parameters of a system call; the last result tells what POSIX members say: `all` where all are
/// there, `sid` where one of the users has a SID, as on macOS.
pub(crate) fn additional<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let value = args.value(0);
    if value.is_missing() {
        return;
    }
    let table = table::name(args, 1);
    let action = args.text(2).unwrap_or_default();
    let lifted: &[(&str, usize)] = match table {
        "DeviceNetworkEvents" if action.eq_ignore_ascii_case("DnsConnectionInspected") => &DNS,
        "DeviceEvents" if ends_with(action, "apicall") => &CALL,
        _ => &[],
    };
    let dns = std::ptr::eq(lifted, &DNS[..]);
    let done = value.members(|members| {
        let mut json = Text::from("{".to_owned());
        let mut posix = 0;
        let mut sid = false;
        let mut flags: Vec<&'static str> = Vec::new();
        for (key, raw) in members {
            let target = lifted.iter().find(|(name, _)| *name == key).map(|(_, index)| *index);
            let target = if key == "direction" { Some(1) } else { target };
            if let Some((target, value)) = target.and_then(|target| Some((target, lift(&key, raw, args.arena())?))) {
                results.set(target, value);
                continue;
            }
            if dns && text_is(raw, "true") {
                flags.extend(FLAGS.iter().find(|flag| **flag == key));
            }
            if let Some(name) = key.strip_prefix("InitiatingProcessPosix")
                && POSIX.contains(&name)
                && raw.text != "null"
            {
                posix += 1;
                sid |= name.ends_with("User") && has_sid(raw);
            }
            let before = json.len();
            if before > 1 {
                json.push(',');
            }
            match &key {
                // It had no escapes, so it needs none.
                Cow::Borrowed(plain) => {
                    json.push('"');
                    json.push_str(plain);
                    json.push('"');
                }
                Cow::Owned(key) => write_string(key, &mut json),
            }
            json.push(':');
            if !write_json(raw.text, &mut json) {
                json.truncate(before);
            }
        }
        json.push('}');
        if json.len() > 2 {
            results.set(0, Value::Json(args.arena().text(json.as_str())));
        }
        flags.sort_by_key(|flag| FLAGS.iter().position(|known| known == flag));
        results.set(8, super::words(flags, args.arena()));
        let said = [("all", posix == POSIX.len()), ("sid", sid)];
        let said = said.into_iter().filter(|(_, is)| *is).map(|(word, _)| word);
        results.set(13, super::words(said, args.arena()));
    });
    if done.is_none() {
        match value.string().as_deref() {
            Some("[]" | "null") => {}
            Some(_) => results.fail(value, "is not the JSON text of an object"),
            None => results.fail(value, "is not an object"),
        }
    }
}

/// A member that is lifted out, with the type of its field; none where it does not fit and stays where it is.
fn lift<'r>(key: &str, raw: Json<'_>, arena: &'r Arena) -> Option<Value<'r>> {
    let value = Value::read(raw);
    let keep = |text: &str| Value::from_text(arena.text(text));
    match key {
        "answers" | "TTLs" => {
            let text = value.string().unwrap_or(Cow::Borrowed(raw.text));
            let items = serde_json::from_str::<Vec<serde_json::Value>>(&text).ok()?;
            let item = |item: serde_json::Value| match key {
                "TTLs" => seconds(&item).map(Value::Long),
                _ => (!item.is_object() && !item.is_array()).then(|| Value::pruned(&item.to_string(), arena)),
            };
            let items = items.into_iter().map(item).collect::<Option<Vec<Value<'r>>>>()?;
            Some(super::list(&items, arena))
        }
        "ProtectionMask" => Some(keep(&value.text()?)),
        "RegionSize" | "BaseAddress" | "DesiredAccess" => {
            let text = value.text()?;
            let number = match text.strip_prefix("0x") {
                Some(digits) => u64::from_str_radix(digits, 16),
                None => text.parse::<u64>(),
            };
            let number = number.ok().filter(|number| key == "BaseAddress" || i64::try_from(*number).is_ok())?;
            Some(Value::pruned(&number.to_string(), arena))
        }
        _ if value.is_missing() => Some(Value::Missing),
        _ => Some(keep(&value.text()?)),
    }
}

/// A lifetime: a number, or its text, without fraction.
fn seconds(item: &serde_json::Value) -> Option<i64> {
    let number = item.as_f64().or_else(|| item.as_str()?.parse().ok())?;
    #[allow(clippy::cast_possible_truncation, reason = "a lifetime is seconds in 32 bits; the cast saturates")]
    let seconds = number as i64;
    Some(seconds)
}

fn text_is(raw: Json<'_>, text: &str) -> bool {
    Value::read(raw).text().is_some_and(|value| value == text)
}

fn has_sid(raw: Json<'_>) -> bool {
    let sid = |members: Vec<(Cow<'_, str>, Json<'_>)>| {
        members.iter().any(|(key, raw)| key == "Sid" && !Value::read(*raw).is_missing())
    };
    Value::read(raw).members(sid).unwrap_or(false)
}

/// The names of LoggedOnUsers, in their order.
pub(crate) fn users<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    #[derive(serde::Deserialize)]
    struct User {
        #[serde(rename = "UserName")]
        name: Option<String>,
    }
    let value = args.value(0);
    if value.is_missing() {
        return;
    }
    let text = value.string().or_else(|| value.raw().map(Cow::Borrowed)).unwrap_or_default();
    match serde_json::from_str::<Option<Vec<User>>>(&text) {
        Ok(users) => {
            let names = users.into_iter().flatten().filter_map(|user| user.name);
            let names: Vec<Value<'r>> = names.map(|name| Value::from_text(args.arena().text(&name))).collect();
            results.set(0, Value::List(args.arena().list(&names)));
        }
        Err(_) => results.fail(value, "is not the JSON text of a list of users"),
    }
}

/// The first argument where the second is there too.
pub(crate) fn with<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    if !args.value(1).is_missing() {
        results.set(0, args.value(0));
    }
}
