internal import EtcdGateway
internal import JSONText
internal import Leasehold

/// A place in the queue of one lock: who holds it, or waits.
struct QueueEntry: Sendable, Equatable {
  /// The lock's name as a part of a key.
  var lock: String
  /// The entry's name, the same in the queues of all locks that are taken together.
  var name: String
  /// The revision at which it came into the queue: its place, and once it is held its fence.
  var created: Int64 = 0
  /// The revision of its last write.
  var modified: Int64 = 0
  /// The lease of etcd that it hangs on.
  var lease: Int64 = 0

  /// Units of the lock.
  var units: Int
  var mode: LockMode = .exclusive
  var count = 1
  var owner: String?
  /// The caller, for people.
  var peer: String?
  /// Milliseconds.
  var ttl: Int64 = 0
  /// Ten digits that everybody may see.
  var ref = ""
  /// Milliseconds of the wall clock: when it was granted, or began to wait.
  var at: Int64 = 0
  /// Milliseconds that it waited.
  var waited: Int64 = 0
  /// The attempt that wrote it last: 64 random bits.
  var mark: UInt64 = 0
  /// The session of the server that it waits on; 0 once it is granted.
  var session: Int64 = 0
  /// The name of its Idempotency-Key.
  var hash: String?
  var isBound = false
  /// The locks that are taken together, as parts of keys; more than one.
  var locks: [String] = []

  var isWaiting: Bool { session != 0 }

  /// The lease's short name as a number.
  var refNumber: UInt64 { UInt64(ref, radix: 16) ?? 0 }

  /// All that goes with it: the locks of the whole.
  var allLocks: [String] { locks.isEmpty ? [lock] : locks }
}

extension QueueEntry {
  /// Reads an entry; one whose value cannot be read takes the whole lock.
  init(_ entry: EtcdEntry, lock: String, name: String) {
    let json = JSON(entry.value) ?? .null
    self.init(lock: lock, name: name, units: json["u"].int.flatMap { Int(exactly: $0) } ?? Int(Int32.max))
    (created, modified, lease) = (entry.created, entry.modified, entry.lease)
    units = max(0, min(units, Int(Int32.max)))
    mode = json["m"].string == "s" ? .shared : .exclusive
    count = json["n"].int.flatMap { Int(exactly: $0) } ?? 1
    (owner, peer) = (json["o"].string, json["p"].string)
    ttl = json["ttl"].int ?? 0
    ref = json["ref"].string ?? ""
    (at, waited) = (json["at"].int ?? 0, json["w"].int ?? 0)
    mark = json["mark"].string.flatMap { UInt64($0, radix: 16) } ?? 0
    session = json["s"].string.flatMap { Int64($0) } ?? 0
    hash = json["h"].string
    isBound = json["b"].bool ?? false
    locks = json["k"].elements.compactMap(\.string)
  }

  /// The value as it is stored.
  var value: [UInt8] {
    var members = [
      JSON.Member("u", .number("\(units)")), JSON.Member("m", .string(mode == .shared ? "s" : "x")),
      JSON.Member("n", .number("\(count)")), JSON.Member("ttl", .number("\(ttl)")),
      JSON.Member("ref", .string(ref)), JSON.Member("at", .number("\(at)")),
      JSON.Member("mark", .string(String(mark, radix: 16))),
    ]
    if let owner { members.append(JSON.Member("o", .string(owner))) }
    if let peer { members.append(JSON.Member("p", .string(peer))) }
    if waited > 0 { members.append(JSON.Member("w", .number("\(waited)"))) }
    if session != 0 { members.append(JSON.Member("s", .string("\(session)"))) }
    if let hash { members.append(JSON.Member("h", .string(hash))) }
    if isBound { members.append(JSON.Member("b", .bool(true))) }
    if locks.count > 1 { members.append(JSON.Member("k", .array(locks.map { .string($0) }))) }
    return Array(JSON.object(members).description.utf8)
  }
}

/// The kind of a lock as it is stored.
enum StoredKind {
  static func value(_ kind: LockKind) -> [UInt8] {
    switch kind {
    case .counting(let limit): Array(#"{"k":"n","u":\#(limit)}"#.utf8)
    case .readersWriter, .slots: Array(#"{"k":"rw"}"#.utf8)
    }
  }

  static func kind(_ value: [UInt8]) -> LockKind? {
    let json = JSON(value) ?? .null
    switch (json["k"].string, json["u"].int) {
    case ("rw"?, _): return .readersWriter
    case ("n"?, let limit?) where (1...Int64(Limits.slots)).contains(limit): return .counting(limit: Int(limit))
    default: return nil
    }
  }
}

/// The end of a lease as it is remembered in the cluster.
struct StoredEnd: Sendable, Equatable {
  var reason: EndReason
  /// Milliseconds of the wall clock.
  var at: Int64
  var lock: String
  var ref: String
  var by: String?
  var note: String?

  var value: [UInt8] {
    var members = [
      JSON.Member("r", .string(reason.name)), JSON.Member("at", .number("\(at)")), JSON.Member("l", .string(lock)),
      JSON.Member("ref", .string(ref)),
    ]
    if let by { members.append(JSON.Member("by", .string(by))) }
    if let note { members.append(JSON.Member("note", .string(note))) }
    return Array(JSON.object(members).description.utf8)
  }

  init(_ reason: EndReason, of entry: QueueEntry, at: Int64, by: String? = nil, note: String? = nil) {
    (self.reason, self.at, self.by, self.note) = (reason, at, by, note)
    (lock, ref) = (entry.lock, entry.ref)
  }

  init?(_ value: [UInt8]) {
    let json = JSON(value) ?? .null
    guard let name = json["r"].string, let reason = EndReason.allCases.first(where: { $0.name == name }) else {
      return nil
    }
    self.reason = reason
    (at, lock, ref) = (json["at"].int ?? 0, json["l"].string ?? "", json["ref"].string ?? "")
    (by, note) = (json["by"].string, json["note"].string)
  }
}
