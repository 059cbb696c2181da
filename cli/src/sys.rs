//! Every call into the C library, and all `unsafe` of the program.
//!
//! Nothing here knows netlink messages or words: descriptors, buffers and
//! numbers go in, numbers and error numbers come out.

#![allow(unsafe_code)]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::{Cell, UnsafeCell};
use core::ffi::{c_char, c_int, c_short, c_uint, c_void, CStr};
use core::mem::{size_of, zeroed, MaybeUninit};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, AtomicI32, Ordering};

#[cfg(target_pointer_width = "64")]
use libc::SYS_mmap as SYS_MMAP;
#[cfg(target_pointer_width = "32")]
use libc::SYS_mmap2 as SYS_MMAP;

use crate::built;
use crate::errno::Errno;
use crate::text::{find, utf8};

/// The last error of this thread.
fn errno() -> Errno {
    // SAFETY: the C library's errno location is always valid to read.
    Errno(unsafe { *libc::__errno_location() } as usize)
}

// Calls are made by `libc::syscall`, but where machines differ in what they have: the C
// library's function for each is half a kilobyte in all.

/// The result of a call that reports failure as -1.
fn check(result: isize) -> Result<usize, Errno> {
    usize::try_from(result).map_err(|_| errno())
}

/// The same, retried after a signal (EINTR).
fn retry(mut call: impl FnMut() -> isize) -> Result<usize, Errno> {
    loop {
        match check(call()) {
            Err(Errno(number)) if number == libc::EINTR as usize => {}
            result => return result,
        }
    }
}

/// fcntl with a number. The C library's handles the arguments of every command; this is a
/// tenth of its size.
///
/// # Safety
/// The command takes a number and does not affect descriptors that others use.
unsafe fn fcntl(fd: c_int, command: c_int, value: c_int) -> isize {
    // SAFETY: as promised by the caller; no pointers.
    unsafe { libc::syscall(libc::SYS_fcntl, fd, command, value) as isize }
}

/// ioctl. The C library's has tables for calls of kernels before Linux 5.
///
/// # Safety
/// `argument` points to what the call takes, which outlives it.
unsafe fn ioctl(fd: c_int, call: libc::c_ulong, argument: *mut c_void) -> isize {
    // SAFETY: as promised by the caller.
    unsafe { libc::syscall(libc::SYS_ioctl, fd, call, argument) as isize }
}

/// An open descriptor, closed when it goes out of scope. As wide as [`Errno`], so
/// that a `Result` of both is returned in registers.
#[derive(Debug)]
pub struct Fd(isize);

impl Fd {
    /// Takes over a new descriptor, moved out of the way of the standard ones: if those are
    /// closed at start, the kernel reuses their numbers, and text written to standard output
    /// must not end up here.
    fn new(raw: isize) -> Result<Self, Errno> {
        let fd = check(raw)?;
        if fd > 2 {
            return Ok(Self(raw));
        }
        // SAFETY: duplicates a descriptor that we own.
        let moved = check(unsafe { fcntl(raw as c_int, libc::F_DUPFD_CLOEXEC, 3) });
        // SAFETY: nothing else uses the first descriptor; as it was closed at
        // start, it is closed again.
        unsafe { libc::syscall(libc::SYS_close, raw as c_int) };
        Ok(Self(moved? as isize))
    }

    /// No descriptor: waiting for it, nothing ever comes.
    pub const NONE: Self = Self(-1);
    /// Standard input.
    pub const STDIN: Self = Self(0);
    /// Standard output.
    pub const STDOUT: Self = Self(1);
    /// Standard error.
    pub const STDERR: Self = Self(2);

    /// The number.
    pub fn raw(&self) -> i32 {
        self.0 as i32
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        if self.0 > 2 {
            // SAFETY: we own the descriptor and nothing uses it afterwards.
            // What close reports cannot be acted on: nothing is written to
            // descriptors of this kind that it could lose.
            unsafe { libc::syscall(libc::SYS_close, self.raw()) };
        }
    }
}

/// Opens a raw netlink socket, close-on-exec.
pub fn netlink_socket(protocol: i32) -> Result<Fd, Errno> {
    socket(libc::AF_NETLINK, libc::SOCK_RAW, protocol)
}

/// Opens a socket, close-on-exec. The C library's tries calls of kernels before
/// Linux 4.3 too.
fn socket(family: c_int, kind: c_int, protocol: c_int) -> Result<Fd, Errno> {
    let kind = kind | libc::SOCK_CLOEXEC;
    // SAFETY: plain call without pointers.
    Fd::new(unsafe { libc::syscall(libc::SYS_socket, family, kind, protocol) } as isize)
}

/// Begins an MPTCP connection to the broadcast address, which the kernel refuses for TCP:
/// nothing is sent, but the attempt is counted.
pub fn try_mptcp() {
    const IPPROTO_MPTCP: c_int = 262;
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK;
    let Ok(fd) = socket(libc::AF_INET, kind, IPPROTO_MPTCP) else {
        return;
    };
    // SAFETY: zero is a valid address.
    let mut nobody: libc::sockaddr_in = unsafe { zeroed() };
    nobody.sin_family = libc::AF_INET as libc::sa_family_t;
    nobody.sin_port = 9_u16.to_be();
    nobody.sin_addr.s_addr = libc::INADDR_BROADCAST;
    // SAFETY: the address outlives the call, the length is its own. That it fails
    // is what is wanted.
    unsafe {
        libc::syscall(
            libc::SYS_connect,
            fd.raw(),
            &raw const nobody,
            size_of::<libc::sockaddr_in>(),
        )
    };
}

/// Gives a netlink socket a port of the kernel's choice. The first request does that too; a
/// socket that only listens needs it, as multicast does not reach sockets without a port.
pub fn bind_netlink(fd: &Fd) -> Result<(), Errno> {
    // SAFETY: zero is a valid address, and leaves the choice to the kernel.
    let mut any: libc::sockaddr_nl = unsafe { zeroed() };
    any.nl_family = libc::AF_NETLINK as libc::sa_family_t;
    // SAFETY: the address outlives the call, the length is its own.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bind,
            fd.raw(),
            &raw const any,
            size_of::<libc::sockaddr_nl>(),
        )
    };
    check(result as isize).map(drop)
}

/// Sets a socket option that is a number.
pub fn set_option(fd: &Fd, level: i32, option: i32, value: u32) -> Result<(), Errno> {
    // SAFETY: the option value is a c_int-sized number that outlives the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_setsockopt,
            fd.raw(),
            level,
            option,
            &raw const value,
            size_of::<u32>(),
        )
    };
    check(result as isize).map(drop)
}

/// How many messages a socket has dropped for lack of room since it was opened (SO_MEMINFO,
/// kernel 4.12).
pub fn dropped(fd: &Fd) -> Result<u32, Errno> {
    const SO_MEMINFO: c_int = 55;
    const SK_MEMINFO_DROPS: usize = 8;
    let mut info = [0u32; 16];
    let mut len = size_of::<[u32; 16]>() as libc::socklen_t;
    // SAFETY: `len` tells the kernel how large `info` is.
    let result = unsafe {
        libc::syscall(
            libc::SYS_getsockopt,
            fd.raw(),
            libc::SOL_SOCKET,
            SO_MEMINFO,
            &raw mut info,
            &raw mut len,
        )
    };
    check(result as isize)?;
    if (len as usize) < (SK_MEMINFO_DROPS + 1) * size_of::<u32>() {
        return Err(Errno(libc::EOPNOTSUPP as usize));
    }
    Ok(info[SK_MEMINFO_DROPS])
}

/// Sends one datagram to the kernel, the default peer of a netlink socket.
pub fn send(fd: &Fd, bytes: &[u8]) -> Result<(), Errno> {
    // SAFETY: the buffer outlives the call, the length is its own.
    let sent = retry(|| unsafe {
        let (flags, address, len) = (0_usize, 0_usize, 0_usize);
        let (bytes, count) = (bytes.as_ptr(), bytes.len());
        libc::syscall(
            libc::SYS_sendto,
            fd.raw(),
            bytes,
            count,
            flags,
            address,
            len,
        ) as isize
    })?;
    if sent == bytes.len() {
        Ok(())
    } else {
        Err(Errno(libc::EMSGSIZE as usize))
    }
}

