internal import HTTPExchange
internal import Leasehold
internal import LeaseholdHost
internal import LeaseholdQueue

/// The names of locks and leases in etcd.
enum EtcdNames {
  /// A lock's name as a part of a key.
  static func encoded(_ key: LockKey) -> String { QueueNames.encoded(key.text) }

  /// The lock's name of a part of a key; `nil` where it is none.
  static func decoded(_ part: String) -> LockKey? {
    QueueNames.decoded(part).flatMap { try? LockKey(utf8: $0.utf8) }
  }

  /// The name of a lease's entry: etcd holds no id by which a lease can be released.
  static func entry(of lease: LeaseID) -> String { hexadecimal(bytes(["entry", lease.text]).prefix(16)) }

  /// 64 hexadecimal digits of some texts.
  static func digest(_ texts: String...) -> String { hexadecimal(bytes(texts)[...]) }

  private static func hexadecimal(_ bytes: ArraySlice<UInt8>) -> String {
    bytes.map { $0.digits(2, radix: 16) }.joined()
  }

  private static func bytes(_ texts: [String]) -> [UInt8] {
    var text: [UInt8] = []
    for part in texts {
      text += part.utf8
      text.append(0)
    }
    guard let digest = Digest.sha256(text) else { preconditionFailure("SHA-256 is switched off") }
    return digest
  }

  /// A lease's id that only who knows the Idempotency-Key can read, and back.
  static func hidden(_ id: LeaseID, by key: String, _ lock: LockKey) -> LeaseID {
    let pad = bytes(["pad", lock.text, key])
    func word(_ from: Int) -> UInt64 { pad[from..<from + 8].reduce(0) { $0 << 8 | UInt64($1) } }
    return LeaseID(high: id.high ^ word(0), low: id.low ^ word(8))
  }
}

extension MonotonicInstant {
  /// The instant of milliseconds of the wall clock, which is never ahead.
  init(wall: Int64) {
    // Another program may have written anything.
    let nanoseconds = min(max(0, wall), .max / 1_000_000) * 1_000_000 - HostClock.wallOffset()
    self.init(nanoseconds: min(nanoseconds, HostClock.monotonic()))
  }
}

extension QueueKind {
  /// The kind of a lock that is asked for with a limit, or without.
  init(limit: Int?) { self = limit.map { .counting(limit: $0) } ?? .readersWriter }

  var lockKind: LockKind {
    switch self {
    case .counting(let limit): .counting(limit: limit)
    case .readersWriter: .readersWriter
    }
  }
}

extension EntryValue {
  var mode: LockMode { isShared ? .shared : .exclusive }

  /// The lease's short name as a number.
  var refNumber: UInt64 { UInt64(ref, radix: 16) ?? 0 }
}

extension QueueEntry {
  /// The locks of the whole lease.
  var allLocks: [String] { value.locks.isEmpty ? [lock] : value.locks }

  /// The end of a lease whose time has passed.
  var expiry: EndValue { EndValue(.expired, of: self) }
}

extension EndValue {
  /// The end of a lease now, for who asks later.
  init(_ reason: EndReason, of entry: QueueEntry) {
    self.init(reason: reason.name, at: EtcdLockService.wall())
    (lock, locks, ref) = (entry.allLocks[0], entry.value.locks, entry.value.ref)
  }

  /// When an operator's grace is over.
  var over: MonotonicInstant {
    MonotonicInstant(wall: at) + .milliseconds(min(grace, Limits.deadlineAhead.milliseconds))
  }

  /// The reason; of a word that a later version wrote, that its time has passed.
  var endReason: EndReason { EndReason.allCases.first { $0.name == reason } ?? .expired }

  /// The note of the operator who ended it; `nil` of another end.
  var breakNote: BreakNote? { endReason == .broken ? BreakNote(reason: note, by: by) : nil }
}

extension LockQueue {
  /// The entries of leases.
  var holders: [QueueEntry] {
    entries.filter { !$0.isUpgrade && !$0.value.isWaiting && $0.value.shrinksTo == nil }
  }

  /// The entries of waiters, upgrades among them.
  var waiting: [QueueEntry] { entries.filter(\.value.isWaiting) }

  /// The second entry of a lease that is a writer's.
  func boundUpgrade(_ name: String) -> QueueEntry? { upgrade(name).flatMap { $0.value.isWaiting ? nil : $0 } }

  /// A number that tells this state from others, the same on all servers.
  var version: UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for number in entries.flatMap({ [$0.created, $0.modified] }) + [kindModified] {
      hash = (hash ^ UInt64(bitPattern: number)) &* 0x0000_0100_0000_01b3
      hash ^= hash >> 29
    }
    return hash
  }
}
