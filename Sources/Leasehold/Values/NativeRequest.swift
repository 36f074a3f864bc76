/// The part of a request about a native lock beyond its name: the binding parameters, checked.
///
/// A class, so that a request for an own lock carries one empty word of it.
public final class NativeRequest: Sendable {
  /// Which programs the lock is shared with.
  public enum Dialect: UInt8, Sendable {
    case php = 1
    case apache = 2
    case path = 3
    case sysv = 4
  }

  /// Where the set is.
  public enum Place: Sendable {
    /// Under a key, not 0.
    case key(Int32)
    /// Under its identifier.
    case id(Int32)
    /// Under the key that ftok(3) makes of a file and a project.
    case path(String, project: UInt8)
  }

  /// Which programs the lock is shared with.
  public let dialect: Dialect
  /// Where the set is.
  public let place: Place
  /// The number of the semaphore; for `apache:` that of the session's readers.
  public let semaphore: Int
  /// Semaphores of a set that is made, and of `php:` and `apache:` sets that exist; 0 makes none and takes any
  /// (`sysv:`).
  public let count: Int
  /// The nine permission bits of a set that is made.
  public let permissions: UInt16
  /// The values of a `path:` or `sysv:` set that is made, one for each semaphore.
  public let values: [UInt16]
  /// True when the time of a `path:` file is set to now.
  public let touches: Bool
  /// True when a lease on it never ends by itself (`undo=false`).
  public let isEndless: Bool
  /// The caller.
  public let peer: Peer
  /// The peer's groups beside its primary one.
  public let groups: [UInt32]

  /// Takes checked values.
  public init(
    _ dialect: Dialect, at place: Place, semaphore: Int, count: Int, permissions: UInt16, values: [UInt16] = [],
    touches: Bool = false, isEndless: Bool = false, peer: Peer = .unknown, groups: [UInt32] = []
  ) {
    self.dialect = dialect
    self.place = place
    self.semaphore = semaphore
    self.count = count
    self.permissions = permissions
    self.values = values
    self.touches = touches
    self.isEndless = isEndless
    self.peer = peer
    self.groups = groups
  }

  /// True when the set is made where there is none, and again where it was removed.
  var makesSet: Bool { count > 0 }

  /// Calls `mix` with numbers that differ when requests do, for all practical purposes.
  func mix(into mix: (UInt64) -> Void) {
    mix(UInt64(dialect.rawValue) | UInt64(semaphore) << 8 | UInt64(count) << 32)
    mix(UInt64(permissions) | (touches ? 1 << 16 : 0) | (isEndless ? 1 << 17 : 0))
    switch place {
    case .key(let key): mix(UInt64(UInt32(bitPattern: key)))
    case .id(let id): mix(UInt64(UInt32(bitPattern: id)) | 1 << 32)
    case .path(let path, let project):
      mix(UInt64(project) | 1 << 33)
      for byte in path.utf8 { mix(UInt64(byte)) }
    }
    for value in values { mix(UInt64(value)) }
  }
}
