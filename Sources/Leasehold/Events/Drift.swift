/// The traces of a set that change when anything but semop(2) changes it.
public struct SetTrace: Sendable, Equatable {
  /// `sem_ctime`, in whole seconds: moved by SETVAL, SETALL and IPC_SET.
  public var changed: Int64
  /// `sem_otime`, in whole seconds: moved by semop(2) alone.
  public var operated: Int64
  /// Owner, group and mode, which IPC_SET alone changes.
  public var owner: UInt32
  /// See ``owner``.
  public var group: UInt32
  /// See ``owner``.
  public var mode: UInt32
  /// When it was read, at the earliest, in whole seconds of the same clock.
  public var read: Int64

  /// Makes a trace.
  public init(changed: Int64, operated: Int64, owner: UInt32, group: UInt32, mode: UInt32, read: Int64) {
    self.changed = changed
    self.operated = operated
    self.read = read
    self.owner = owner
    self.group = group
    self.mode = mode
  }

  /// Returns true when no operation was done since: the time of one would have moved, as this was read in a later
  /// second.
  func isUnoperated(since before: SetTrace) -> Bool {
    operated == before.operated && before.operated < before.read
  }

  /// Returns true when values may have been written since: the time moved, and no new owner or mode is the reason.
  func isWritten(since before: SetTrace?) -> Bool {
    guard let before else { return false }
    return changed != before.changed && (owner, group, mode) == (before.owner, before.group, before.mode)
  }
}
