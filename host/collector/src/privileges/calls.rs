//! The system calls that collecting takes. Every other is answered with `ENOSYS`, as by a kernel that does not have it: libraries then
//! take the way that they have for older kernels, whereas they give up after `EPERM`.
//!
//! The list is one of purposes, not of what one version of one library was seen to call, so that another glibc or musl does as well.
//! Not in it: exec and new processes, `ptrace` and the memory of others, mounts and namespaces, modules, `bpf`, `io_uring` (which goes
//! round filters), keys, clocks, users and groups, `kill`.

use std::collections::BTreeMap;
use std::io;

use libc::*;
use seccompiler::SeccompCmpArgLen::Dword;
use seccompiler::SeccompCmpOp::{Eq, MaskedEq, Ne};
use seccompiler::{BpfProgram, SeccompAction, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule};

/// Calls with all that they can do.
#[rustfmt::skip]
const ALLOWED: &[&[c_long]] = &[
    // Files: state, outputs, dead letters, configuration.
    &[
        SYS_close, SYS_close_range, SYS_copy_file_range, SYS_dup, SYS_dup3, SYS_faccessat, SYS_faccessat2, SYS_fadvise64,
        SYS_fallocate, SYS_fchmod, SYS_fchmodat, SYS_fcntl, SYS_fdatasync, SYS_flock, SYS_fstat, SYS_fstatfs, SYS_fsync,
        SYS_ftruncate, SYS_getcwd, SYS_getdents64, SYS_linkat, SYS_lseek, SYS_mkdirat, SYS_newfstatat, SYS_openat, SYS_openat2,
        SYS_pipe2, SYS_pread64, SYS_preadv, SYS_preadv2, SYS_pwrite64, SYS_pwritev, SYS_pwritev2, SYS_read, SYS_readlinkat,
        SYS_readv, SYS_renameat, SYS_renameat2, SYS_sendfile, SYS_splice, SYS_statfs, SYS_statx, SYS_umask, SYS_unlinkat,
        SYS_utimensat, SYS_write, SYS_writev,
        // Files that change.
        SYS_inotify_add_watch, SYS_inotify_init1, SYS_inotify_rm_watch,
    ],
    // Memory. `mmap` and `mprotect` also make machine code executable: components are such code.
    &[
        SYS_brk, SYS_madvise, SYS_membarrier, SYS_memfd_create, SYS_mincore, SYS_mlock, SYS_mlock2, SYS_mmap, SYS_mprotect,
        SYS_mremap, SYS_msync, SYS_munlock, SYS_munmap,
    ],
    // Threads and signals to this process.
    &[
        SYS_exit, SYS_exit_group, SYS_futex, SYS_get_robust_list, SYS_getcpu, SYS_getpid, SYS_getppid, SYS_gettid,
        SYS_restart_syscall, SYS_rseq, SYS_rt_sigaction, SYS_rt_sigpending, SYS_rt_sigprocmask, SYS_rt_sigreturn,
        SYS_rt_sigsuspend, SYS_rt_sigtimedwait, SYS_sched_get_priority_max, SYS_sched_get_priority_min,
        SYS_sched_getaffinity, SYS_sched_getparam, SYS_sched_getscheduler, SYS_sched_yield, SYS_set_robust_list,
        SYS_set_tid_address, SYS_sigaltstack, SYS_tgkill,
    ],
    // Network.
    &[
        SYS_accept, SYS_accept4, SYS_bind, SYS_connect, SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, SYS_epoll_pwait2,
        SYS_eventfd2, SYS_getpeername, SYS_getsockname, SYS_getsockopt, SYS_listen, SYS_ppoll, SYS_pselect6, SYS_recvfrom,
        SYS_recvmmsg, SYS_recvmsg, SYS_sendmmsg, SYS_sendmsg, SYS_sendto, SYS_setsockopt, SYS_shutdown, SYS_socketpair,
    ],
    // Time.
    &[
        SYS_clock_getres, SYS_clock_gettime, SYS_clock_nanosleep, SYS_gettimeofday, SYS_nanosleep, SYS_timerfd_create,
        SYS_timerfd_gettime, SYS_timerfd_settime,
    ],
    // What the process and the system are.
    &[
        SYS_getegid, SYS_geteuid, SYS_getgid, SYS_getgroups, SYS_getrandom, SYS_getresgid, SYS_getresuid, SYS_getrusage,
        SYS_getuid, SYS_prlimit64, SYS_sysinfo, SYS_times, SYS_uname,
    ],
    OLDER,
];

/// Calls that later architectures no longer have.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const OLDER: &[c_long] = &[
    SYS_access, SYS_arch_prctl, SYS_chmod, SYS_dup2, SYS_epoll_create, SYS_epoll_wait, SYS_eventfd, SYS_getdents,
    SYS_getrlimit, SYS_inotify_init, SYS_link, SYS_lstat, SYS_mkdir, SYS_open, SYS_pipe, SYS_poll, SYS_readlink, SYS_rename,
    SYS_rmdir, SYS_select, SYS_stat, SYS_time, SYS_unlink,
];
#[cfg(target_arch = "aarch64")]
const OLDER: &[c_long] = &[];

/// What an argument has to be like, all of it.
type Way = Vec<(SeccompCmpOp, u64)>;

/// Calls with some of what they can do: a call, the number of an argument counted from 0, and what each way wants of it.
fn restricted() -> [(c_long, u8, Vec<Way>); 4] {
    #[allow(clippy::unnecessary_cast, reason = "an int where the C library is musl")]
    let (types, pastes) = (TIOCSTI as u64, TIOCLINUX as u64);
    let thread = CLONE_THREAD as u64;
    let one_of = |values: &[c_int]| values.iter().map(|value| vec![(Eq, *value as u64)]).collect();
    [
        // Threads, no processes. `clone3` hides what it is to make behind a pointer; C libraries go without it.
        (SYS_clone, 0, vec![vec![(MaskedEq(thread), thread)]]),
        // Netlink tells the resolver which addresses this host has.
        (SYS_socket, 0, one_of(&[AF_UNIX, AF_INET, AF_INET6, AF_NETLINK])),
        // Names of threads and of memory, for debugging.
        (SYS_prctl, 0, one_of(&[PR_SET_NAME, PR_GET_NAME, PR_SET_VMA])),
        // All but what types into the terminal.
        (SYS_ioctl, 1, vec![vec![(Ne, types), (Ne, pastes)]]),
    ]
}

/// Allows these calls, to all threads and those to come, and sets `no_new_privs`.
pub(super) fn forbid_others() -> io::Result<()> {
    let filter = filter().map_err(io::Error::other)?;
    seccompiler::apply_filter_all_threads(&filter).map_err(io::Error::other)
}

fn filter() -> Result<BpfProgram, seccompiler::BackendError> {
    // A call without rules is allowed whatever its arguments.
    let mut rules: BTreeMap<c_long, Vec<SeccompRule>> =
        ALLOWED.iter().copied().flatten().map(|call| (*call, Vec::new())).collect();
    for (call, argument, ways) in restricted() {
        let condition = |(operator, value)| SeccompCondition::new(argument, Dword, operator, value);
        let rule = |way: Vec<_>| SeccompRule::new(way.into_iter().map(condition).collect::<Result<_, _>>()?);
        rules.insert(call, ways.into_iter().map(rule).collect::<Result<_, _>>()?);
    }
    let refused = SeccompAction::Errno(ENOSYS as u32);
    SeccompFilter::new(rules, refused, SeccompAction::Allow, std::env::consts::ARCH.try_into()?)?.try_into()
}
