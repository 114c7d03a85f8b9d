//! Which operating system a record comes from.

use defenderbeat_mapping::letters::{contains, starts_with};
use defenderbeat_mapping::{Args, Results};

use super::kinds::{Kind, Kinds};
use super::word;

/// Folders that only macOS has.
const MACOS: [&str; 8] =
    ["/System/", "/Applications/", "/Library/", "/Users/", "/private/", "/Volumes/", "/opt/homebrew/", "/usr/libexec/"];

/// `host.os.type` and `.family` of device tables. Arguments: the inventory's word, OSPlatform, the two folder paths,
/// what POSIX members say, AccountSid, kinds, and whether AccountSid and the SIDs of actor and request are there.
///
/// What is known comes first, then the form of the paths, then a Windows SID, and only then what kinds of events
/// Windows sends. Never `unix`, which no detection rule knows, and never `windows` beside POSIX paths.
pub(crate) fn of_device<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let text = |index| args.text(index).unwrap_or_default();
    let sid = args.has(4, "sid");
    let of_posix = || if sid { "macos" } else { "linux" };
    let known = args.text(0).and_then(|known| of_platform(known));
    let found = known.or_else(|| of_platform(text(1))).or_else(|| of_paths(&[text(2), text(3)], sid));
    let found = found.or_else(|| starts_with(text(5), "S-1-5-").then_some("windows")).or_else(|| {
        let kinds = Kinds::of(args, 6);
        let present = |index| !args.value(index).is_missing();
        if args.has(4, "all") {
            return Some(of_posix());
        }
        let windows = kinds.has_any(&[Kind::Api, Kind::Registry, Kind::Library, Kind::Driver])
            || (kinds.has(Kind::File) && (present(8) || present(9)))
            || (kinds.has_any(&[Kind::Process, Kind::Network]) && present(8))
            || (kinds.has(Kind::Authentication) && (present(7) || present(8)));
        windows.then_some("windows")
    });
    set(found, results);
}

/// As [`of_device`], where a record of alerts names a device: the inventory's word, DeviceId, FolderPath, AccountSid.
pub(crate) fn of_alert<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    if args.value(1).is_missing() {
        return;
    }
    let text = |index| args.text(index).unwrap_or_default();
    let known = args.text(0).and_then(|known| of_platform(known));
    let found = known.or_else(|| of_paths(&[text(2)], false));
    set(found.or_else(|| starts_with(text(3), "S-1-5-").then_some("windows")), results);
}

/// As [`of_device`], for identities and applications: what the additional fields say of the source computer, else by
/// OSPlatform.
pub(crate) fn of_app<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let said = args.member(args.value(1), "SourceComputerOperatingSystemType");
    let said = said.and_then(|said| of_platform(&said.text()?));
    set(said.or_else(|| of_platform(args.text(0).unwrap_or_default())), results);
}

fn set<'r>(found: Option<&'static str>, results: &mut Results<'r>) {
    if let Some(found) = found {
        results.set(0, word(found));
        results.set(1, word(found));
    }
}

/// The system that a platform's name holds.
pub(crate) fn of_platform(platform: &str) -> Option<&'static str> {
    let found =
        ["windows", "linux", "macos", "os x", "android", "ios"].into_iter().find(|name| contains(platform, name));
    found.map(|name| if name == "os x" { "macos" } else { name })
}

fn of_paths(paths: &[&str], sid: bool) -> Option<&'static str> {
    let mut posix = paths.iter().filter(|path| path.starts_with('/')).peekable();
    if posix.peek().is_some() {
        let macos = sid || posix.any(|path| MACOS.iter().any(|folder| starts_with(path, folder)));
        return Some(if macos { "macos" } else { "linux" });
    }
    let windows = |path: &&str| {
        let bytes = path.as_bytes();
        path.starts_with('\\')
            || (bytes.first().is_some_and(u8::is_ascii_alphabetic) && bytes.get(1..3) == Some(b":\\"))
    };
    paths.iter().any(windows).then_some("windows")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_tell_systems_apart() {
        for (paths, sid, system) in [
            (["", r"c:\windows\a.exe"], false, Some("windows")),
            ([r"\\server\share", ""], false, Some("windows")),
            (["/usr/bin/ls", ""], false, Some("linux")),
            (["/usr/bin/ls", ""], true, Some("macos")),
            (["/usr/bin/ls", "/applications/x.app"], false, Some("macos")),
            ([r"C:\x", "/bin/sh"], false, Some("linux")),
            (["", "name"], false, None),
            (["c:", ""], false, None),
        ] {
            assert_eq!(of_paths(&paths, sid), system, "{paths:?}");
        }
        assert_eq!(of_platform("Windows10"), Some("windows"));
        assert_eq!(of_platform("macOS"), Some("macos"));
        assert_eq!(of_platform("OS X"), Some("macos"));
        assert_eq!(of_platform("OpenBSD"), None);
    }
}
