//! Who and what takes part in one alert, so that names agree between its items of evidence.

use super::dice::Dice;
use super::directory::{Machine, Person};
use super::enums::Members;
use super::json::{Json, object};
use super::outline::Outline;
use super::pools::{self, Image, Network};
use crate::time::{self, SECOND, Ticks};

/// Items of evidence that share one cast. What is longer, or has more of them, is about more than one device.
const ACT: usize = 8;

/// The cast of an alert, and the dice that the rest of it is drawn with.
pub(crate) struct Scene<'a> {
    pub(crate) dice: Dice,
    pub(crate) members: Members,
    pub(crate) tenant_id: &'a str,
    pub(crate) person: Person,
    pub(crate) machine: Machine,
    pub(crate) attacker: Address,
    pub(crate) file: File,
    pub(crate) threat: [&'static str; 3],
    /// When it happened.
    pub(crate) activity: Ticks,
    /// When the alert was created.
    pub(crate) created: Ticks,
    seed: u64,
    items: usize,
}

/// A public address.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) ip: String,
    pub(crate) place: [&'static str; 4],
    pub(crate) coordinates: [f64; 2],
}

/// A file and what identifies it.
#[derive(Clone)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) folder: String,
    pub(crate) publisher: Option<&'static str>,
    pub(crate) size: i64,
    pub(crate) md5: String,
    pub(crate) sha1: String,
    pub(crate) sha256: String,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(seed: u64, tenant_id: &'a str, alert: &Outline, members: Members) -> Self {
        let mut dice = Dice::new(seed, "scene", alert.index as u64);
        let activity = alert.created - dice.between(30 * SECOND, 900 * SECOND);
        let person = Person::draw(seed, &mut dice);
        let file = File::found(&mut dice, &person.account);
        Self {
            machine: Machine::draw(seed, activity, &mut dice),
            attacker: Address::draw(&mut dice),
            threat: dice.pick(&pools::THREATS),
            created: alert.created,
            dice,
            members,
            tenant_id,
            person,
            file,
            activity,
            seed,
            items: 0,
        }
    }

    /// Begins the next item of evidence; now and then with a new cast.
    pub(crate) fn next_item(&mut self) {
        if self.items > 0 && self.items.is_multiple_of(ACT) {
            self.person = Person::draw(self.seed, &mut self.dice);
            self.machine = Machine::draw(self.seed, self.activity, &mut self.dice);
            self.attacker = Address::draw(&mut self.dice);
            self.file = File::found(&mut self.dice, &self.person.account);
        }
        self.items += 1;
    }

    /// The value in this part of all cases.
    pub(crate) fn maybe<T: Into<Json>>(&mut self, part: f64, value: T) -> Json {
        if self.dice.chance(part) { value.into() } else { Json::Null }
    }

    /// A time up to so many seconds before the activity, as it is sent.
    pub(crate) fn before(&mut self, seconds: i64) -> String {
        time::text(self.activity - self.dice.between(0, seconds * SECOND))
    }

    /// When the activity was, as it is sent.
    pub(crate) fn at(&self) -> String {
        time::text(self.activity)
    }

    /// Fills in `{user}`, `{device}`, `{host}` and `{hex}`.
    pub(crate) fn fill(&mut self, text: &str) -> String {
        fill(text, &mut self.dice, &self.person.account)
            .replace("{device}", &self.machine.host)
            .replace("{host}", &self.machine.host)
    }

    /// `userAccount` of the person.
    pub(crate) fn account(&mut self) -> Json {
        let accesses = if self.dice.chance(0.1) { vec![self.access()] } else { Vec::new() };
        self.person.account(self.tenant_id, accesses)
    }

    /// An access to a resource.
    pub(crate) fn access(&mut self) -> Json {
        object! {
            "accessDateTime": self.before(600),
            "accountId": &self.person.object_id,
            "ipAddress": &self.machine.ip,
            "resourceIdentifier": self.dice.pick(&["cifs/fs01.corp.contoso.com", "ldap/dc-0001.corp.contoso.com"]),
        }
    }
}

fn fill(text: &str, dice: &mut Dice, account: &str) -> String {
    let text = text.replace("{user}", account);
    if text.contains("{hex}") { text.replace("{hex}", &dice.hex(8)) } else { text }
}

impl Address {
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let (network, (first, last), place, coordinates): Network = dice.pick(&pools::NETWORKS);
        Self { ip: format!("{network}{}", dice.between(first, last + 1)), place, coordinates }
    }
}

impl File {
    fn found(dice: &mut Dice, account: &str) -> Self {
        let (name, folder) = dice.pick(&pools::FILES);
        Self::new(fill(name, dice, account), fill(folder, dice, account), None, dice)
    }

    /// An image has the same hashes wherever it is started.
    pub(crate) fn image(seed: u64, (name, folder, publisher, _): Image) -> Self {
        Self::new(name.to_owned(), folder.to_owned(), publisher, &mut Dice::new(seed, name, 0))
    }

    fn new(name: String, folder: String, publisher: Option<&'static str>, dice: &mut Dice) -> Self {
        let (md5, sha1, sha256) = (dice.hex(32), dice.hex(40), dice.hex(64));
        Self { name, folder, publisher, size: dice.between(900, 9_000_000), md5, sha1, sha256 }
    }

    /// `fileDetails`.
    pub(crate) fn details(&self, dice: &mut Dice) -> Json {
        let signed = self.publisher.is_some();
        object! {
            "sha1": &self.sha1,
            "sha256": &self.sha256,
            "md5": if dice.chance(0.3) { Some(&self.md5) } else { None },
            "sha256Ac": if dice.chance(0.1) { Some(dice.hex(64)) } else { None },
            "fileName": &self.name,
            "filePath": &self.folder,
            "fileSize": self.size,
            "filePublisher": self.publisher,
            "signer": signed.then_some("Microsoft Windows"),
            "issuer": signed.then_some("Microsoft Windows Production PCA 2011"),
        }
    }
}

impl Scene<'_> {
    /// An image that is started, and its command line.
    pub(crate) fn process(&mut self) -> (File, String) {
        let image = self.dice.pick(&pools::IMAGES);
        (File::image(self.seed, image), self.fill(image.3))
    }

    /// An image that starts others.
    pub(crate) fn parent(&mut self) -> File {
        File::image(self.seed, self.dice.pick(&pools::PARENTS))
    }
}
