// The only file that calls libc. Each function has the name, the arguments and the order of the C function,
// returns what it returns and leaves errno as it leaves it. In debug builds a test can make any of them fail
// (see `ForcedErrno`); in release builds the question is constant and gone.

// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CSysV
import Glibc
import SystemPackage

/// The calls of this file, by their C names.
package enum Syscall: String, CaseIterable, Sendable {
  case semget, semop, semtimedop, semctl
  case shmget, shmat, shmdt, shmctl
  case madvise, ftok
  case pidfd_open, pidfd_send_signal, poll, close
  case getsockopt
  case openat2, getxattr
}

@inline(__always)
private func isForcedToFail(_ call: Syscall) -> Bool {
  #if DEBUG
    guard let forced = ForcedErrno.current?.answer(to: call) else { return false }
    errno = forced.rawValue
    return true
  #else
    return false
  #endif
}

/// Makes a call, unless a test has it fail.
@inline(__always)
private func unlessForced<Result: SignedInteger>(_ call: Syscall, _ body: @autoclosure () -> Result) -> Result {
  isForcedToFail(call) ? -1 : body()
}

/// Turns -1 into the error that errno holds.
@inline(__always) @discardableResult
func throwingErrno(_ result: CInt) throws(Errno) -> CInt {
  if result == -1 { throw Errno(rawValue: errno) }
  return result
}

/// `nil` for anything but -1.
@inline(__always)
func errnoOrNil(_ result: CInt) -> Errno? {
  result == -1 ? Errno(rawValue: errno) : nil
}

/// For the call whose -1 may be a result: `nil` when errno is still what the call set it to before, 0.
func errnoIfSet() -> Errno? {
  errno == 0 ? nil : Errno(rawValue: errno)
}

// MARK: Semaphores

func system_semget(_ key: key_t, _ nsems: CInt, _ semflg: CInt) -> CInt {
  unlessForced(.semget, semget(key, nsems, semflg))
}

func system_semop(_ semid: CInt, _ sops: UnsafeMutablePointer<sembuf>?, _ nsops: Int) -> CInt {
  unlessForced(.semop, semop(semid, sops, nsops))
}

func system_semtimedop(
  _ semid: CInt, _ sops: UnsafeMutablePointer<sembuf>?, _ nsops: Int, _ timeout: UnsafePointer<timespec>?
) -> CInt {
  unlessForced(.semtimedop, csysv_semtimedop(semid, sops, nsops, timeout))
}

func system_semctl(
  _ semid: CInt, _ semnum: CInt, _ cmd: CInt, _ arg: csysv_semun = csysv_semun()
) -> CInt {
  unlessForced(.semctl, csysv_semctl(semid, semnum, cmd, arg))
}

// MARK: Shared memory

func system_shmget(_ key: key_t, _ size: Int, _ shmflg: CInt) -> CInt {
  unlessForced(.shmget, shmget(key, size, shmflg))
}

/// `nil` stands for `(void *) -1`.
func system_shmat(_ shmid: CInt, _ shmaddr: UnsafeRawPointer?, _ shmflg: CInt) -> UnsafeMutableRawPointer? {
  if isForcedToFail(.shmat) { return nil }
  let address: UnsafeMutableRawPointer? = shmat(shmid, shmaddr, shmflg)
  return address == UnsafeMutableRawPointer(bitPattern: -1) ? nil : address
}

func system_shmdt(_ shmaddr: UnsafeRawPointer) -> CInt { unlessForced(.shmdt, shmdt(shmaddr)) }

func system_shmctl(_ shmid: CInt, _ cmd: CInt, _ buf: UnsafeMutableRawPointer?) -> CInt {
  unlessForced(.shmctl, shmctl(shmid, cmd, buf?.assumingMemoryBound(to: shmid_ds.self)))
}

func system_madvise(_ addr: UnsafeMutableRawPointer, _ length: Int, _ advice: CInt) -> CInt {
  unlessForced(.madvise, madvise(addr, length, advice))
}

func system_getpagesize() -> CInt { getpagesize() }

// MARK: Keys, processes, time

/// Clears errno first, because -1 is also a key.
func system_ftok(_ pathname: UnsafePointer<CChar>, _ proj_id: CInt) -> key_t {
  if isForcedToFail(.ftok) { return -1 }
  errno = 0
  return ftok(pathname, proj_id)
}

/// Never leaves the folder, whatever links and `..` say (RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS).
func system_openat2_beneath(_ folder: CInt, _ path: UnsafePointer<CChar>, _ flags: CInt, _ mode: mode_t) -> CInt {
  unlessForced(.openat2, csysv_openat2_beneath(folder, path, flags, mode))
}

/// The attribute `system.posix_acl_access`, by way of /proc, as the descriptor may only name the file.
func system_getxattr_posix_acl(_ fd: CInt, _ value: UnsafeMutableRawBufferPointer) -> Int {
  unlessForced(.getxattr, csysv_getxattr_posix_acl(fd, value.baseAddress, value.count))
}

/// Answers what it was before; -1 asks, and changes nothing.
func system_setfsuid(_ uid: uid_t) -> uid_t { uid_t(bitPattern: csysv_setfsuid(uid)) }

/// Answers what it was before; -1 asks, and changes nothing.
func system_setfsgid(_ gid: gid_t) -> gid_t { gid_t(bitPattern: csysv_setfsgid(gid)) }

/// Of the calling thread alone.
func system_setgroups(_ groups: [gid_t]) -> CInt { csysv_setgroups(groups.count, groups) }

/// O_PATH.
let systemJustNaming = CInt(csysv_o_path)

func system_getgroups() -> [gid_t] {
  var groups = [gid_t](repeating: 0, count: Int(max(0, getgroups(0, nil))))
  let count = getgroups(CInt(groups.count), &groups)
  return Array(groups.prefix(Int(max(0, count))))
}

func system_geteuid() -> uid_t { geteuid() }

func system_getegid() -> gid_t { getegid() }

func system_pidfd_open(_ pid: pid_t, _ flags: CUnsignedInt) -> CInt {
  unlessForced(.pidfd_open, csysv_pidfd_open(pid, flags))
}

func system_pidfd_send_signal(_ pidfd: CInt, _ sig: CInt) -> CInt {
  unlessForced(.pidfd_send_signal, csysv_pidfd_send_signal(pidfd, sig))
}

func system_getsockopt_peerpidfd(_ sockfd: CInt) -> CInt {
  unlessForced(.getsockopt, csysv_getsockopt_peerpidfd(sockfd))
}

func system_pidfd_inode(_ pidfd: CInt) -> UInt64 { csysv_pidfd_inode(pidfd) }

func system_poll(_ fds: UnsafeMutablePointer<pollfd>, _ nfds: nfds_t, _ timeout: CInt) -> CInt {
  unlessForced(.poll, poll(fds, nfds, timeout))
}

func system_close(_ fd: CInt) -> CInt { unlessForced(.close, close(fd)) }

/// CLOCK_MONOTONIC, which is what the kernel measures the timeout of semtimedop with.
func system_monotonicTime() -> timespec {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return time
}

func system_strerrorname_np(_ err: CInt) -> UnsafePointer<CChar>? { csysv_strerrorname_np(err) }