/// What [`receive`] found.
#[derive(Copy, Clone, Debug, Default)]
pub struct Received {
    /// Full length of the datagram, even if the buffer was smaller.
    pub len: usize,
    /// `nl_pid` of the sender; 0 is the kernel.
    pub sender: u32,
}

/// The most datagrams that one call can receive.
pub const MOST: usize = 32;

/// Receives as many datagrams as there are places in `received`, or [`MOST`],
/// in one call, each into its share of `buffer` (equal parts); waits for the
/// first unless `wait` is false. Returns how many came.
pub fn receive(
    fd: &Fd,
    buffer: &mut [u8],
    received: &mut [Received],
    wait: bool,
) -> Result<usize, Errno> {
    let count = received.len().min(MOST);
    let share = buffer.len() / count.max(1);
    let start = buffer.as_mut_ptr();
    // A caller that wants one message does not pay for the others.
    let mut senders = [const { MaybeUninit::<libc::sockaddr_nl>::uninit() }; MOST];
    let mut parts = [const { MaybeUninit::<libc::iovec>::uninit() }; MOST];
    let mut headers = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; MOST];
    for at in 0..count {
        let part = parts[at].write(libc::iovec {
            // SAFETY: `count` shares fit into the buffer.
            iov_base: unsafe { start.add(at * share) }.cast(),
            iov_len: share,
        });
        // SAFETY: zero is valid for these plain C structures; all lengths in
        // the second are then 0.
        let (sender, header) =
            unsafe { (senders[at].write(zeroed()), headers[at].write(zeroed())) };
        let header = &mut header.msg_hdr;
        header.msg_name = (&raw mut *sender).cast();
        header.msg_namelen = size_of::<libc::sockaddr_nl>() as libc::socklen_t;
        header.msg_iov = &raw mut *part;
        header.msg_iovlen = 1;
    }
    let flags = libc::MSG_TRUNC
        | if wait {
            libc::MSG_WAITFORONE
        } else {
            libc::MSG_DONTWAIT
        };
    // SAFETY: the first `count` headers are set; each points at its own
    // address and its own part of `buffer`, all of which outlive the call and
    // are used by nothing else meanwhile.
    let got = retry(|| unsafe {
        libc::syscall(
            libc::SYS_recvmmsg,
            fd.raw(),
            headers.as_mut_ptr(),
            count,
            flags,
            null_mut::<c_void>(),
        ) as isize
    })?;
    let got = got.min(count);
    for at in 0..got {
        // SAFETY: no more than the first `count` are looked at, which are set.
        let (header, sender) =
            unsafe { (headers[at].assume_init_ref(), senders[at].assume_init_ref()) };
        received[at].len = header.msg_len as usize;
        received[at].sender = sender.nl_pid;
    }
    Ok(got)
}

/// Writes some of the bytes, waiting until it can; returns how many.
pub fn write(fd: &Fd, bytes: &[u8]) -> Result<usize, Errno> {
    wait_for(Polled::write(fd), &mut || write_some(fd, bytes))
}

fn write_some(fd: &Fd, bytes: &[u8]) -> Result<usize, Errno> {
    // SAFETY: the buffer outlives the call, its length is its own.
    retry(|| unsafe {
        libc::syscall(libc::SYS_write, fd.raw(), bytes.as_ptr(), bytes.len()) as isize
    })
}

/// Reads some bytes, waiting for them; 0 is the end.
pub fn read(fd: &Fd, buffer: &mut [u8]) -> Result<usize, Errno> {
    wait_for(Polled::read(fd), &mut || read_now(fd, buffer))
}

/// Makes a call that waits, even if another process has set O_NONBLOCK.
#[inline(never)]
fn wait_for(what: Polled, call: &mut dyn FnMut() -> Result<usize, Errno>) -> Result<usize, Errno> {
    loop {
        match call() {
            Err(Errno(number)) if number == libc::EAGAIN as usize => {
                poll_all(&mut [what], -1)?;
            }
            result => return result,
        }
    }
}

fn read_now(fd: &Fd, buffer: &mut [u8]) -> Result<usize, Errno> {
    // SAFETY: the buffer outlives the call, its length is its own.
    retry(|| unsafe {
        libc::syscall(libc::SYS_read, fd.raw(), buffer.as_mut_ptr(), buffer.len()) as isize
    })
}

/// Reads to the end of the file and appends it to `content`; `EFBIG` if that becomes more
/// than `most` bytes. The room is not zeroed first, which would take longer than reading:
/// most files have only a few bytes.
#[inline(never)]
pub fn read_all(fd: &Fd, content: &mut Vec<u8>, most: usize) -> Result<(), Errno> {
    while content.len() <= most {
        content.reserve(4096);
        let room = content.spare_capacity_mut();
        let got = wait_for(Polled::read(fd), &mut || {
            // SAFETY: the room outlives the call, its length is its own.
            retry(|| unsafe {
                libc::syscall(libc::SYS_read, fd.raw(), room.as_mut_ptr(), room.len()) as isize
            })
        })?;
        if got == 0 {
            return Ok(());
        }
        // SAFETY: the kernel has filled that many bytes of the room.
        unsafe { content.set_len(content.len() + got) };
    }
    Err(Errno(libc::EFBIG as usize))
}

/// Opens a file for reading.
pub fn open(path: &CStr) -> Result<Fd, Errno> {
    open_with(path, libc::O_RDONLY)
}

/// Opens a file, by the system call itself, as wherever below the C library also caters for
/// kernels before Linux 3: none with MPTCP needs that.
fn open_with(path: &CStr, flags: c_int) -> Result<Fd, Errno> {
    const MODE: libc::c_uint = 0o644;
    let flags = flags | libc::O_CLOEXEC | libc::O_LARGEFILE;
    // SAFETY: the path ends with NUL and outlives the call.
    Fd::new(unsafe {
        libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, MODE) as isize
    })
}

/// A path whose only NUL is at its end; `ENOENT` for any other. The standard library's
/// function searches by code for long texts.
pub fn c_str(path: &[u8]) -> Result<&CStr, Errno> {
    if find(path, 0) + 1 != path.len() {
        return Err(Errno(libc::ENOENT as usize));
    }
    // SAFETY: the first NUL is the last byte.
    Ok(unsafe { CStr::from_bytes_with_nul_unchecked(path) })
}

/// Opens the file whose path is these pieces joined, for reading. No file has a NUL in its
/// name.
pub fn open_joined(pieces: &[&[u8]]) -> Result<Fd, Errno> {
    open_pieces(pieces, libc::O_RDONLY)
}

/// The same for writing.
pub fn open_joined_to_write(pieces: &[&[u8]]) -> Result<Fd, Errno> {
    open_pieces(pieces, libc::O_WRONLY)
}

#[inline(never)]
fn open_pieces(pieces: &[&[u8]], flags: c_int) -> Result<Fd, Errno> {
    let mut path = Vec::new();
    for piece in pieces {
        path.extend_from_slice(piece);
    }
    path.push(0);
    open_with(c_str(&path)?, flags)
}

/// Opens a file that can be read again; `EINVAL` for a pipe, which can be read only once and
/// may keep a reader waiting.
pub fn open_lasting(path: &[u8]) -> Result<Fd, Errno> {
    let fd = open_pieces(&[path], libc::O_RDONLY | libc::O_NONBLOCK)?;
    let status = status(fd.raw(), c"", libc::AT_EMPTY_PATH)?;
    match u32::from(status.mode) & libc::S_IFMT {
        libc::S_IFIFO => Err(Errno(libc::EINVAL as usize)),
        _ => Ok(fd),
    }
}

/// Makes a new file for writing; `EEXIST` where there is one.
pub fn create(path: &CStr) -> Result<Fd, Errno> {
    open_with(path, libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL)
}

