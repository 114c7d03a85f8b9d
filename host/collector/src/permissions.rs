//! Who else may read or write a file that decides over secrets.

use std::fs::File;
use std::io;
use std::path::Path;

/// What a file is closed to, for users that are neither root nor the one who runs this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    /// They may read it.
    ToWriting,
    /// They may not.
    ToAll,
}

/// What is to be done about a file that is not closed; nothing where it is. As in Beats: the owner is root or the user who runs this, and
/// neither group nor others have more rights than they should. Where there are no such rights, every file is closed.
#[cfg(unix)]
pub(crate) fn fault(file: &File, path: &Path, closed: Closed) -> io::Result<Option<String>> {
    use std::os::unix::fs::MetadataExt as _;

    let metadata = file.metadata()?;
    let (owner, user) = (metadata.uid(), rustix::process::geteuid().as_raw());
    let name = path.display();
    if owner != user && owner != 0 {
        return Ok(Some(format!(
            "belongs to user {owner}, who is neither root nor the user who runs this ({user}): `chown {user} {name}`, or run this as \
             that user"
        )));
    }
    let (others, verb, mode) = match closed {
        Closed::ToWriting => (0o022, "write", "go-w"),
        Closed::ToAll => (0o077, "read or write", "600"),
    };
    let rights = metadata.mode() & 0o7777;
    let open = format!("others than its owner can {verb} it (mode {rights:04o}): `chmod {mode} {name}`");
    Ok((rights & others != 0).then_some(open))
}

/// As above.
#[cfg(not(unix))]
pub(crate) fn fault(_: &File, _: &Path, _: Closed) -> io::Result<Option<String>> {
    Ok(None)
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_that_others_can_change_says_how_to_close_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (mode, writing, all) in [
            (0o600, None, None),
            (0o644, None, Some("chmod 600")),
            (0o640, None, Some("chmod 600")),
            (0o660, Some("chmod go-w"), Some("chmod 600")),
            (0o602, Some("chmod go-w"), Some("chmod 600")),
        ] {
            fs::set_permissions(file.path(), Permissions::from_mode(mode)).unwrap();
            for (closed, wanted) in [(Closed::ToWriting, writing), (Closed::ToAll, all)] {
                let fault = fault(file.as_file(), file.path(), closed).unwrap();
                assert_eq!(fault.is_some(), wanted.is_some(), "{mode:o} {fault:?}");
                assert!(fault.unwrap_or_default().contains(wanted.unwrap_or_default()));
            }
        }
    }
}
