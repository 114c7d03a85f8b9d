//! What was seen of devices and files: the operating system of a device, the signer of a file.
//!
//! Events of devices carry neither; DeviceInfo and DeviceFileCertificateInfo do. What a record tells leaves as a fact and
//! takes effect when the host hands it back through `learn`. The inventory is bounded: what was not learned again for
//! longest leaves first. Lookups change nothing, so that instances that learned the same log are equal.

use std::borrow::Cow;
use std::collections::VecDeque;

use defenderbeat_mapping::letters::has_upper;
use defenderbeat_mapping::{Lookup, hash_bytes};
use defenderbeat_sdk::SettingsError;
use hashbrown::HashTable;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

use crate::functions::os::of_platform;

/// Question for a device, by its DeviceId; the answer is a JSON list of five texts: operating system type, full name,
/// platform, version, name of the device.
pub(crate) const DEVICE: &str = "device";
/// Question for a file, by its SHA-1; the answer is a JSON list: signer, whether it is signed, whether it is trusted.
pub(crate) const SIGNATURE: &str = "signature";

/// Devices that are kept unless the settings say otherwise.
const DEVICES: usize = 50_000;
/// Signatures that are kept unless the settings say otherwise.
const SIGNATURES: usize = 100_000;

/// What is known.
#[derive(Debug)]
pub(crate) struct Inventory {
    devices: Shelf,
    signatures: Shelf,
}

/// The setting `inventory`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Setting {
    Switch(bool),
    Sizes(Sizes),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Sizes {
    devices: usize,
    signatures: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { devices: DEVICES, signatures: SIGNATURES }
    }
}

/// Takes the setting `inventory` out of settings: what is left, and an empty inventory.
///
/// `inventory` is `false`, `true`, or an object of sizes: `devices` and `signatures`, both counts.
pub(crate) fn settings(json: &str) -> Result<(String, Inventory), SettingsError> {
    let default = Sizes::default();
    let Ok(mut members) = serde_json::from_str::<BTreeMap<Cow<'_, str>, &RawValue>>(json) else {
        // Whoever reads the rest says what is wrong with it.
        return Ok((json.to_owned(), Inventory::new(default)));
    };
    let sizes = match members.remove("inventory").map(|raw| serde_json::from_str(raw.get())) {
        None | Some(Ok(Setting::Switch(true))) => default,
        Some(Ok(Setting::Switch(false))) => Sizes { devices: 0, signatures: 0 },
        Some(Ok(Setting::Sizes(sizes))) => sizes,
        Some(Err(_)) => {
            return Err(SettingsError {
                path: "$.inventory".to_owned(),
                message: "is not true, false or an object with `devices` and `signatures`, which are counts".to_owned(),
            });
        }
    };
    let rest = serde_json::to_string(&members)
        .map_err(|error| SettingsError { path: "$".to_owned(), message: error.to_string() })?;
    Ok((rest, Inventory::new(sizes)))
}

impl Inventory {
    fn new(sizes: Sizes) -> Self {
        Self { devices: Shelf::new(sizes.devices), signatures: Shelf::new(sizes.signatures) }
    }

    /// The fact that a record of a table tells, a line, unless it is known and was learned not long ago.
    pub(crate) fn fact(&self, table: &str, record: &[u8]) -> Option<String> {
        let (shelf, mark) = match table {
            "DeviceInfo" => (&self.devices, 'd'),
            "DeviceFileCertificateInfo" => (&self.signatures, 's'),
            _ => return None,
        };
        if shelf.capacity == 0 {
            return None;
        }
        let (key, answer) = if mark == 'd' { device(record)? } else { signature(record)? };
        (!shelf.is_fresh(key, &answer)).then(|| format!("{mark}{key:032x}{answer}\n"))
    }

    /// Takes facts.
    pub(crate) fn learn(&mut self, facts: &[u8]) {
        for line in String::from_utf8_lossy(facts).lines() {
            let shelf = match line.get(..1) {
                Some("d") => &mut self.devices,
                Some("s") => &mut self.signatures,
                _ => continue,
            };
            let key = line.get(1..33).and_then(|key| u128::from_str_radix(key, 16).ok());
            if let (Some(key), Some(answer)) = (key, line.get(33..)) {
                shelf.learn(key, answer);
            }
        }
    }

