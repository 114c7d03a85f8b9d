//! What the process can and cannot do once it gave up privileges. One test, because it counts for all threads of this process.

#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream, ToSocketAddrs as _};
use std::process::Command;
use std::thread;

use defenderbeat_collector::privileges::give_up;
use libc::*;

/// A call with one argument that is not 0, the first or the second, which does nothing even where it is allowed; its error.
fn call(number: c_long, arguments: [c_long; 2]) -> Option<i32> {
    #[allow(unsafe_code, reason = "to call what no library would")]
    // SAFETY: no call here writes to where 0 points, nor anything else of this process.
    let result = unsafe { syscall(number, arguments[0], arguments[1], 0, 0, 0, 0) };
    if result == -1 { io::Error::last_os_error().raw_os_error() } else { None }
}

#[test]
fn exec_ptrace_and_the_like_are_refused_and_collecting_is_not() {
    // Another thread, which was there before.
    let (tell, told) = std::sync::mpsc::channel::<()>();
    let earlier = thread::spawn(move || {
        told.recv().unwrap();
        Command::new("/bin/true").status()
    });
    give_up().unwrap();

    let executed = Command::new("/bin/true").status().unwrap_err();
    assert_eq!(executed.raw_os_error(), Some(ENOSYS), "{executed}");
    tell.send(()).unwrap();
    earlier.join().unwrap().unwrap_err();
    #[rustfmt::skip]
    let refused = [
        ("execve", SYS_execve), ("execveat", SYS_execveat), ("ptrace", SYS_ptrace), ("clone3", SYS_clone3),
        ("process_vm_readv", SYS_process_vm_readv), ("process_vm_writev", SYS_process_vm_writev), ("mount", SYS_mount),
        ("umount2", SYS_umount2), ("unshare", SYS_unshare), ("setns", SYS_setns), ("chroot", SYS_chroot),
        ("pivot_root", SYS_pivot_root), ("bpf", SYS_bpf), ("perf_event_open", SYS_perf_event_open), ("keyctl", SYS_keyctl),
        ("add_key", SYS_add_key), ("init_module", SYS_init_module), ("finit_module", SYS_finit_module), ("swapon", SYS_swapon),
        ("reboot", SYS_reboot), ("settimeofday", SYS_settimeofday), ("io_uring_setup", SYS_io_uring_setup),
        ("userfaultfd", SYS_userfaultfd), ("kill", SYS_kill), ("setuid", SYS_setuid), ("seccomp", SYS_seccomp),
    ];
    for (name, number) in refused {
        assert_eq!(call(number, [0, 0]), Some(ENOSYS), "{name}");
    }
    // Some of what a call can do: a raw socket, a new process (CLONE_SIGHAND without CLONE_VM makes none, and is EINVAL where clone is allowed), typing
    // into a terminal, being dumped.
    for (name, number, arguments) in [
        ("socket", SYS_socket, [AF_PACKET.into(), SOCK_DGRAM.into()]),
        ("clone", SYS_clone, [CLONE_SIGHAND.into(), 0]),
        ("ioctl", SYS_ioctl, [-1, TIOCSTI as c_long]),
        ("prctl", SYS_prctl, [PR_SET_DUMPABLE.into(), 1]),
    ] {
        assert_eq!(call(number, arguments), Some(ENOSYS), "{name}");
    }
    assert_eq!(call(SYS_ioctl, [-1, FIONREAD as c_long]), Some(EBADF), "others are allowed");

    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    let value = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    assert_eq!((value("NoNewPrivs:").as_str(), value("Seccomp:").as_str()), ("1", "2"));
    for set in ["CapEff:", "CapPrm:", "CapInh:"] {
        let left = u64::from_str_radix(&value(set), 16).unwrap();
        assert_eq!(left & !(1 << 1), 0, "{set} nothing but CAP_DAC_OVERRIDE, which is number 1");
    }

    // What collecting takes: names, connections, threads, files.
    let listener = TcpListener::bind(("localhost", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = thread::spawn(move || listener.accept().unwrap().0.write_all(b"answer"));
    assert!(("localhost", port).to_socket_addrs().unwrap().next().is_some());
    let mut text = String::new();
    TcpStream::connect(("localhost", port)).unwrap().read_to_string(&mut text).unwrap();
    answer.join().unwrap().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (file, renamed) = (folder.path().join("file"), folder.path().join("renamed"));
    fs::write(&file, &text).unwrap();
    fs::File::open(&file).unwrap().sync_all().unwrap();
    fs::rename(&file, &renamed).unwrap();
    assert_eq!(fs::read_to_string(renamed).unwrap(), "answer");
}