/// Makes a call that would raise this signal fail instead, with `EFBIG` for SIGXFSZ and
/// `EPIPE` for SIGPIPE. By default the program would end.
pub fn ignore(signal: c_int) {
    // SAFETY: no handler, nothing to call.
    unsafe { on_signal(signal, libc::SIG_IGN) };
}

/// The kernel's struct sigaction. On machines without a restorer its place is the beginning
/// of the mask, which is empty.
#[derive(Default)]
#[repr(C)]
struct Action {
    #[cfg(any(target_arch = "mips", target_arch = "mips64"))]
    flags: c_uint,
    handler: libc::sighandler_t,
    #[cfg(not(any(target_arch = "mips", target_arch = "mips64")))]
    flags: libc::c_ulong,
    restorer: usize,
    mask: SignalSet,
}

// What a handler returns to: rt_sigreturn. On all other machines it is in the page of code
// that the kernel maps (the vdso, or the signal page of Arm).
#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".globl ip_mptcp_handled",
    ".hidden ip_mptcp_handled",
    "ip_mptcp_handled:",
    "mov eax, 15",
    "syscall"
);

/// Sets the action of a signal and returns the former one; interrupted calls are restarted.
/// The C library's function blocks all signals meanwhile and takes locks for threads, of
/// which there are none: that is 0.8 kB.
///
/// # Safety
/// A handler makes only async-signal-safe calls, and lives as long as it is set.
unsafe fn on_signal(signal: c_int, handler: libc::sighandler_t) -> libc::sighandler_t {
    let mut action = Action {
        handler,
        flags: libc::SA_RESTART as _,
        ..Action::default()
    };
    #[cfg(target_arch = "x86_64")]
    {
        extern "C" {
            fn ip_mptcp_handled();
        }
        const SA_RESTORER: libc::c_ulong = 0x0400_0000;
        action.flags |= SA_RESTORER;
        action.restorer = ip_mptcp_handled as unsafe extern "C" fn() as usize;
    }
    let mut before = Action::default();
    // SAFETY: both structures are at least as large as the kernel's and outlive the
    // call, which is given the size of the set in them; the handler is as promised.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigaction,
            signal,
            &raw mut action,
            &raw mut before,
            size_of::<SignalSet>(),
        )
    };
    before.handler
}

/// Locks an open file against all others who open it; `EWOULDBLOCK` while another process
/// holds the lock. Closing releases it.
pub fn lock(fd: &Fd) -> Result<(), Errno> {
    // SAFETY: plain call without pointers.
    retry(|| unsafe {
        libc::syscall(libc::SYS_flock, fd.raw(), libc::LOCK_EX | libc::LOCK_NB) as isize
    })
    .map(drop)
}

/// Waits until what was written to a file is on the disk.
pub fn synchronise(fd: &Fd) -> Result<(), Errno> {
    // SAFETY: plain call without pointers.
    retry(|| unsafe { libc::syscall(libc::SYS_fsync, fd.raw()) } as isize).map(drop)
}

/// Renames a file, atomically replacing any file of the new name.
pub fn rename(from: &CStr, to: &CStr) -> Result<(), Errno> {
    // SAFETY: both paths end with NUL and outlive the call.
    check(unsafe { libc::rename(from.as_ptr(), to.as_ptr()) } as isize).map(drop)
}

/// Removes a file.
pub fn remove(path: &CStr) -> Result<(), Errno> {
    // SAFETY: the path ends with NUL and outlives the call.
    check(unsafe { libc::unlink(path.as_ptr()) } as isize).map(drop)
}

/// Where a symbolic link points; `EINVAL` for anything else. Returns how many bytes of
/// `buffer` it takes.
pub fn link_target(path: &CStr, buffer: &mut [u8]) -> Result<usize, Errno> {
    // SAFETY: the path ends with NUL, the buffer's length is its own, and both
    // outlive the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_readlinkat,
            libc::AT_FDCWD,
            path.as_ptr(),
            buffer.as_mut_ptr(),
            buffer.len(),
        ) as isize
    })
}

/// What the kernel reports about a file.
pub fn file_status(path: &CStr) -> Result<Status, Errno> {
    status(libc::AT_FDCWD, path, 0)
}

/// Gives an open file the permissions of another and, as far as allowed, its owner.
pub fn make_like(fd: &Fd, other: &Status) -> Result<(), Errno> {
    let mode = u32::from(other.mode) & 0o7777;
    // SAFETY: plain calls, with an empty path that lives for ever.
    check(unsafe {
        // Not fchown, which takes numbers of 16 bits on some machines.
        libc::syscall(
            libc::SYS_fchownat,
            fd.raw(),
            c"".as_ptr(),
            other.owner,
            other.group,
            libc::AT_EMPTY_PATH,
        );
        libc::syscall(libc::SYS_fchmod, fd.raw(), mode)
    } as isize)
    .map(drop)
}

/// The number by which the kernel distinguishes what is open from all else of its kind
/// (an inode), such as one network namespace from another; 0 if it does not.
pub fn inode(fd: &Fd) -> u64 {
    status(fd.raw(), c"", libc::AT_EMPTY_PATH).map_or(0, |status| status.inode)
}

/// struct statx of linux/stat.h, the same on every machine (kernel 4.11).
#[derive(Debug)]
#[repr(C)]
pub struct Status {
    other: [u32; 5],
    owner: u32,
    group: u32,
    mode: u16,
    spare: u16,
    inode: u64,
    rest: [u64; 27],
}

impl Status {
    /// Whether it is a regular file: not a device, not a pipe.
    pub fn is_regular(&self) -> bool {
        u32::from(self.mode) & libc::S_IFMT == libc::S_IFREG
    }
}

/// What the kernel reports about a file: statx, without the older calls that the C library
/// tries on kernels that lack it.
fn status(folder: c_int, path: &CStr, flags: c_int) -> Result<Status, Errno> {
    // Type and mode, owner, group, inode.
    const WANTED: c_uint = 3 | 8 | 0x10 | 0x100;
    // SAFETY: zero is valid for these numbers.
    let mut status: Status = unsafe { zeroed() };
    // SAFETY: the path ends with NUL and outlives the call, and so does the
    // structure, which is as large as the kernel's.
    check(unsafe {
        libc::syscall(
            libc::SYS_statx,
            folder,
            path.as_ptr(),
            flags,
            WANTED,
            &raw mut status,
        ) as isize
    })?;
    Ok(status)
}

/// The number of this process.
pub fn process() -> u32 {
    // SAFETY: plain call without pointers.
    unsafe { libc::getpid() as u32 }
}

/// Enters the network namespace that `fd` stands for.
pub fn enter_network_namespace(fd: &Fd) -> Result<(), Errno> {
    // SAFETY: plain call without pointers.
    check(unsafe { libc::syscall(libc::SYS_setns, fd.raw(), libc::CLONE_NEWNET) } as isize)
        .map(drop)
}

/// Whether `fd` is a terminal.
pub fn is_terminal(fd: &Fd) -> bool {
    window(fd).is_some()
}

/// The number of columns if standard output is a terminal, 80 if the terminal does not say;
/// otherwise 0.
pub fn columns() -> usize {
    match window(&Fd::STDOUT) {
        Some(libc::winsize { ws_col: 0, .. }) => 80,
        Some(size) => size.ws_col.into(),
        None => 0,
    }
}

/// The size of a terminal; `None` if `fd` is not one.
fn window(fd: &Fd) -> Option<libc::winsize> {
    // SAFETY: zero is valid for these numbers, which outlive the call.
    unsafe {
        let mut size: libc::winsize = zeroed();
        let done = ioctl(fd.raw(), libc::TIOCGWINSZ as _, (&raw mut size).cast());
        (done == 0).then_some(size)
    }
}

/// The state of the terminal before [`Terminal::take`], restored however the program ends.
struct Former {
    /// The terminal, or -1 if none was taken.
    terminal: AtomicI32,
    modes: UnsafeCell<MaybeUninit<libc::termios>>,
    /// What restores it: a program without commands that take it has no such code.
    release: Cell<Option<fn()>>,
}

// SAFETY: the program starts no threads.
unsafe impl Sync for Former {}

static FORMER: Former = Former {
    release: Cell::new(None),
    terminal: AtomicI32::new(-1),
    modes: UnsafeCell::new(MaybeUninit::zeroed()),
};

