//! Columns that hold JSON.

use std::borrow::Cow;

use defenderbeat_mapping::letters::{contains, ends_with, same};
use defenderbeat_mapping::{Arena, Args, Json, Names, Results, Text, Value, is_pruned, write_json, write_string};
use defenderbeat_records::{Broken, Cursor, Key};

use super::table;

/// Members of AdditionalFields that go to fields of their own: the index of the result for each.
const DNS: [(&str, usize); 6] =
    [("query", 2), ("qclass_name", 3), ("qtype_name", 4), ("rcode_name", 5), ("answers", 6), ("TTLs", 7)];
const CALL: [(&str, usize); 4] =
    [("RegionSize", 9), ("ProtectionMask", 10), ("BaseAddress", 11), ("DesiredAccess", 12)];
const FLAGS: [&str; 7] = ["AA", "TC", "RD", "RA", "AD", "CD", "DO"];
const POSIX: [&str; 6] =
    ["EffectiveGroup", "EffectiveUser", "FilePermissions", "ProcessGroupId", "RealUser", "SessionId"];

/// How many results [`additional`] has.
const RESULTS: usize = 14;

/// AdditionalFields of device tables (arguments: the column, category, action type): result 0 is what stays of them,
/// the others are what is lifted out: the direction of a connection, the parts of a DNS inspection (with the flags that
/// are set), the parameters of a system call; the last result tells what POSIX members say: `all` where all are
/// there, `sid` where one of the users has a SID, as on macOS.
pub(crate) fn additional<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let value = args.value(0);
    if value.is_missing() {
        return;
    }
    let json = args.json(value).unwrap_or_default();
    let action = args.text(2).unwrap_or_default();
    let in_table = |name| table::name(args, 1) == name;
    let lifted: &[(&str, usize)] = if same(action, "DnsConnectionInspected") && in_table("DeviceNetworkEvents") {
        &DNS
    } else if ends_with(action, "apicall") && in_table("DeviceEvents") {
        &CALL
    } else {
        &[]
    };
    let mut read = read(args, json, lifted, results);
    if read == Ok(false) {
        // Of members with one name the last counts.
        let json = value.members(|members| args.arena().write(|json| write_members(&members, json)));
        clear(results);
        read = self::read(args, json.unwrap_or_default(), lifted, results);
    }
    if read == Err(Broken) {
        clear(results);
        match value.string().as_deref() {
            Some("[]" | "null") => {}
            Some(_) => results.fail(value, "is not the JSON text of an object"),
            None => results.fail(value, "is not an object"),
        }
    }
}

fn clear(results: &mut Results<'_>) {
    (0..RESULTS).for_each(|index| results.set(index, Value::Missing));
}

fn write_members(members: &[(Cow<'_, str>, Json<'_>)], json: &mut Text) {
    for (key, value) in members {
        json.push(if json.is_empty() { '{' } else { ',' });
        write_string(key, json);
        json.push(':');
        json.push_str(value.text);
    }
    json.push('}');
}

/// Reads AdditionalFields; false where a name may come twice.
fn read<'r>(
    args: &Args<'_, 'r>,
    json: &'r str,
    lifted: &[(&str, usize)],
    results: &mut Results<'r>,
) -> Result<bool, Broken> {
    let dns = std::ptr::eq(lifted, &DNS[..]);
    let mut cursor = Cursor::new(json);
    if cursor.peek() != Some(b'{') {
        return Err(Broken);
    }
    cursor.open();
    let mut rest = Rest::new(json, cursor.position());
    let mut names = Names::default();
    let mut distinct = true;
    let mut flags = [false; FLAGS.len()];
    let (mut posix, mut sid) = (0, false);
    while let Some(key) = cursor.key()? {
        let from = cursor.position();
        let raw = cursor.value()?;
        let name = args.keep(name_of(&key));
        distinct &= names.add(name);
        let target = match name {
            "direction" => Some(1),
            _ => lifted.iter().find(|(lifted, _)| *lifted == name).map(|(_, index)| *index),
        };
        if let Some((target, value)) = target.and_then(|target| Some((target, lift(name, raw, args)?))) {
            results.set(target, value);
            rest.leave_out(cursor.position());
            continue;
        }
        if dns && let Some(index) = FLAGS.iter().position(|flag| *flag == name) {
            flags.get_mut(index).into_iter().for_each(|flag| *flag = text_is(raw, "true"));
        }
        if let Some(name) = name.strip_prefix("InitiatingProcessPosix")
            && POSIX.contains(&name)
            && raw.text != "null"
        {
            posix += 1;
            sid = sid || name.ends_with("User") && has_sid(args, raw);
        }
        rest.keep(name, &key, from, raw, cursor.position());
    }
    if !cursor.is_at_end() {
        return Err(Broken);
    }
    results.set(0, rest.end(args.arena()));
    let flags = FLAGS.into_iter().zip(flags).filter_map(|(flag, is)| is.then_some(flag));
    results.set(8, super::words(flags, args.arena()));
    let said = [("all", posix == POSIX.len()), ("sid", sid)];
    let said = said.into_iter().filter(|(_, is)| *is).map(|(word, _)| word);
    results.set(13, super::words(said, args.arena()));
    Ok(distinct)
}

