//! Processes. Which one acts follows from the record's number, so whoever is named by several records has the same id and
//! the same creation time in each of them, without any of them being kept.

use super::json::{Object, Time};
use super::record::Record;
use super::software::{Account, Os, Program};
use super::world::{Device, Identity};
use crate::generate::Dice;
use crate::time::{SECOND, Ticks};

/// Earlier records of a block that are asked whether they created the process that acts.
const ASKED: u64 = 10;

/// A process.
pub(super) struct Process<'w> {
    pub(super) program: &'w Program,
    pub(super) device: &'w Device,
    pub(super) pid: i64,
    pub(super) created: Ticks,
    pub(super) account: Account,
    pub(super) command_line: String,
    pub(super) parent: Parent<'w>,
}

/// What is known of the process that started another.
#[derive(Clone, Copy)]
pub(super) struct Parent<'w> {
    pub(super) origin: Origin,
    pub(super) name: &'w str,
    pub(super) pid: i64,
    pub(super) created: Ticks,
}

/// Where a process comes from.
#[derive(Clone, Copy)]
pub(super) enum Origin {
    /// It runs all the time; its number.
    Resident(usize),
    /// The record at this position of the block created it.
    Created(u64),
}

impl<'w> Process<'w> {
    /// The one that acts in a record.
    pub(super) fn acting(record: &mut Record<'w>) -> Option<Self> {
        let slot = record.dice.below(record.device.residents.len());
        let mut origin = Origin::Resident(slot);
        for _ in 0..ASKED {
            let position = record.dice.below(64) as u64;
            if position < record.position && record.creates_process(position) {
                origin = Origin::Created(position);
                break;
            }
        }
        let actor = Self::of(record, origin)?;
        // Its creation has all digits, also where the record's time has not.
        record.timestamp = record.timestamp.max(actor.created);
        Some(actor)
    }

    /// Where it comes from.
    pub(super) fn of(record: &Record<'w>, origin: Origin) -> Option<Self> {
        match origin {
            Origin::Resident(slot) => Self::resident(record.device, slot),
            Origin::Created(position) => Self::created(record, position),
        }
    }

    /// One that the record at a position of the block creates.
    pub(super) fn created(record: &Record<'w>, position: u64) -> Option<Self> {
        let device = record.device;
        let (mut dice, program, pid, created) = birth(record, position)?;
        let parent = parent(record, &mut dice, program, position)?;
        let mut command_line = String::new();
        fill(dice.among(program.listed.commands).copied().unwrap_or_default(), device, &mut dice, &mut command_line);
        Some(Self { program, device, pid, created, account: program.listed.account, command_line, parent })
    }

    /// One that runs all the time.
    pub(super) fn resident(device: &'w Device, slot: usize) -> Option<Self> {
        let (program, process) = device.resident(slot)?;
        let (parent, started_by) = device.resident(program.parent)?;
        Some(Self {
            program,
            device,
            pid: process.pid,
            created: process.created,
            account: program.listed.account,
            command_line: program.listed.commands.first().copied().unwrap_or_default().to_owned(),
            parent: Parent {
                origin: Origin::Resident(program.parent),
                name: &parent.lower_name,
                pid: started_by.pid,
                created: started_by.created,
            },
        })
    }