/// To the alternate screen, without a cursor, and back.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[2J";
const LEAVE: &[u8] = b"\x1b[?25h\x1b[?1049l";
/// The ioctls that get and set the modes of a terminal. On PowerPC those of the libc crate
/// are glibc's own.
const POWERPC: bool = cfg!(any(target_arch = "powerpc", target_arch = "powerpc64"));
const TCGETS: libc::c_ulong = if POWERPC {
    0x402c_7413
} else {
    libc::TCGETS as _
};
const TCSETS: libc::c_ulong = if POWERPC {
    0x802c_7414
} else {
    libc::TCSETS as _
};
/// How long, in milliseconds, to wait for a stopped terminal (Ctrl-S).
const HELD: c_int = 500;

/// The terminal of standard output, to draw on and to read single keys from. Its
/// state is restored when this is dropped, and by [`exit`].
#[derive(Debug)]
pub struct Terminal {
    /// Opened again for O_NONBLOCK, which other processes must not notice.
    fd: Fd,
    /// Keys can be read: reading them never waits.
    pub has_keys: bool,
}

impl Terminal {
    /// Standard output, if it is a terminal of a known size and not a serial line.
    pub fn find() -> Option<Self> {
        if !is_terminal(&Fd::STDOUT) || is_serial(&Fd::STDOUT) {
            return None;
        }
        let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_NONBLOCK;
        let own = open_with(c"/proc/self/fd/1", flags);
        let terminal = Self {
            has_keys: own.is_ok(),
            fd: own.unwrap_or(Fd::STDOUT),
        };
        terminal.size().map(|_| terminal)
    }

    /// For waiting on it.
    pub fn fd(&self) -> &Fd {
        &self.fd
    }

    /// Columns and lines, if they are known.
    pub fn size(&self) -> Option<(u16, u16)> {
        let size = window(self.fd())?;
        (size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col, size.ws_row))
    }

    /// Switches to single keys and the alternate screen; called again after the program was
    /// stopped.
    pub fn take(&self) {
        let fd = self.fd().raw();
        let modes = FORMER.modes.get().cast::<libc::termios>();
        let taken = FORMER.terminal.load(Ordering::Relaxed) >= 0;
        // SAFETY: the structure outlives the calls, which are the only ones that
        // touch it. The kernel's begins as that of every C library, and is no larger;
        // what a longer one has more is zero.
        unsafe {
            if !taken && ioctl(fd, TCGETS, modes.cast()) != 0 {
                return;
            }
            FORMER.terminal.store(fd, Ordering::Relaxed);
            FORMER.release.set(Some(release_terminal));
            let mut keys = *modes;
            keys.c_lflag &= !(libc::ICANON | libc::ECHO);
            keys.c_cc[libc::VMIN] = 1;
            keys.c_cc[libc::VTIME] = 0;
            ioctl(fd, TCSETS, (&raw mut keys).cast());
        }
        let _ = write_some(self.fd(), ENTER);
    }

    /// Restores its state.
    pub fn release(&self) {
        release_terminal();
    }

    /// Reads keys that were pressed; 0 is the end of the input.
    pub fn read(&self, keys: &mut [u8]) -> Result<usize, Errno> {
        read_now(&self.fd, keys)
    }

    /// Writes as much as the terminal accepts now.
    pub fn write(&self, bytes: &[u8]) -> Result<usize, Errno> {
        write_some(self.fd(), bytes)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        release_terminal();
    }
}

/// Restores the terminal, if it was taken.
fn release_terminal() {
    let raw = FORMER.terminal.swap(-1, Ordering::Relaxed);
    if raw < 0 {
        return;
    }
    let mut polled = [Polled::new(raw, libc::POLLOUT)];
    let _ = poll_all(&mut polled, HELD);
    // SAFETY: the descriptor is open as long as it stands in FORMER, and the
    // modes have been filled in; both bytes and modes outlive the calls.
    // Nothing can be done where they fail: the terminal no longer exists.
    unsafe {
        let write = || libc::syscall(libc::SYS_write, raw, LEAVE.as_ptr(), LEAVE.len()) as isize;
        if write() < LEAVE.len() as isize {
            // Its queue is full of frames that are no longer of use.
            ioctl(
                raw,
                libc::TCFLSH as _,
                libc::TCOFLUSH as usize as *mut c_void,
            );
            write();
        }
        ioctl(raw, TCSETS, FORMER.modes.get().cast());
    }
}

/// Whether a terminal is a serial line.
fn is_serial(fd: &Fd) -> bool {
    // struct serial_struct is half of that.
    let mut settings = [0_u64; 32];
    // SAFETY: the room is larger than what TIOCGSERIAL fills in and outlives
    // the call.
    unsafe {
        ioctl(
            fd.raw(),
            libc::TIOCGSERIAL as _,
            settings.as_mut_ptr().cast(),
        ) == 0
    }
}

/// Stops the process as SIGTSTP does by default, until SIGCONT. SIGTSTP is blocked
/// before and after.
pub fn stop() {
    mask(libc::SIG_UNBLOCK, &[libc::SIGTSTP]);
    // SAFETY: plain call without pointers.
    unsafe { libc::kill(libc::getpid(), libc::SIGTSTP) };
    mask(libc::SIG_BLOCK, &[libc::SIGTSTP]);
}

/// Longest interface name, its NUL counted (IFNAMSIZ).
pub const NAME_SIZE: usize = libc::IFNAMSIZ;

/// The index of the interface called `name`, which may be an alternative name; any socket
/// will do.
pub fn interface_index(fd: &Fd, name: &[u8]) -> Result<u32, Errno> {
    // SAFETY: zero is a valid, empty request.
    let mut request: libc::ifreq = unsafe { zeroed() };
    if name.len() >= request.ifr_name.len() {
        return Err(Errno(libc::ENODEV as usize));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name) {
        *to = *from as c_char;
    }
    // SAFETY: the request outlives the call and is what SIOCGIFINDEX takes.
    check(unsafe { ioctl(fd.raw(), libc::SIOCGIFINDEX as _, (&raw mut request).cast()) })?;
    // SAFETY: SIOCGIFINDEX fills in this member of the union.
    Ok(unsafe { request.ifr_ifru.ifru_ifindex } as u32)
}

/// Puts the name of the interface with this index into `name`; its length.
pub fn interface_name(fd: &Fd, index: u32, name: &mut [u8; NAME_SIZE]) -> Result<usize, Errno> {
    // SAFETY: zero is a valid, empty request.
    let mut request: libc::ifreq = unsafe { zeroed() };
    request.ifr_ifru.ifru_ifindex = index as c_int;
    // SAFETY: the request outlives the call and is what SIOCGIFNAME takes.
    check(unsafe { ioctl(fd.raw(), libc::SIOCGIFNAME as _, (&raw mut request).cast()) })?;
    *name = request.ifr_name.map(|c| c as u8);
    Ok(find(name, 0))
}

/// A descriptor to wait for, and the result.
#[derive(Copy, Clone, Debug)]
#[repr(transparent)]
pub struct Polled(libc::pollfd);

impl Polled {
    fn new(fd: c_int, events: c_short) -> Self {
        Self(libc::pollfd {
            fd,
            events,
            revents: 0,
        })
    }

    /// Until there is something to read.
    pub fn read(fd: &Fd) -> Self {
        Self::new(fd.raw(), libc::POLLIN)
    }

    /// Until a table of the kernel changes, such as that of the mounts.
    pub fn change(fd: &Fd) -> Self {
        Self::new(fd.raw(), libc::POLLPRI)
    }

    /// Until something can be written.
    pub fn write(fd: &Fd) -> Self {
        Self::new(fd.raw(), libc::POLLOUT)
    }

    /// Until a signal of an [`Interruption`] comes.
    pub fn interruption() -> Self {
        Self::new(WAKER.load(Ordering::Relaxed), libc::POLLIN)
    }

    /// It is ready or has failed.
    pub fn is_ready(&self) -> bool {
        self.0.revents != 0
    }
}