/// Whether a user has a SID, as on macOS.
fn has_sid<'r>(args: &Args<'_, 'r>, user: Json<'r>) -> bool {
    // Mostly it is nowhere, not even with escapes.
    (contains(user.text, "Sid") || user.text.contains('\\'))
        && args.member(Value::read(user), "Sid").is_some_and(|sid| !sid.is_missing())
}

/// The name that a key is.
fn name_of<'r>(key: &Key<'r>) -> Cow<'r, str> {
    let text = Value::read(Json { text: key.quoted, plain: !key.escaped }).string();
    // An empty one is no value.
    text.unwrap_or_default()
}

/// What stays of an object, while its members are read. Mostly that is all of it or all but a few members, so that it is
/// copied in long pieces, if at all.
struct Rest<'r> {
    json: &'r str,
    /// Where the first member begins.
    first: usize,
    /// Pieces that stay, without the last: that begins at `piece`.
    kept: Text,
    piece: usize,
    /// Where the last member ends that was read.
    end: usize,
}

impl<'r> Rest<'r> {
    fn new(json: &'r str, first: usize) -> Self {
        Self { json, first, kept: Text::default(), piece: first, end: first }
    }

    /// Leaves the next member out, which ends at `end`.
    fn leave_out(&mut self, end: usize) {
        self.end_piece();
        self.piece = end;
        self.end = end;
    }

    /// Keeps the next member, whose value stands from `from` to `end`; nothing of it, where that is empty.
    fn keep(&mut self, name: &str, key: &Key<'_>, from: usize, value: Json<'_>, end: usize) {
        // Nothing but a comma, the key and a colon stands between the values then.
        let comma = usize::from(self.end > self.first);
        let compact = from == self.end + comma + key.quoted.len() + 1;
        if compact && !key.escaped && is_pruned(value.text) {
            self.end = end;
            return;
        }
        self.leave_out(end);
        let before = self.kept.len();
        self.kept.push(if before == 0 { '{' } else { ',' });
        write_string(name, &mut self.kept);
        self.kept.push(':');
        if !write_json(value.text, &mut self.kept) {
            self.kept.truncate(before);
        }
    }

    fn end_piece(&mut self) {
        let piece = self.json.get(self.piece..self.end).unwrap_or_default();
        if !piece.is_empty() {
            self.kept.push(if self.kept.is_empty() { '{' } else { ',' });
            self.kept.push_str(piece.strip_prefix(',').unwrap_or(piece));
        }
    }

    /// Ends the object, of which all was read.
    fn end(mut self, arena: &'r Arena) -> Value<'r> {
        if (self.piece, self.end + 1) == (1, self.json.len()) && self.end > 1 {
            return Value::Json(self.json);
        }
        self.end_piece();
        if self.kept.is_empty() {
            return Value::Missing;
        }
        self.kept.push('}');
        Value::Json(arena.text(self.kept.as_str()))
    }
}

/// A member that is lifted out, with the type of its field; none where it does not fit and stays where it is.
fn lift<'r>(name: &str, raw: Json<'r>, args: &Args<'_, 'r>) -> Option<Value<'r>> {
    let arena = args.arena();
    let value = Value::read(raw);
    match name {
        "answers" => items(args.json(value).unwrap_or(raw.text), arena, |item| match item.plain {
            true if item.text == "\"\"" => Some(Value::Missing),
            true => Some(Value::Json(item.text)),
            false => match serde_json::from_str(item.text).ok()? {
                serde_json::Value::Object(_) | serde_json::Value::Array(_) => None,
                item => Some(Value::pruned(&item.to_string(), arena)),
            },
        }),
        "TTLs" => items(args.json(value).unwrap_or(raw.text), arena, |item| {
            seconds(&serde_json::from_str(item.text).ok()?).map(Value::Long)
        }),
        "ProtectionMask" => Some(Value::from_text(args.keep(value.text()?))),
        "RegionSize" | "BaseAddress" | "DesiredAccess" => {
            let text = value.text()?;
            let number = match text.strip_prefix("0x") {
                Some(digits) => u64::from_str_radix(digits, 16),
                None => text.parse::<u64>(),
            };
            let number = number.ok().filter(|number| name == "BaseAddress" || i64::try_from(*number).is_ok())?;
            Some(Value::pruned(&number.to_string(), arena))
        }
        _ if value.is_missing() => Some(Value::Missing),
        _ => Some(Value::from_text(args.keep(value.text()?))),
    }
}

/// The elements of a list; none where it is no list, or one does not fit.
fn items<'r>(json: &'r str, arena: &'r Arena, item: impl Fn(Json<'r>) -> Option<Value<'r>>) -> Option<Value<'r>> {
    let mut cursor = Cursor::new(json);
    if cursor.peek() != Some(b'[') {
        return None;
    }
    cursor.open();
    let mut items = arena.new_list(4);
    while cursor.element().ok()? {
        items.push(item(cursor.value().ok()?)?);
    }
    cursor.is_at_end().then_some(())?;
    Some(if items.is_empty() { Value::Missing } else { Value::List(items.into_bump_slice()) })
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