    /// All that is known, in the order of learning.
    pub(crate) fn facts(&self) -> String {
        let mut facts = String::new();
        for (mark, shelf) in [('d', &self.devices), ('s', &self.signatures)] {
            for (key, answer) in shelf.entries() {
                facts.push_str(&format!("{mark}{key:032x}{answer}\n"));
            }
        }
        facts
    }
}

/// Answers from the inventory what it is asked, and from the host the rest.
pub(crate) struct Known<'a> {
    pub(crate) inventory: &'a Inventory,
    pub(crate) host: &'a dyn Lookup,
}

impl Lookup for Known<'_> {
    fn find(&self, kind: &str, key: &str) -> Option<String> {
        match kind {
            DEVICE => self.inventory.devices.answer(key),
            SIGNATURE => self.inventory.signatures.answer(key),
            _ => self.host.find(kind, key),
        }
    }
}

/// What stands for an id, in any case of its letters.
fn key_of(id: &str) -> u128 {
    if has_upper(id) { hash_bytes(id.to_ascii_lowercase().as_bytes()) } else { hash_bytes(id.as_bytes()) }
}

#[derive(Deserialize)]
struct Envelope<T> {
    properties: T,
}

fn device(record: &[u8]) -> Option<(u128, String)> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Device {
        device_id: Option<String>,
        device_name: Option<String>,
        #[serde(rename = "OSPlatform")]
        platform: Option<String>,
        #[serde(rename = "OSDistribution")]
        distribution: Option<String>,
        #[serde(rename = "OSVersion")]
        version: Option<String>,
    }
    let Envelope { properties: found } = serde_json::from_slice::<Envelope<Device>>(record).ok()?;
    let platform = found.platform.unwrap_or_default();
    let answer = [
        of_platform(&platform).unwrap_or_default(),
        &platform,
        &found.distribution.unwrap_or_default(),
        &found.version.unwrap_or_default(),
        &found.device_name.unwrap_or_default().to_lowercase(),
    ];
    if platform.is_empty() {
        return None;
    }
    Some((key_of(&found.device_id.filter(|id| !id.is_empty())?), serde_json::to_string(&answer).ok()?))
}

fn signature(record: &[u8]) -> Option<(u128, String)> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Signature {
        #[serde(rename = "SHA1")]
        sha1: Option<String>,
        signer: Option<String>,
        is_signed: Option<serde_json::Value>,
        is_trusted: Option<serde_json::Value>,
    }
    let Envelope { properties: found } = serde_json::from_slice::<Envelope<Signature>>(record).ok()?;
    let truth = |value: Option<serde_json::Value>| match value?.to_string().trim_matches('"').to_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    };
    let answer = (found.signer.unwrap_or_default(), truth(found.is_signed), truth(found.is_trusted));
    Some((key_of(&found.sha1.filter(|sha1| !sha1.is_empty())?), serde_json::to_string(&answer).ok()?))
}

/// Answers by key, of which the ones not learned again for longest leave first.
#[derive(Debug)]
struct Shelf {
    capacity: usize,
    answers: HashTable<Answer>,
    /// Turns and keys in the order of learning; one whose turn is not the answer's own is stale.
    order: VecDeque<(u64, u128)>,
    turn: u64,
}

#[derive(Debug)]
struct Answer {
    key: u128,
    turn: u64,
    json: Box<str>,
}

impl Shelf {
    fn new(capacity: usize) -> Self {
        Self { capacity, answers: HashTable::new(), order: VecDeque::new(), turn: 0 }
    }

    fn find(&self, key: u128) -> Option<&Answer> {
        self.answers.find(short(key), |answer| answer.key == key)
    }

    /// What is known under an id.
    fn answer(&self, id: &str) -> Option<String> {
        // Many deployments send no records that teach it.
        if self.answers.is_empty() { None } else { self.get(key_of(id)) }
    }

    fn get(&self, key: u128) -> Option<String> {
        self.find(key).map(|answer| answer.json.to_string())
    }