/// Waits until one of the descriptors is ready or `timeout` milliseconds have passed (forever
/// if negative); after a timeout or a signal none is ready.
pub fn poll_all(polled: &mut [Polled], timeout: i32) -> Result<(), Errno> {
    // SAFETY: a `Polled` is a pollfd; the pointer and the number are those of
    // `polled`, which outlives the call.
    let result = unsafe { libc::poll(polled.as_mut_ptr().cast(), polled.len() as _, timeout) };
    match check(result as isize) {
        Err(Errno(number)) if number != libc::EINTR as usize => Err(Errno(number)),
        _ => Ok(()),
    }
}

/// How to write to a descriptor without waiting for its reader, and without O_NONBLOCK, which
/// would affect others that share the open file.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Patience {
    /// RWF_NOWAIT: pipes and sockets of newer kernels.
    NoWait,
    /// As much as a pipe is sure to accept when poll reports it writable.
    Pieces,
    /// A file: writing never blocks.
    File,
}

impl Patience {
    /// For this descriptor.
    pub fn of(fd: &Fd) -> Self {
        let regular =
            status(fd.raw(), c"", libc::AT_EMPTY_PATH).is_ok_and(|status| status.is_regular());
        if regular {
            Self::File
        } else {
            Self::NoWait
        }
    }
}

/// Writes what can be written now; EAGAIN where nothing can.
pub fn write_now(fd: &Fd, bytes: &[u8], patience: &mut Patience) -> Result<usize, Errno> {
    const RWF_NOWAIT: libc::c_long = 8;
    if *patience == Patience::NoWait {
        let part = libc::iovec {
            iov_base: bytes.as_ptr().cast_mut().cast(),
            iov_len: bytes.len(),
        };
        // The offset -1, in two halves, is the present one.
        let none: libc::c_long = -1;
        // SAFETY: the kernel only reads the one buffer that `part` describes,
        // which outlives the call.
        let written = retry(|| unsafe {
            libc::syscall(
                libc::SYS_pwritev2,
                fd.raw(),
                &raw const part,
                1 as libc::c_long,
                none,
                none,
                RWF_NOWAIT,
            ) as isize
        });
        match written {
            Err(Errno(number)) => match number as i32 {
                // Filters of system calls (seccomp) refuse calls newer than themselves.
                libc::EOPNOTSUPP | libc::ENOSYS | libc::EINVAL | libc::EPERM => {
                    *patience = Patience::Pieces;
                }
                _ => return written,
            },
            Ok(_) => return written,
        }
    }
    if *patience == Patience::File {
        return write_some(fd, bytes);
    }
    let mut polled = [Polled::write(fd)];
    poll_all(&mut polled, 0)?;
    if !polled[0].is_ready() {
        return Err(Errno(libc::EAGAIN as usize));
    }
    write_some(fd, bytes.get(..libc::PIPE_BUF).unwrap_or(bytes))
}

/// Milliseconds of a clock that only goes forward.
pub fn milliseconds() -> u64 {
    let [seconds, nanoseconds] = clock(libc::CLOCK_MONOTONIC);
    seconds * 1000 + nanoseconds / 1_000_000
}

/// Adds the names in a folder, ascending, without `.` and `..`.
pub fn names_in(folder: &CStr, names: &mut Vec<Vec<u8>>) -> Result<(), Errno> {
    each_name(folder, &mut |name| {
        let at = names.partition_point(|before| before.as_slice() < name);
        names.insert(at, name.to_vec());
    })
}

/// Hands out the names in a folder, without `.` and `..`.
#[inline(never)]
pub fn each_name(folder: &CStr, each: &mut dyn FnMut(&[u8])) -> Result<(), Errno> {
    /// As the kernel aligns what it fills in.
    #[repr(align(8))]
    struct Entries([u8; 2048]);
    let folder = open(folder)?;
    let mut entries = Entries([0; 2048]);
    loop {
        let buffer = &mut entries.0;
        // SAFETY: the buffer outlives the call, its length is its own.
        let read = check(unsafe {
            libc::syscall(
                libc::SYS_getdents64,
                folder.raw(),
                buffer.as_mut_ptr(),
                buffer.len(),
            ) as isize
        })?;
        if read == 0 {
            return Ok(());
        }
        let mut rest = buffer.get(..read).unwrap_or(&[]);
        // struct linux_dirent64: two numbers of 8 bytes, the length of the
        // entry, its kind, and its name, ended by NUL.
        while let Some(&[low, high]) = rest.get(16..18) {
            let len = usize::from(u16::from_ne_bytes([low, high]));
            let Some(name) = rest.get(19..len) else {
                break;
            };
            let name = name.split(|byte| *byte == 0).next().unwrap_or(name);
            if name != b"." && name != b".." {
                each(name);
            }
            rest = rest.get(len..).unwrap_or(&[]);
        }
    }
}

/// Signals that are read with [`caught`] when there is something to read. Once this is
/// dropped they do what they did before: a batch goes on.
#[derive(Debug)]
pub struct Signals {
    /// To wait for one.
    pub fd: Fd,
    which: &'static [c_int],
}

/// The signal that has come.
#[inline(never)]
pub fn caught(signals: &Signals) -> Option<u8> {
    // struct signalfd_siginfo, which begins with the number.
    let mut information = [0; 128];
    match read_now(&signals.fd, &mut information) {
        Ok(128..) => {
            let [a, b, c, d, ..] = information;
            Some(u32::from_ne_bytes([a, b, c, d]) as u8)
        }
        _ => None,
    }
}

/// Turns these signals into something to read.
pub fn catch_signals(which: &'static [c_int]) -> Result<Signals, Errno> {
    mask(libc::SIG_BLOCK, which);
    let set = set_of(which);
    let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
    // SAFETY: the set outlives the call, which is given its size.
    let fd = unsafe {
        let size = size_of::<SignalSet>();
        libc::syscall(libc::SYS_signalfd4, -1, &raw const set, size, flags)
    };
    let fd = Fd::new(fd as isize)?;
    Ok(Signals { fd, which })
}

impl Drop for Signals {
    fn drop(&mut self) {
        // A signal that was sent twice means the same.
        while caught(self).is_some() {}
        mask(libc::SIG_UNBLOCK, self.which);
    }
}

/// The signals that ask a program to end or to reload.
pub const ENDING: &[c_int] = &[libc::SIGHUP, libc::SIGINT, libc::SIGTERM];
/// The same, and the signal for the end of a process that it started.
pub const ENDING_OR_CHILD: &[c_int] = &[libc::SIGHUP, libc::SIGINT, libc::SIGTERM, libc::SIGCHLD];

/// Holds back the signals that end a program while something is done that must not be
/// interrupted. They are delivered when this is dropped.
#[derive(Debug)]
pub struct Whole(SignalSet);

impl Whole {
    /// From now on.
    pub fn begin() -> Self {
        Self(mask(libc::SIG_BLOCK, ENDING))
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        set_mask(libc::SIG_SETMASK, &self.0);
    }
}

/// Blocks [`ENDING`], or lets it through: until [`catch_signals`] a signal stays pending.
pub fn hold_signals(hold: bool) {
    mask(
        if hold {
            libc::SIG_BLOCK
        } else {
            libc::SIG_UNBLOCK
        },
        ENDING,
    );
}

/// A set of signals as the kernel takes it: a bit for each, the first signal is 1.
type SignalSet = [usize; SIGNALS_OF_KERNEL / usize::BITS as usize];
const SIGNALS_OF_KERNEL: usize = if cfg!(any(target_arch = "mips", target_arch = "mips64")) {
    128
} else {
    64
};

/// The set of these signals, which are below 32 on every machine.
fn set_of(signals: &[c_int]) -> SignalSet {
    let mut set = SignalSet::default();
    for signal in signals {
        set[0] |= 1 << (signal - 1);
    }
    set
}

/// Blocks these signals, or lets them through; returns what was blocked before.
#[inline(never)]
fn mask(how: c_int, signals: &[c_int]) -> SignalSet {
    set_mask(how, &set_of(signals))
}

