//! The programs and libraries of a device: the same file has the same hashes on every device of its kind.

mod linux;
mod mac;
mod windows;

use crate::generate::Dice;

/// An operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Os {
    Windows,
    Mac,
    Linux,
}

/// Whose account a program runs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Account {
    /// SYSTEM, or root.
    System,
    LocalService,
    NetworkService,
    /// Somebody who is logged on.
    User,
}

/// Who made a program: company, product, version with `{build}` and `{release}` in it, signer, issuer. Unsigned without a
/// signer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Maker {
    pub(super) company: &'static str,
    pub(super) product: &'static str,
    version: &'static str,
    pub(super) signer: Option<[&'static str; 2]>,
}

/// A program as it is listed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listed {
    name: &'static str,
    folder: &'static str,
    maker: Maker,
    pub(super) description: &'static str,
    pub(super) account: Account,
    /// The name of what starts it.
    parent: &'static str,
    /// Command lines with `{user}`, `{host}`, `{hex}`, `{guid}` and `{number}` in them.
    pub(super) commands: &'static [&'static str],
}

impl Listed {
    const fn new(
        [name, folder]: [&'static str; 2],
        maker: Maker,
        description: &'static str,
        account: Account,
        parent: &'static str,
        commands: &'static [&'static str],
    ) -> Self {
        Self { name, folder, maker, description, account, parent, commands }
    }
}

/// What runs from the start, what is started, and which libraries are loaded.
struct Catalog {
    residents: &'static [Listed],
    started: &'static [Listed],
    libraries: &'static [([&'static str; 2], Maker)],
}

/// A file with code in it.
#[derive(Clone, Debug)]
pub(super) struct Code {
    /// With the case it has.
    pub(super) name: &'static str,
    pub(super) path: String,
    pub(super) maker: Maker,
    pub(super) version: String,
    pub(super) size: i64,
    pub(super) md5: String,
    pub(super) sha1: String,
    pub(super) sha256: String,
}

/// A program.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) code: Code,
    /// Name and path in lower case, as those who act are reported.
    pub(super) lower_name: String,
    pub(super) lower_path: String,
    pub(super) listed: Listed,
    /// The number of what starts it, among residents.
    pub(super) parent: usize,
}

impl Program {
    /// Whether it starts other programs.
    pub(super) fn is_shell(&self) -> bool {
        matches!(self.lower_name.as_str(), "cmd.exe" | "powershell.exe" | "bash" | "zsh" | "sh")
    }
}

/// All of a kind of device.
#[derive(Debug)]
pub(super) struct Software {
    pub(super) residents: Vec<Program>,
    pub(super) started: Vec<Program>,
    pub(super) libraries: Vec<Code>,
}

impl Software {
    /// That of an operating system in one of its releases, 0, 1, 2 ..
    pub(super) fn new(seed: u64, os: Os, release: usize) -> Self {
        let Catalog { residents, started, libraries } = match os {
            Os::Windows => windows::CATALOG,
            Os::Mac => mac::CATALOG,
            Os::Linux => linux::CATALOG,
        };
        let program = |listed: &Listed| {
            let code = Code::new(seed, [listed.name, listed.folder], listed.maker, release);
            Program {
                lower_name: code.name.to_lowercase(),
                lower_path: code.path.to_lowercase(),
                code,
                listed: *listed,
                parent: residents.iter().position(|resident| resident.name == listed.parent).unwrap_or_default(),
            }
        };
        Self {
            residents: residents.iter().map(program).collect(),
            started: started.iter().map(program).collect(),
            libraries: libraries.iter().map(|(place, maker)| Code::new(seed, *place, *maker, release)).collect(),
        }
    }

    /// All files with code in them.
    pub(super) fn files(&self) -> impl Iterator<Item = &Code> {
        self.residents.iter().chain(&self.started).map(|program| &program.code).chain(&self.libraries)
    }
}

impl Code {
    fn new(seed: u64, [name, folder]: [&'static str; 2], maker: Maker, release: usize) -> Self {
        let path = match folder {
            "" => name.to_owned(),
            _ if folder.starts_with('/') => format!("{folder}/{name}"),
            _ => format!(r"{folder}\{name}"),
        };
        let mut dice = Dice::new(seed, &path, release as u64);
        let build = [26100, 22631, 19045, 20348].get(release).copied().unwrap_or(17763);
        Self {
            version: maker
                .version
                .replace("{build}", &build.to_string())
                .replace("{release}", &dice.between(1000, 8000).to_string()),
            size: dice.between(9_000, 5_000_000),
            md5: dice.hex(32),
            sha1: dice.hex(40),
            sha256: dice.hex(64),
            name,
            path,
            maker,
        }
    }
}
