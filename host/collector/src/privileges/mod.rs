//! What the process gives up before it reads anything of others, so that whoever got hold of it would get little
//! (`docs/security.md`): capabilities, core dumps, new privileges by exec, and all system calls but those of `calls`.

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod calls;

use std::io;

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

/// Why privileges could not be given up.
#[derive(Debug, thiserror::Error)]
#[error("giving up {what}: {source}. `seccomp.enabled: false` runs without that, at your own risk")]
pub struct PrivilegesError {
    what: &'static str,
    source: io::Error,
}

/// Gives up what collecting does not need.
///
/// For good, and for threads that start later: call it while there is but one. As root it keeps the right to read and write files of
/// others (`CAP_DAC_OVERRIDE`), because state may be another user's.
///
/// # Errors
///
/// The system refuses it, such as a kernel without seccomp. Something may have been given up already, which harms nothing.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub fn give_up() -> Result<(), PrivilegesError> {
    let failed = |what| move |source| PrivilegesError { what, source };
    drop_capabilities().map_err(failed("capabilities"))?;
    forbid_dumps().map_err(failed("core dumps"))?;
    calls::forbid_others().map_err(failed("system calls"))?;
    Ok(())
}

/// Gives up nothing on this system.
///
/// # Errors
///
/// None.
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub fn give_up() -> Result<(), PrivilegesError> {
    Ok(())
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
fn drop_capabilities() -> io::Result<()> {
    use caps::{CapSet, Capability, CapsHashSet};
    let of = |set| caps::read(None, set).map_err(io::Error::other);
    let (effective, permitted, inheritable) =
        (of(CapSet::Effective)?, of(CapSet::Permitted)?, of(CapSet::Inheritable)?);
    let kept: CapsHashSet = effective.iter().copied().filter(|of| *of == Capability::CAP_DAC_OVERRIDE).collect();
    // Where there is nothing to drop it does not ask to: service managers forbid the call.
    if effective == kept && permitted == kept && inheritable.is_empty() {
        return Ok(());
    }
    // Ambient ones go with the inheritable. What is bounded no longer matters, because nothing is executed.
    caps::clear(None, CapSet::Inheritable).map_err(io::Error::other)?;
    caps::set(None, CapSet::Effective, &kept).map_err(io::Error::other)?;
    caps::set(None, CapSet::Permitted, &kept).map_err(io::Error::other)
}

/// Secrets are in memory. Without dumps it is also closed to debuggers of the same user.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
fn forbid_dumps() -> io::Result<()> {
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}