/// The same of a set.
fn set_mask(how: c_int, set: &SignalSet) -> SignalSet {
    let mut before = SignalSet::default();
    // SAFETY: both sets outlive the call, which is given their size.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            how,
            core::ptr::from_ref(set),
            &raw mut before,
            size_of::<SignalSet>(),
        )
    };
    before
}

// What the handler of `Interruption` reads and reports.
static CAUGHT: AtomicI32 = AtomicI32::new(0);
static RECEIVER: AtomicI32 = AtomicI32::new(-1);
static WAKER: AtomicI32 = AtomicI32::new(-1);

extern "C" fn interrupt(signal: c_int) {
    static ONE: u64 = 1;
    CAUGHT.store(signal, Ordering::Relaxed);
    // SAFETY: both calls are async-signal-safe; the number is that long and outlives its call.
    // errno is as the interrupted code left it. Failure means that the descriptor is unused.
    unsafe {
        let errno = *libc::__errno_location();
        fcntl(
            RECEIVER.load(Ordering::Relaxed),
            libc::F_SETFL,
            libc::O_NONBLOCK,
        );
        let waker = WAKER.load(Ordering::Relaxed);
        libc::syscall(libc::SYS_write, waker, &raw const ONE, size_of::<u64>());
        *libc::__errno_location() = errno;
    }
}

/// Makes SIGINT, SIGTERM and a timer (SIGALRM) end a wait, be it for
/// [`Polled::interruption`] or in a receiver. Once this is dropped, the signals do what they
/// did before.
///
/// A receiver that waits needs no call to see whether a signal has come: from then on it no
/// longer waits, even if the signal came just before.
#[derive(Debug)]
pub struct Interruption {
    _waker: Fd,
    before: [libc::sighandler_t; SIGNALS.len()],
}

const SIGNALS: [c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGALRM];

impl Interruption {
    /// From now on, and for that many milliseconds unless it is 0; there is
    /// one at a time.
    pub fn of(receiver: Option<&Fd>, time: u64) -> Result<Self, Errno> {
        let flags = libc::EFD_CLOEXEC | libc::EFD_NONBLOCK;
        // SAFETY: plain call without pointers.
        let waker = Fd::new(unsafe { libc::syscall(libc::SYS_eventfd2, 0, flags) } as isize)?;
        CAUGHT.store(0, Ordering::Relaxed);
        RECEIVER.store(receiver.map_or(-1, Fd::raw), Ordering::Relaxed);
        WAKER.store(waker.raw(), Ordering::Relaxed);
        let handler = interrupt as extern "C" fn(c_int);
        // SAFETY: the handler touches atomic numbers and makes calls that a
        // handler may make. Calls go on after it, as they do not wait then.
        let before =
            SIGNALS.map(|signal| unsafe { on_signal(signal, handler as libc::sighandler_t) });
        // The process that started the program may have blocked them.
        mask(libc::SIG_UNBLOCK, &SIGNALS);
        if time > 0 {
            alarm(time);
        }
        Ok(Self {
            _waker: waker,
            before,
        })
    }
}

/// The signal of an [`Interruption`] that has come since this was asked last.
pub fn caught_signal() -> Option<u8> {
    // No call where there was none.
    if CAUGHT.load(Ordering::Relaxed) == 0 {
        return None;
    }
    // First drained, then asked: a signal in between is not lost.
    let mut number = [0; 8];
    // SAFETY: the buffer outlives the call, its length is its own.
    unsafe {
        libc::syscall(
            libc::SYS_read,
            WAKER.load(Ordering::Relaxed),
            number.as_mut_ptr(),
            number.len(),
        )
    };
    Some(CAUGHT.swap(0, Ordering::Relaxed) as u8)
}

impl Drop for Interruption {
    fn drop(&mut self) {
        alarm(0);
        for (signal, before) in SIGNALS.into_iter().zip(self.before) {
            // SAFETY: what the call gave is valid for it.
            unsafe { on_signal(signal, before) };
        }
        RECEIVER.store(-1, Ordering::Relaxed);
        WAKER.store(-1, Ordering::Relaxed);
    }
}

/// A process that was started, in a group of its own. When it ends there is a signal:
/// see [`ENDING_OR_CHILD`].
#[derive(Debug)]
pub struct Child {
    process: c_int,
}

impl Child {
    /// Kills it and whatever it started.
    pub fn kill(&self) {
        // SAFETY: plain call without pointers.
        unsafe { libc::kill(-self.process, libc::SIGKILL) };
    }

    /// Its exit status once it has ended, or 128 plus the signal that ended it.
    pub fn status(&self) -> Option<u8> {
        let mut status = 0;
        // SAFETY: the number outlives the call.
        let ended = unsafe {
            libc::syscall(
                libc::SYS_wait4,
                self.process,
                &raw mut status,
                libc::WNOHANG,
                null_mut::<c_void>(),
            )
        };
        match ended {
            0 => None,
            _ if ended < 0 => Some(127),
            _ if libc::WIFEXITED(status) => Some(libc::WEXITSTATUS(status) as u8),
            _ => Some(128 + libc::WTERMSIG(status) as u8),
        }
    }
}

extern "C" {
    static environ: *const *const c_char;
}

/// Forks: returns the number of the child, and 0 in the child. The C library's function takes
/// locks for threads, of which there are none, and is 2.5 kB.
///
/// # Safety
/// The child does nothing but make system calls and exec.
unsafe fn fork() -> c_int {
    let signal = libc::SIGCHLD as libc::c_long;
    // Of the flags and the stack, this machine has the stack first.
    let [first, second] = if cfg!(target_arch = "s390x") {
        [0, signal]
    } else {
        [signal, 0]
    };
    let none: libc::c_long = 0;
    // SAFETY: without a stack and without sharing it is a fork.
    unsafe { libc::syscall(libc::SYS_clone, first, second, none, none, none) as c_int }
}

/// Starts the program whose path comes first in `words`, with the variables after it added to
/// its environment; each ends with NUL. Its standard input is empty, and its output goes to
/// standard error.
pub fn spawn(words: &[u8]) -> Result<Child, Errno> {
    if words.last() != Some(&0) {
        return Err(Errno(libc::EINVAL as usize));
    }
    let mut pointers: Vec<*const c_char> = Vec::new();
    for word in words.split_inclusive(|byte| *byte == 0) {
        pointers.push(word.as_ptr().cast());
    }
    // SAFETY: the program has one thread and never changes its environment; a null
    // pointer is its end.
    unsafe {
        let mut next = environ;
        while !next.is_null() && !(*next).is_null() {
            pointers.push(*next);
            next = next.add(1);
        }
    }
    pointers.push(core::ptr::null());
    let path: *const c_char = words.as_ptr().cast();
    let arguments = [path, core::ptr::null()];
    // Its end is signalled even if the parent of this process ignored the signal.
    // SAFETY: no handler, nothing to call.
    unsafe { on_signal(libc::SIGCHLD, libc::SIG_DFL) };
    // SAFETY: the program has one thread, so the child may do what it likes. All
    // pointers are to what lives in both and ends with NUL, and the lists end with
    // null; that of the variables begins after the path.
    let process = unsafe {
        let process = fork();
        if process == 0 {
            libc::setpgid(0, 0);
            set_mask(libc::SIG_SETMASK, &SignalSet::default());
            on_signal(libc::SIGPIPE, libc::SIG_DFL);
            let nothing = libc::syscall(
                libc::SYS_openat,
                libc::AT_FDCWD,
                c"/dev/null".as_ptr(),
                libc::O_RDWR,
            ) as c_int;
            libc::syscall(libc::SYS_dup3, nothing, 0, 0);
            libc::syscall(libc::SYS_dup3, 2, 1, 0);
            if nothing > 2 {
                libc::syscall(libc::SYS_close, nothing);
            }
            libc::execve(path, arguments.as_ptr(), pointers.as_ptr().add(1));
            libc::_exit(127);
        }
        process
    };
    check(process as isize)?;
    // SAFETY: plain call without pointers.
    unsafe { libc::setpgid(process, process) };
    Ok(Child { process })
}

