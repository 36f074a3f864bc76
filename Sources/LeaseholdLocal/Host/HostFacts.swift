import Glibc
import SystemPackage

/// Small facts that the kernel tells in files.
enum HostFacts {
  /// The inode of this process's IPC namespace: two programs share semaphores only if theirs are equal.
  static func ipcNamespace() -> UInt64 {
    var status = stat()
    return stat("/proc/self/ns/ipc", &status) == 0 ? UInt64(status.st_ino) : 0
  }

  /// Returns true when the kernel destroys a segment when its last user dies (kernel.shm_rmid_forced): the ledger would
  /// not outlive the daemon.
  static func segmentsDieWithTheirUsers() -> Bool {
    guard let file = try? FileDescriptor.open("/proc/sys/kernel/shm_rmid_forced", .readOnly) else { return false }
    defer { try? file.close() }
    var byte: UInt8 = 0
    let count = withUnsafeMutableBytes(of: &byte) { (try? file.read(into: $0)) ?? 0 }
    return count == 1 && byte == UInt8(ascii: "1")
  }

  /// Bytes of a page of memory.
  static var pageBytes: Int { max(1, sysconf(Int32(_SC_PAGESIZE))) }

  /// The user of this process.
  static var uid: UInt32 { geteuid() }

  /// This process.
  static var pid: Int32 { getpid() }
}
