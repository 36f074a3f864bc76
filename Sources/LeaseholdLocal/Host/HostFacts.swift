import Glibc
import Leasehold
import LeaseholdHost

/// Small facts that the kernel tells in files.
enum HostFacts {
  /// The inode of this process's IPC namespace: two programs share semaphores only if theirs are equal.
  static func ipcNamespace() -> UInt64 { HostFile.inode(of: "/proc/self/ns/ipc") ?? 0 }

  /// A file of the kernel's; `nil` when it cannot be read, or is empty.
  static func text(of path: String) -> [UInt8]? {
    let (text, failure) = HostFile.read(path, bytesMax: 1 << 22)
    return failure == 0 && !text.isEmpty ? text : nil
  }

  /// Returns true when the kernel destroys a segment when its last user dies (kernel.shm_rmid_forced): the ledger would
  /// not outlive the daemon.
  static func segmentsDieWithTheirUsers() -> Bool {
    text(of: "/proc/sys/kernel/shm_rmid_forced")?.first == UInt8(ascii: "1")
  }

  /// Bytes of a page of memory.
  static var pageBytes: Int { max(1, sysconf(Int32(_SC_PAGESIZE))) }

  /// The user of this process.
  static var uid: UInt32 { geteuid() }

  /// This process.
  static var pid: Int32 { getpid() }
}

extension HostClock {
  /// CLOCK_MONOTONIC now.
  static func now() -> MonotonicInstant { MonotonicInstant(nanoseconds: monotonic()) }
}