    /// Who runs it.
    pub(super) fn identity(&self) -> Identity<'w> {
        self.device.identity(self.account)
    }

    /// Its session on Windows.
    pub(super) fn session(&self) -> i64 {
        i64::from(self.account == Account::User)
    }

    /// The logon that it belongs to.
    pub(super) fn logon_id(&self) -> i64 {
        match self.account {
            Account::System => 999,
            Account::LocalService => 997,
            Account::NetworkService => 996,
            Account::User => 100_000 + self.device.boot.rem_euclid(900_000),
        }
    }

    /// Its number among all processes of the device since it was started.
    pub(super) fn unique_id(&self) -> Option<String> {
        let number = (1_i64 << 48) + (self.created - self.device.boot) / (SECOND / 100) % (1 << 40);
        (self.device.os == Os::Windows).then(|| number.to_string())
    }

    /// Integrity level and elevation, where there are such.
    pub(super) fn token(&self) -> (Option<&'static str>, &'static str) {
        match (self.device.os, self.account) {
            (Os::Windows, Account::User) if self.pid % 5 == 0 => (Some("High"), "TokenElevationTypeFull"),
            (Os::Windows, Account::User) => (Some("Medium"), "TokenElevationTypeLimited"),
            (Os::Windows, _) => (Some("System"), "TokenElevationTypeDefault"),
            _ => (None, "None"),
        }
    }

    /// Who runs it and what it is, as `InitiatingProcess*`.
    pub(super) fn write_as_actor(&self, row: &mut Object<'_>) {
        let (code, identity) = (&self.program.code, self.identity());
        row.set("InitiatingProcessSHA1", &code.sha1);
        row.set("InitiatingProcessSHA256", &code.sha256);
        row.set("InitiatingProcessMD5", &code.md5);
        row.set("InitiatingProcessFileName", &self.program.lower_name);
        row.set("InitiatingProcessFileSize", code.size);
        row.set("InitiatingProcessFolderPath", &self.program.lower_path);
        row.set("InitiatingProcessId", self.pid);
        row.set("InitiatingProcessCommandLine", &self.command_line);
        row.set("InitiatingProcessCreationTime", Time(self.created));
        row.set("InitiatingProcessAccountDomain", identity.domain);
        row.set("InitiatingProcessAccountName", identity.name);
        row.set("InitiatingProcessAccountSid", identity.sid);
        row.set("InitiatingProcessAccountUpn", identity.upn);
        row.set("InitiatingProcessAccountObjectId", identity.object_id);
        self.write_version(
            row,
            [
                "InitiatingProcessVersionInfoCompanyName",
                "InitiatingProcessVersionInfoProductName",
                "InitiatingProcessVersionInfoProductVersion",
                "InitiatingProcessVersionInfoInternalFileName",
                "InitiatingProcessVersionInfoOriginalFileName",
                "InitiatingProcessVersionInfoFileDescription",
            ],
        );
        row.set("InitiatingProcessParentId", self.parent.pid);
        row.set("InitiatingProcessParentFileName", self.parent.name);
        row.set("InitiatingProcessParentCreationTime", Time(self.parent.created));
        self.write_session(
            row,
            [
                "InitiatingProcessSessionId",
                "IsInitiatingProcessRemoteSession",
                "InitiatingProcessRemoteSessionDeviceName",
                "InitiatingProcessRemoteSessionIP",
            ],
        );
        row.set("InitiatingProcessUniqueId", self.unique_id());
    }

    /// `InitiatingProcessIntegrityLevel` and `InitiatingProcessTokenElevation`.
    pub(super) fn write_token_as_actor(&self, row: &mut Object<'_>) {
        let (level, elevation) = self.token();
        row.set("InitiatingProcessIntegrityLevel", level);
        row.set("InitiatingProcessTokenElevation", elevation);
    }

    /// Its version resource: company, product, version, internal name, original name, description.
    pub(super) fn write_version(&self, row: &mut Object<'_>, names: [&str; 6]) {
        let code = &self.program.code;
        if code.maker.company.is_empty() {
            return row.nulls(names);
        }
        let [company, product, version, internal, original, description] = names;
        row.set(company, code.maker.company);
        row.set(product, code.maker.product);
        row.set(version, &code.version);
        row.set(internal, code.name.trim_end_matches(".exe"));
        row.set(original, code.name);
        row.set(description, self.program.listed.description);
    }

    /// Its session: id, whether it is a remote one, the other device's name and address.
    pub(super) fn write_session(&self, row: &mut Object<'_>, names: [&str; 4]) {
        let [id, is_remote, name, ip] = names;
        if self.device.os != Os::Windows {
            return row.nulls([id, is_remote, name, ip]);
        }
        let is_by_remote_desktop = self.account == Account::User && self.device.boot % 7 == 0;
        row.set(id, if is_by_remote_desktop { 2 } else { self.session() });
        row.set(is_remote, is_by_remote_desktop);
        if is_by_remote_desktop {
            row.set(name, format_args!("LT-{:04}", self.device.boot % 400));
            row.set(ip, format_args!("10.60.{}.{}", self.device.boot % 4, self.device.boot % 251));
        } else {
            row.nulls([name, ip]);
        }
    }

    /// What unix knows of it besides, with names that begin like this.
    pub(super) fn write_posix(&self, fields: &mut Object<'_>, prefix: &str) {
        let named = |name: &str| format!("{prefix}{name}");
        let (user, group, id) = self.posix_user();
        let who = |fields: &mut Object<'_>| {
            if let Some(sid) = self.identity().sid {
                fields.set("Sid", sid);
            }
            fields.set("Name", user);
            fields.set("DomainName", &self.device.name);
            fields.set("LogonId", 0);
            fields.set("PosixUserId", id);
            fields.object("PrimaryPosixGroup", |fields| {
                fields.set("Name", group);
                fields.set("PosixGroupId", id);
            });
        };
        fields.object(&named("PosixEffectiveUser"), who);
        fields.object(&named("PosixEffectiveGroup"), |fields| {
            fields.set("Name", group);
            fields.set("PosixGroupId", id);
        });
        fields.set(&named("PosixProcessGroupId"), self.pid);
        fields.set(&named("PosixSessionId"), if id == 0 { 0 } else { self.parent.pid });
        fields.set(&named("CurrentWorkingDirectory"), if id == 0 { "/" } else { self.home() });
        fields.set(
            &named("PosixFilePermissions"),
            ["OwnerRead", "OwnerWrite", "OwnerExecute", "GroupRead", "GroupExecute"],
        );
        fields.object(&named("PosixRealUser"), who);
    }

    /// Name and primary group of its user, and the id of both.
    pub(super) fn posix_user(&self) -> (&'w str, &'static str, i64) {
        let name = self.identity().name;
        match (self.account, self.device.os) {
            (Account::User, Os::Mac) => (name, "staff", 501),
            (Account::User, _) => (name, "users", 1000),
            (_, Os::Mac) => (name, "wheel", 0),
            _ => (name, "root", 0),
        }
    }

    fn home(&self) -> &'static str {
        if self.device.os == Os::Mac { "/Users/Shared" } else { "/home" }
    }
}

