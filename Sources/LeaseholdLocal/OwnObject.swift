import Leasehold
import SysV
import SystemPackage

/// Something that the daemon keeps in the kernel and finds again by its key.
///
/// A key is a number that any program may use first. What is found under it is believed only if this user made it, owns
/// it, and no other user may use it: an owner alone is no proof, because the maker of an object can give it away.
///
/// The raw values are the names in errors.
public enum OwnObject: String, Sendable {
  /// The semaphore set that one daemon at a time has.
  case `guard` = "the guard"
  /// The segment of the leases.
  case ledger = "the ledger"
  /// The segment of the fences of segments.
  case fences = "the table of fences"

  /// The command that removes it.
  func removal(_ key: Int32) -> String { "ipcrm \(self == .guard ? "-S" : "-M") \(IPCKey(rawValue: key))" }

  /// Refuses what another user made, owns or may use.
  func check(_ permissions: IPCPermissions, key: Int32) throws(LocalServiceError) {
    guard permissions.isOurs, permissions.mode == .ownerReadWrite else {
      throw .notOurs(
        self, key: key, owner: permissions.owner, creator: permissions.creator,
        mode: UInt32(permissions.mode.rawValue))
    }
  }

  /// The same for a segment, before it is attached.
  func check(_ segment: SharedMemorySegment, key: IPCKey) throws(LocalServiceError) {
    try check(explaining(segment.status()) { notPermitted(key, $0) }.permissions, key: key.rawValue)
  }

  /// Why the kernel does not let this user at it, with its owner.
  func notPermitted(_ key: IPCKey, _ errno: Errno) -> LocalServiceError {
    guard errno == .permissionDenied || errno == .notPermitted else {
      return .kernel(what: "use \(rawValue), key \(key)", errno: errno)
    }
    let permissions: IPCPermissions? =
      if self == .guard {
        (try? IPCInventory.semaphoreSets())?.first { $0.status.permissions.key == key }?.status.permissions
      } else {
        (try? IPCInventory.sharedMemorySegments())?.first { $0.status.permissions.key == key }?.status.permissions
      }
    return .notPermitted(self, key: key.rawValue, owner: permissions?.owner, errno: errno)
  }
}

extension IPCPermissions {
  /// The same with another owner, group or mode, where one is given.
  func with(owner: UInt32?, group: UInt32?, mode: UInt16? = nil) -> IPCPermissions {
    var permissions = self
    permissions.owner = owner ?? self.owner
    permissions.group = group ?? self.group
    permissions.mode = mode.map(IPCMode.init) ?? self.mode
    return permissions
  }

  /// True when the user of this process made it and owns it.
  var isOurs: Bool { creator == HostFacts.uid && owner == HostFacts.uid }
}
