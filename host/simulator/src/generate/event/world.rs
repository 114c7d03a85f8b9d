//! The devices that events come from, with what runs on them all the time.

use std::sync::Arc;

use super::software::{Account, Os, Program, Software};
use crate::generate::Dice;
use crate::generate::directory::{self, Machine, Person};
use crate::generate::pools;
use crate::time::{DAY, HOUR, SECOND, Ticks};

/// Kinds of software for an operating system.
const RELEASES: usize = 3;

/// Whoever and whatever there is.
#[derive(Debug)]
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) tenant_id: String,
    pub(super) people: Vec<Person>,
    devices: Vec<Device>,
}

/// A device.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) machine: Machine,
    /// As events name it.
    pub(super) name: String,
    pub(super) os: Os,
    pub(super) user: Person,
    pub(super) software: Arc<Software>,
    /// When it was started.
    pub(super) boot: Ticks,
    pub(super) mac: String,
    pub(super) public_ip: String,
    /// What runs from the start, as the software lists it.
    pub(super) residents: Vec<Resident>,
    /// Sends names of accounts in the language of its system.
    german: bool,
}

/// A process that runs all the time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resident {
    pub(super) pid: i64,
    pub(super) created: Ticks,
}

/// An account, as events name it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identity<'w> {
    pub(super) domain: &'w str,
    pub(super) name: &'w str,
    pub(super) sid: Option<&'w str>,
    pub(super) upn: Option<&'w str>,
    pub(super) object_id: Option<&'w str>,
}

impl World {
    /// One with so many devices, all of them started before a time.
    pub(super) fn new(seed: u64, tenant_id: &str, devices: usize, start: Ticks) -> Self {
        let people = Person::all(seed);
        let software = |os| [0, 1, 2].map(|release| Arc::new(Software::new(seed, os, release)));
        let (windows, mac, linux) = (software(Os::Windows), software(Os::Mac), software(Os::Linux));
        let device = |number: usize| {
            let machine = Machine::numbered(seed, start, number);
            let (os, [first, second, third]) = match machine.platform {
                "macOS" => (Os::Mac, &mac),
                "Linux" => (Os::Linux, &linux),
                _ => (Os::Windows, &windows),
            };
            let software = match number % RELEASES {
                0 => first,
                1 => second,
                _ => third,
            };
            let mut dice = Dice::new(seed, "events of device", number as u64);
            let user = dice.among(&people).cloned().unwrap_or_else(|| Person::draw(seed, &mut dice));
            Device::new(machine, os, user, software.clone(), start, dice)
        };
        Self { seed, tenant_id: tenant_id.to_owned(), devices: (0..devices.max(1)).map(device).collect(), people }
    }

    /// One of the devices.
    pub(super) fn device(&self, dice: &mut Dice) -> Option<&Device> {
        dice.among(&self.devices)
    }
}

impl Device {
    fn new(machine: Machine, os: Os, user: Person, software: Arc<Software>, start: Ticks, mut dice: Dice) -> Self {
        let boot = start - dice.between(2 * HOUR, 20 * DAY);
        let mut at = boot;
        let mut pid = 0;
        let residents = (0..software.residents.len())
            .map(|slot| {
                at += dice.between(SECOND / 100, SECOND);
                pid = match (slot, os) {
                    (0, Os::Windows) => 4,
                    (0, _) => 1,
                    _ => pid + 4 * dice.between(20, 400),
                };
                Resident { pid, created: at }
            })
            .collect();
        let is_joined = os == Os::Windows;
        let (network, (first, last), ..) = dice.pick(&pools::NETWORKS);
        Self {
            name: if is_joined { machine.dns_name() } else { machine.host.clone() },
            mac: format!("00-15-5D-{}-{}-{}", dice.hex(2), dice.hex(2), dice.hex(2)).to_uppercase(),
            public_ip: format!("{network}{}", dice.between(first, last + 1)),
            german: is_joined && dice.chance(0.08),
            machine,
            os,
            user,
            software,
            boot,
            residents,
        }
    }

    /// A program that runs all the time, and its process.
    pub(super) fn resident(&self, slot: usize) -> Option<(&Program, Resident)> {
        self.software.residents.get(slot).zip(self.residents.get(slot).copied())
    }

    /// An account on this device.
    pub(super) fn identity(&self, account: Account) -> Identity<'_> {
        let user = &self.user;
        match (self.os, account) {
            (Os::Windows, Account::User) => Identity {
                domain: "contoso",
                name: &user.account,
                sid: Some(&user.sid),
                upn: Some(&user.upn),
                object_id: Some(&user.object_id),
            },
            (Os::Windows, _) => {
                let (name, translated, sid) = match account {
                    Account::LocalService => ("local service", "Lokaler Dienst", "S-1-5-19"),
                    Account::NetworkService => ("network service", "Netzwerkdienst", "S-1-5-20"),
                    _ => ("system", "SYSTEM", "S-1-5-18"),
                };
                let (domain, name) = if self.german { ("NT-AUTORITÄT", translated) } else { ("nt authority", name) };
                Identity { domain, name, sid: Some(sid), upn: None, object_id: None }
            }
            (os, Account::User) => Identity {
                domain: &self.name,
                name: &user.account,
                sid: (os == Os::Mac).then_some(&user.sid),
                upn: None,
                object_id: None,
            },
            (os, _) => Identity {
                domain: &self.name,
                name: "root",
                sid: (os == Os::Mac).then_some("S-1-5-18"),
                upn: None,
                object_id: None,
            },
        }
    }

    /// Its address in its own network.
    pub(super) fn ip(&self) -> &str {
        &self.machine.ip
    }

    /// The NetBIOS name of the domain, or its own name.
    pub(super) fn domain(&self) -> &str {
        if self.os == Os::Windows { directory::NT_DOMAIN } else { &self.name }
    }
}