/// Program, id and creation time of what the record at a position creates, and the dice for the rest of it.
fn birth<'w>(record: &Record<'w>, position: u64) -> Option<(Dice, &'w Program, i64, Ticks)> {
    let index = record.index_at(position);
    let mut dice = Dice::new(record.world.seed, "process", index);
    let program = dice.among(&record.device.software.started)?;
    let pid = 4 * dice.between(250, 9000);
    let created = record.timeline.timestamp(index) - dice.between(1, SECOND / 50);
    Some((dice, program, pid, created))
}

/// What started a program: now and then a shell that was started earlier in the block.
fn parent<'w>(record: &Record<'w>, dice: &mut Dice, program: &Program, position: u64) -> Option<Parent<'w>> {
    for _ in 0..ASKED {
        let earlier = dice.below(64) as u64;
        if earlier < position && record.creates_process(earlier) {
            let (_, shell, pid, created) = birth(record, earlier)?;
            if shell.is_shell() && shell.listed.account == program.listed.account {
                return Some(Parent { origin: Origin::Created(earlier), name: &shell.lower_name, pid, created });
            }
        }
    }
    let (resident, process) = record.device.resident(program.parent)?;
    let origin = Origin::Resident(program.parent);
    Some(Parent { origin, name: &resident.lower_name, pid: process.pid, created: process.created })
}

/// Appends a text, with what stands in braces replaced.
pub(super) fn fill(template: &str, device: &Device, dice: &mut Dice, text: &mut String) {
    let mut rest = template;
    while let Some((plain, special)) = rest.split_once('{') {
        text.push_str(plain);
        let Some((name, after)) = special.split_once('}') else {
            text.push('{');
            rest = special;
            continue;
        };
        match name {
            "user" => text.push_str(&device.user.account),
            "host" => text.push_str(&device.machine.host),
            "hex" => text.push_str(&dice.hex(8)),
            "guid" => text.push_str(&dice.guid()),
            "number" => text.push_str(&dice.digits(9)),
            _ => {
                text.push('{');
                rest = special;
                continue;
            }
        }
        rest = after;
    }
    text.push_str(rest);
}

/// Members of a table that has a process that acts.
pub(super) fn write_common(record: &mut Record<'_>, actor: &Process<'_>, row: &mut Object<'_>) {
    actor.write_as_actor(row);
    actor.write_token_as_actor(row);
    let is_contained = actor.device.os == Os::Windows && record.dice.chance(0.005);
    row.set("AppGuardContainerId", if is_contained { record.dice.guid() } else { String::new() });
}

/// Names of the members of [`Process::write_as_actor`] and [`write_common`], for records in which nobody acts.
pub(super) fn write_nobody(row: &mut Object<'_>) {
    row.nulls([
        "InitiatingProcessSHA1",
        "InitiatingProcessSHA256",
        "InitiatingProcessMD5",
        "InitiatingProcessFileName",
        "InitiatingProcessFileSize",
        "InitiatingProcessFolderPath",
    ]);
    row.set("InitiatingProcessId", 0);
    row.nulls([
        "InitiatingProcessCommandLine",
        "InitiatingProcessCreationTime",
        "InitiatingProcessAccountDomain",
        "InitiatingProcessAccountName",
        "InitiatingProcessAccountSid",
        "InitiatingProcessAccountUpn",
        "InitiatingProcessAccountObjectId",
        "InitiatingProcessVersionInfoCompanyName",
        "InitiatingProcessVersionInfoProductName",
        "InitiatingProcessVersionInfoProductVersion",
        "InitiatingProcessVersionInfoInternalFileName",
        "InitiatingProcessVersionInfoOriginalFileName",
        "InitiatingProcessVersionInfoFileDescription",
    ]);
    row.set("InitiatingProcessParentId", 0);
    row.nulls([
        "InitiatingProcessParentFileName",
        "InitiatingProcessParentCreationTime",
        "InitiatingProcessIntegrityLevel",
    ]);
    row.set("InitiatingProcessTokenElevation", "None");
    row.nulls(["InitiatingProcessSessionId"]);
    row.set("IsInitiatingProcessRemoteSession", false);
    row.nulls([
        "InitiatingProcessRemoteSessionDeviceName",
        "InitiatingProcessRemoteSessionIP",
        "InitiatingProcessUniqueId",
        "AppGuardContainerId",
    ]);
}
