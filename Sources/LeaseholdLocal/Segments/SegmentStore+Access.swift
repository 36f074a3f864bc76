import Leasehold
import SysV
import SystemPackage

// No caller gets over HTTP what shmat(2), shmget(2) or shmctl(2) would refuse its own process.

extension SegmentStore {
  /// Throws where the kernel would not let the caller do this with a segment.
  func check(
    _ segment: SharedMemorySegment, _ access: IPCAccess, _ address: IPCAddress?
  ) throws(LeaseholdError) {
    guard caller != nil else { return }
    try check(explaining(segment.status()) { explain($0, address) }, access, address)
  }

  /// Throws where shmat(2) would not attach the segment for the caller: writing needs both permissions.
  func check(
    _ status: SharedMemorySegment.Status, _ access: SharedMemoryMapping.Access, _ address: IPCAddress?
  ) throws(LeaseholdError) {
    try check(status, IPCAccess.read, address)
    if access == .readWrite { try check(status, IPCAccess.alter, address) }
  }

  private func check(
    _ status: SharedMemorySegment.Status, _ access: IPCAccess, _ address: IPCAddress?
  ) throws(LeaseholdError) {
    guard let caller else { return }
    guard !status.permissions.lets(caller.peer, access, groups: caller.groups) else { return }
    throw .notYours("segment", text(address), access, list: "/segments")
  }

  /// A segment that is made for a user of the Unix socket becomes that user's, as if it had been made natively.
  func handOver(_ segment: SharedMemorySegment) throws(LeaseholdError) {
    guard case .local(_, let uid, let gid)? = caller?.peer else { return }
    do throws(Errno) {
      try segment.setPermissions(try segment.status().permissions.with(owner: uid, group: gid))
    } catch {
      // A user of whom this user namespace knows nothing can own nothing in it.
      guard error == .invalidArgument else { throw explain(error, .id(segment.id)) }
    }
  }
}