    /// Whether the answer is known and belongs to the half that was learned last.
    fn is_fresh(&self, key: u128, json: &str) -> bool {
        let half = u64::try_from(self.capacity / 2).unwrap_or(u64::MAX);
        self.find(key).is_some_and(|answer| &*answer.json == json && self.turn - answer.turn < half)
    }

    fn learn(&mut self, key: u128, json: &str) {
        if self.capacity == 0 {
            return;
        }
        self.turn += 1;
        let turn = self.turn;
        match self.answers.find_mut(short(key), |answer| answer.key == key) {
            Some(answer) => {
                answer.turn = turn;
                if &*answer.json != json {
                    answer.json = json.into();
                }
            }
            None => {
                self.answers
                    .insert_unique(short(key), Answer { key, turn, json: json.into() }, |answer| short(answer.key));
            }
        }
        self.order.push_back((turn, key));
        while self.answers.len() > self.capacity {
            let Some((turn, key)) = self.order.pop_front() else { break };
            if let Ok(entry) = self.answers.find_entry(short(key), |answer| answer.key == key && answer.turn == turn) {
                entry.remove();
            }
        }
        if self.order.len() > self.capacity.saturating_mul(2) {
            let answers = &self.answers;
            self.order.retain(|(turn, key)| {
                answers.find(short(*key), |answer| answer.key == *key).is_some_and(|answer| answer.turn == *turn)
            });
        }
    }

    fn entries(&self) -> impl Iterator<Item = (u128, &str)> {
        self.order.iter().filter_map(|(turn, key)| {
            let answer = self.find(*key).filter(|answer| answer.turn == *turn)?;
            Some((*key, &*answer.json))
        })
    }
}

/// The table's hash of a key, which is a hash already.
fn short(key: u128) -> u64 {
    #[allow(clippy::cast_possible_truncation, reason = "the lower half of a hash is a hash")]
    let short = key as u64;
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_learned_again_leaves_first() {
        let mut shelf = Shelf::new(2);
        for (key, json) in [(1, "a"), (2, "b"), (1, "a"), (3, "c")] {
            shelf.learn(key, json);
        }
        assert_eq!(shelf.entries().collect::<Vec<_>>(), [(1, "a"), (3, "c")]);
        for _ in 0..100 {
            shelf.learn(3, "d");
        }
        assert_eq!(shelf.get(3).as_deref(), Some("d"));
        assert!(shelf.order.len() <= 5);
    }

    #[test]
    fn facts_give_the_same_inventory() {
        let mut inventory = Inventory::new(Sizes::default());
        let info = br#"{"properties":{"DeviceId":"A1","DeviceName":"Mac-1","OSPlatform":"macOS","OSVersion":"14.1"}}"#;
        let file = br#"{"properties":{"SHA1":"ff","Signer":"Apple","IsSigned":true,"IsTrusted":"1"}}"#;
        for (table, record) in [("DeviceInfo", &info[..]), ("DeviceFileCertificateInfo", file)] {
            let fact = inventory.fact(table, record).unwrap();
            inventory.learn(fact.as_bytes());
            assert_eq!(inventory.fact(table, record), None);
        }
        let mut other = Inventory::new(Sizes::default());
        other.learn(inventory.facts().as_bytes());
        let known = Known { inventory: &other, host: &defenderbeat_mapping::NoLookup };
        assert_eq!(known.find(DEVICE, "a1").unwrap(), r#"["macos","macOS","","14.1","mac-1"]"#);
        assert_eq!(known.find(SIGNATURE, "FF").unwrap(), r#"["Apple",true,true]"#);
        assert_eq!(known.find(DEVICE, "b"), None);
    }

    #[test]
    fn the_setting_is_taken_out_and_checked() {
        let (rest, inventory) = settings(r#"{"tags":["a"],"inventory":{"devices":3}}"#).unwrap();
        assert_eq!(rest, r#"{"tags":["a"]}"#);
        assert_eq!((inventory.devices.capacity, inventory.signatures.capacity), (3, SIGNATURES));
        assert_eq!(settings(r#"{"inventory":false}"#).unwrap().1.devices.capacity, 0);
        assert_eq!(settings(r#"{"inventory":"on"}"#).unwrap_err().path, "$.inventory");
    }
}