/// Has SIGALRM sent after that many milliseconds; never for 0.
pub fn alarm(time: u64) {
    // SAFETY: zero is valid for these plain numbers, which outlive the call.
    unsafe {
        // struct itimerval: the interval and the value, each seconds and microseconds.
        // Longer than anyone lives, and a valid time on every machine.
        let timer: [libc::c_long; 4] = [
            0,
            0,
            (time / 1000).min(i32::MAX as u64) as _,
            (time % 1000 * 1000) as _,
        ];
        libc::syscall(
            libc::SYS_setitimer,
            libc::ITIMER_REAL,
            &raw const timer,
            null_mut::<c_void>(),
        );
    }
}

/// Seconds since 1970, and microseconds.
pub fn now() -> (u64, u32) {
    let [seconds, nanoseconds] = clock(libc::CLOCK_REALTIME);
    (seconds, nanoseconds as u32 / 1000)
}

/// Seconds and nanoseconds of a clock, 64 bits each, by the system call: what the libc crate
/// knows ends in 2038 on 32-bit machines, and the C library's code to avoid the call is a
/// kilobyte.
fn clock(which: libc::clockid_t) -> [u64; 2] {
    const CALL: libc::c_long = if cfg!(target_pointer_width = "32") {
        // clock_gettime64 (kernel 5.1): the same on every machine, but that
        // MIPS counts from 4000.
        libc::SYS_statx / 4000 * 4000 + 403
    } else {
        libc::SYS_clock_gettime
    };
    // struct __kernel_timespec.
    let mut now = [0_u64; 2];
    // SAFETY: the two numbers are as large as the structure and outlive the
    // call.
    unsafe { libc::syscall(CALL, which, &raw mut now) };
    now
}

/// The environment variable `name`.
pub fn environment(name: &[u8]) -> Option<&'static [u8]> {
    // SAFETY: the program has one thread and never changes its environment: a
    // null pointer is its end, and the strings stay.
    unsafe {
        let mut next = environ;
        while !next.is_null() && !(*next).is_null() {
            let variable = CStr::from_ptr(*next).to_bytes();
            if let Some([b'=', value @ ..]) = variable.strip_prefix(name) {
                return Some(value);
            }
            next = next.add(1);
        }
    }
    None
}

/// Ends the program. Nothing is flushed here: whoever writes flushes.
pub fn exit(status: u8) -> ! {
    if let Some(release) = FORMER.release.get() {
        release();
    }
    // SAFETY: never returns; no destructor is relied upon.
    unsafe { libc::_exit(c_int::from(status)) }
}

/// The words of the command line, as `main` was given them.
///
/// # Safety
/// `argc` and `argv` must be what the C library passed to `main`.
pub unsafe fn arguments(
    argc: c_int,
    argv: *const *const c_char,
) -> impl ExactSizeIterator<Item = &'static [u8]> {
    // SAFETY: argv holds argc pointers to strings that live as long as the
    // program, as the caller promises.
    (0..argc.max(0)).map(move |at| unsafe { CStr::from_ptr(*argv.add(at as usize)) }.to_bytes())
}

/// Whether bytes are ASCII, as nearly all are: checked eight at a time.
#[inline(always)]
fn is_ascii(bytes: &[u8]) -> bool {
    const HIGHEST: u64 = u64::from_ne_bytes([0x80; 8]);
    let mut bits = 0;
    let mut rest = bytes;
    while let Some((eight, after)) = rest.split_first_chunk() {
        bits |= u64::from_ne_bytes(*eight);
        rest = after;
    }
    for byte in rest {
        bits |= u64::from(*byte);
    }
    bits & HIGHEST == 0
}

/// Bytes as text, if they are UTF-8.
#[inline(never)]
pub fn text(bytes: &[u8]) -> Option<&str> {
    if is_ascii(bytes) {
        // SAFETY: ASCII is UTF-8.
        return Some(unsafe { core::str::from_utf8_unchecked(bytes) });
    }
    utf8(bytes)
}

/// Cuts words out of bytes: the lower half of a span is where the word begins, the upper where
/// it ends. False if one is not UTF-8.
pub fn cut<'t>(bytes: &'t [u8], spans: &[u64], words: &mut [&'t str]) -> bool {
    let end = spans.last().map_or(0, |span| (span >> 32) as usize);
    let bytes = bytes.get(..end).unwrap_or(bytes);
    let ascii = is_ascii(bytes);
    for (word, span) in words.iter_mut().zip(spans) {
        let (start, end) = (*span as u32 as usize, (span >> 32) as usize);
        let bytes = bytes.get(start..end).unwrap_or(&[]);
        *word = if ascii {
            // SAFETY: a part of what is ASCII, and ASCII is UTF-8.
            unsafe { core::str::from_utf8_unchecked(bytes) }
        } else if let Some(text) = utf8(bytes) {
            text
        } else {
            return false;
        };
    }
    true
}

/// Heap memory for a short command without asking the kernel: a piece of zeroed memory in the
/// program itself is handed out first, and only what does not fit comes from the kernel.
///
/// What is freed of that piece is not reused, unless it was handed out last: commands that
/// run for long outgrow the piece once. Memory beyond it is reused: small blocks are powers
/// of two, with a list of freed blocks for each, and large blocks go back to the kernel. The
/// C library's malloc does the same for many threads, in three times the code.
// The counters and what is handed out first are in the same page: a command that needs little
// touches few pages.
#[repr(C, align(4096))]
pub struct Memory {
    used: Cell<usize>,
    // Everything from here on has never been handed out and is still zero.
    fresh: Cell<usize>,
    piece: UnsafeCell<Piece>,
    // For each power of two that is not large, the block that was freed last; it begins with a
    // pointer to the one before.
    freed: [Cell<*mut u8>; LARGE.trailing_zeros() as usize],
    // Small blocks are cut from here; this much is left of it.
    chunk: Cell<*mut u8>,
    left: Cell<usize>,
}

/// A block is large if its size, rounded up to a power of two, is at least this.
const LARGE: usize = 1 << 16;
/// Whether a command keeps lists whose length depends on how busy the host is.
const LONG_LISTS: bool = built::CONNECTIONS;
/// The smallest block beyond the piece: aligned for everything, and large enough for a pointer.
const LEAST: usize = 16;

/// Enough for everything a command needs, including the buffer of its socket (64 KiB), except
/// the lists of a busy host. What is not used takes no memory.
const PIECE: usize = 256 * 1024 - 16;

