//! The people and devices of a tenant. The same number is the same person, with the same ids, in every alert.

use super::dice::Dice;
use super::json::{Json, object};
use super::pools;
use crate::time::{self, DAY, Ticks};

/// The company's domain, its internal DNS domain and its NetBIOS name.
pub(crate) const DOMAIN: &str = "contoso.com";
pub(crate) const DNS_DOMAIN: &str = "corp.contoso.com";
pub(crate) const NT_DOMAIN: &str = "CONTOSO";

/// How many devices a tenant has.
const DEVICES: usize = 400;

/// Somebody with an account.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) account: String,
    pub(crate) sid: String,
    pub(crate) object_id: String,
    pub(crate) guid: String,
    pub(crate) upn: String,
    pub(crate) name: String,
}

impl Person {
    pub(crate) fn draw(seed: u64, dice: &mut Dice) -> Self {
        Self::new(seed, dice.pick(&pools::PEOPLE))
    }

    /// All of them.
    pub(crate) fn all(seed: u64) -> Vec<Self> {
        pools::PEOPLE.iter().map(|name| Self::new(seed, *name)).collect()
    }

    fn new(seed: u64, (given, surname): (&str, &str)) -> Self {
        let mut own = Dice::new(seed, given, 0);
        let account = format!("{given}.{surname}").to_lowercase().replace('ë', "e");
        Self {
            sid: format!("S-1-5-21-1004336348-1177238915-682003330-{}", own.between(1100, 99_999)),
            object_id: own.guid(),
            guid: own.guid(),
            upn: format!("{account}@{DOMAIN}"),
            name: format!("{given} {surname}"),
            account,
        }
    }

    /// `userAccount`.
    pub(crate) fn account(&self, tenant_id: &str, accesses: Vec<Json>) -> Json {
        object! {
            "accountName": &self.account,
            "domainName": NT_DOMAIN,
            "userSid": &self.sid,
            "azureAdUserId": &self.object_id,
            "userPrincipalName": &self.upn,
            "displayName": &self.name,
            "activeDirectoryObjectGuid": &self.guid,
            "tenantId": tenant_id.to_owned(),
            "resourceAccessEvents": accesses,
        }
    }
}

/// A device that is onboarded.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) id: String,
    pub(crate) object_id: String,
    pub(crate) host: String,
    pub(crate) platform: &'static str,
    pub(crate) version: &'static str,
    /// 0 where the platform has none.
    pub(crate) build: i64,
    pub(crate) ip: String,
    pub(crate) ipv6: String,
    pub(crate) first_seen: Ticks,
    /// Virtual machines have the id of theirs.
    pub(crate) vm: Option<String>,
    pub(crate) group: (i32, &'static str),
}

impl Machine {
    /// One that was there at a time.
    pub(crate) fn draw(seed: u64, at: Ticks, dice: &mut Dice) -> Self {
        Self::numbered(seed, at, dice.below(DEVICES))
    }

    /// One of them, 0, 1, 2 ..
    pub(crate) fn numbered(seed: u64, at: Ticks, number: usize) -> Self {
        let (id, (prefix, platform, version, build), mut own) = Self::begin(seed, number);
        let server = matches!(prefix, "srv" | "dc" | "lnx");
        Self {
            id,
            object_id: own.guid(),
            host: format!("{prefix}-{number:04}"),
            platform,
            version,
            build,
            ip: format!("10.{}.{}.{}", own.between(0, 64), number / 200 % 256, number % 200 + 10),
            ipv6: format!("fe80::{}:{}", own.hex(4), own.hex(4)),
            first_seen: at / DAY * DAY - own.between(30 * DAY, 900 * DAY),
            vm: (server && own.chance(0.7)).then(|| own.guid()),
            group: if server { (12, "Servers") } else { own.pick(&[(7, "Workstations"), (9, "Executives"), (0, "")]) },
        }
    }

    /// The id and the platform of one of them, without the rest.
    pub(crate) fn identity(seed: u64, number: usize) -> (String, &'static str) {
        let (id, (_, platform, ..), _) = Self::begin(seed, number);
        (id, platform)
    }

    fn begin(seed: u64, number: usize) -> (String, pools::Platform, Dice) {
        let mut own = Dice::new(seed, "device", number as u64);
        let platform = own.pick(&pools::PLATFORMS);
        (own.hex(40), platform, own)
    }

    /// Its full DNS name.
    pub(crate) fn dns_name(&self) -> String {
        format!("{}.{DNS_DOMAIN}", self.host)
    }

    /// When it was first seen, as it is sent.
    pub(crate) fn first_seen(&self) -> String {
        time::text(self.first_seen)
    }
}