#[repr(align(16))]
// Only reached through pointers.
struct Piece(#[allow(dead_code)] [u8; PIECE]);

// SAFETY: the program starts no threads.
unsafe impl Sync for Memory {}

impl Memory {
    /// All of it is free.
    #[allow(clippy::new_without_default)] // a default would be made at run time
    pub const fn new() -> Self {
        Self {
            used: Cell::new(0),
            fresh: Cell::new(0),
            piece: UnsafeCell::new(Piece([0; PIECE])),
            freed: [const { Cell::new(null_mut()) }; LARGE.trailing_zeros() as usize],
            chunk: Cell::new(null_mut()),
            left: Cell::new(0),
        }
    }

    fn start(&self) -> *mut u8 {
        self.piece.get().cast()
    }

    /// The offset of `pointer` in the piece, if it is in there.
    fn offset(&self, pointer: *mut u8) -> Option<usize> {
        let offset = (pointer as usize).wrapping_sub(self.start() as usize);
        (offset < PIECE).then_some(offset)
    }

    /// Takes `size` bytes at `at`, if there are as many.
    fn take(&self, at: usize, size: usize) -> Option<*mut u8> {
        let end = at.checked_add(size)?;
        if end > PIECE {
            return None;
        }
        self.used.set(end);
        self.fresh.set(self.fresh.get().max(end));
        // SAFETY: at + size lies within the piece.
        Some(unsafe { self.start().add(at) })
    }

    fn take_aligned(&self, layout: Layout) -> Option<*mut u8> {
        if layout.align() > 16 {
            return None;
        }
        let at = (self.used.get() + layout.align() - 1) & !(layout.align() - 1);
        self.take(at, layout.size())
    }

    /// The list of freed blocks for this many bytes, and the size of each; none for large
    /// blocks.
    fn list(&self, size: usize) -> Option<(&Cell<*mut u8>, usize)> {
        let bits = usize::BITS - (size.max(LEAST) - 1).leading_zeros();
        Some((self.freed.get(bits as usize)?, 1 << bits))
    }

    /// A block of this many bytes beyond the piece.
    #[cold]
    fn beyond(&self, size: usize) -> *mut u8 {
        let Some((list, room)) = self.list(size) else {
            return map(size);
        };
        let block = list.get();
        if !block.is_null() {
            // SAFETY: a freed block begins with where the one before it is.
            list.set(unsafe { block.cast::<*mut u8>().read() });
            return block;
        }
        if self.left.get() < room {
            self.chunk.set(map(LARGE));
            self.left.set(LARGE);
        }
        let at = self.left.get() - room;
        self.left.set(at);
        // SAFETY: the chunk is LARGE bytes, and at is less.
        unsafe { self.chunk.get().add(at) }
    }

    /// Takes such a block back.
    ///
    /// # Safety
    /// [`Memory::beyond`] returned it for this many bytes, and it is no longer used.
    #[cold]
    unsafe fn give_back(&self, block: *mut u8, size: usize) {
        let Some((list, _)) = self.list(size) else {
            // SAFETY: a large block is a mapping of its own, of that size.
            unsafe { libc::syscall(libc::SYS_munmap, block, size) };
            return;
        };
        // SAFETY: nobody else uses the block, which has room for a pointer and is
        // aligned for it.
        unsafe { block.cast::<*mut u8>().write(list.get()) };
        list.set(block);
    }
}

/// Whether standard error is JSON. Global, like standard error itself, for code without the
/// options at hand: the allocator, a warning from the kernel.
static JSON_ERRORS: AtomicBool = AtomicBool::new(false);

/// Whether standard error is JSON.
pub fn json_errors() -> bool {
    JSON_ERRORS.load(Ordering::Relaxed)
}

/// Makes standard error JSON, or text.
pub fn set_json_errors(json: bool) {
    JSON_ERRORS.store(json, Ordering::Relaxed);
}

/// Zeroed memory from the kernel, aligned to its pages. If it has none, the program ends with
/// a message: the caller could only abort without one.
fn map(size: usize) -> *mut u8 {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping, of nothing, wherever the kernel likes.
    let block = unsafe {
        if cfg!(target_arch = "s390x") {
            // There the call takes a structure.
            libc::mmap(null_mut(), size, access, flags, -1, 0)
        } else {
            // The C library's function prepares for threads.
            let (wherever, nothing) = (0_usize, -1_isize);
            libc::syscall(SYS_MMAP, wherever, size, access, flags, nothing, 0_usize) as *mut c_void
        }
    };
    mapped(block)
}

/// What mmap or mremap returned, if it is a mapping.
fn mapped(block: *mut c_void) -> *mut u8 {
    if block == libc::MAP_FAILED {
        let message: &[u8] = match json_errors() {
            true => {
                b"{\"error\":{\"kind\":\"kernel\",\"message\":\"Cannot allocate memory\",\
                  \"errno\":12,\"name\":\"ENOMEM\"}}\n"
            }
            false => b"Error: Cannot allocate memory\n",
        };
        let _ = write(&Fd::STDERR, message);
        exit(1);
    }
    block.cast()
}

// SAFETY: pieces are handed out once, aligned and within bounds; blocks beyond
// them are at multiples of 16 bytes in a mapping, and in no list while they are
// used. Larger alignments are refused.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match self.take_aligned(layout) {
            Some(pointer) => pointer,
            None if layout.align() > 16 => null_mut(),
            None => self.beyond(layout.size()),
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let fresh = self.fresh.get();
        match self.take_aligned(layout) {
            Some(pointer) => {
                let used = fresh.saturating_sub(self.offset(pointer).unwrap_or(0));
                // SAFETY: at most the block is written, layout.size() bytes.
                unsafe { pointer.write_bytes(0, used.min(layout.size())) };
                pointer
            }
            None if layout.align() > 16 => null_mut(),
            None => {
                let block = self.beyond(layout.size());
                if layout.size() < LARGE {
                    // SAFETY: the block has that size.
                    unsafe { block.write_bytes(0, layout.size()) };
                }
                block
            }
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        match self.offset(pointer) {
            Some(at) if at + layout.size() == self.used.get() => self.used.set(at),
            Some(_) => {}
            // SAFETY: what is not in the piece is beyond it, and the caller's.
            None => unsafe { self.give_back(pointer, layout.size()) },
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        match self.offset(pointer) {
            // The last one of the piece grows where it is.
            Some(at) if at + layout.size() == self.used.get() => {
                if let Some(pointer) = self.take(at, size) {
                    return pointer;
                }
            }
            // A mapping is moved without a copy: a long list never takes twice its memory.
            None if LONG_LISTS && self.list(layout.size().min(size)).is_none() => {
                // SAFETY: such a block is a mapping of that size, and the caller's.
                let block = unsafe {
                    let may_move = libc::MREMAP_MAYMOVE;
                    libc::syscall(libc::SYS_mremap, pointer, layout.size(), size, may_move)
                };
                return mapped(block as *mut c_void);
            }
            // All others are copied: what grows doubles.
            _ => {}
        }
        // SAFETY: the new block is distinct and at least as long as what is
        // copied.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                new.copy_from_nonoverlapping(pointer, layout.size().min(size));
                self.dealloc(pointer, layout);
            }
            new
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_do_not_overlap_and_are_used_again() {
        static MEMORY: Memory = Memory::new();
        let mut random = 1_u64;
        let mut held: Vec<(*mut u8, Layout, u8)> = Vec::new();
        for turn in 0..40_000_u32 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let chosen = (random >> 33) as usize;
            // Of all sizes from 1 to 256 KiB, small ones mostly.
            let size = 1 + chosen % (1 << (chosen >> 20) % 19);
            let mut layout = Layout::from_size_align(size, 1 << chosen % 5).unwrap();
            let mark = turn as u8;
            let whole = |block: *mut u8, len: usize, mark: u8| {
                // SAFETY: blocks that are held have that many bytes.
                let bytes = unsafe { core::slice::from_raw_parts(block, len) };
                bytes.iter().all(|byte| *byte == mark)
            };
            if held.len() > 200 || turn > 39_000 && !held.is_empty() {
                let (block, layout, mark) = held.swap_remove(chosen % held.len());
                assert!(
                    whole(block, layout.size(), mark),
                    "what was written is there"
                );
                // SAFETY: it is held, and not afterwards.
                unsafe { MEMORY.dealloc(block, layout) };
                continue;
            }
            // SAFETY: sizes are not 0; what is grown is held, and not afterwards.
            let block = unsafe {
                match turn % 3 {
                    0 => MEMORY.alloc(layout),
                    1 => {
                        let block = MEMORY.alloc_zeroed(layout);
                        assert!(whole(block, size, 0), "{size} bytes are zero");
                        block
                    }
                    _ if held.is_empty() => continue,
                    _ => {
                        let (block, before, mark) = held.swap_remove(chosen % held.len());
                        let kept = before.size().min(size);
                        let block = MEMORY.realloc(block, before, size);
                        assert!(whole(block, kept, mark), "what was written is kept");
                        layout = Layout::from_size_align(size, before.align()).unwrap();
                        block
                    }
                }
            };
            assert_eq!(block as usize % layout.align(), 0);
            // SAFETY: as before.
            unsafe { block.write_bytes(mark, size) };
            held.push((block, layout, mark));
        }
        // Beyond the piece one block is handed out again and again.
        let layout = Layout::from_size_align(PIECE / 3, 16).unwrap();
        let small = Layout::from_size_align(3000, 8).unwrap();
        // SAFETY: as before.
        unsafe {
            while MEMORY.offset(MEMORY.alloc(layout)).is_some() {}
            while MEMORY.offset(MEMORY.alloc(small)).is_some() {}
            let first = MEMORY.alloc(small);
            MEMORY.dealloc(first, small);
            assert_eq!(MEMORY.alloc(small), first);
        }
    }
}
