internal import JSONText

extension QueueValue {
  /// The value as it is stored; members that a reader does not know are of no harm.
  package var stored: [UInt8] {
    switch self {
    case .entry(let entry): entry.json.bytes
    case .end(let end): end.json.bytes
    case .kind(let kind): kind.json.bytes
    case .locks(let locks): JSON.texts(locks).bytes
    case .retry(let retry): retry.json.bytes
    case .bytes(let bytes): bytes
    }
  }

  /// Reads the locks of a lease.
  package static func locks(stored: [UInt8]) -> [String] {
    (JSON(stored) ?? .null).elements.compactMap(\.string)
  }
}

extension EntryValue {
  var json: JSON {
    [
      "u": .number(units), "m": .string(isShared ? "s" : "x"), "n": .number(count), "ttl": .number(ttl),
      "ref": .string(ref), "at": .number(at), "mark": .string(String(mark, radix: 16)),
      "o": owner.map(JSON.string), "p": peer.map(JSON.string),
      "cd": cooldown > 0 ? .number(cooldown) : nil, "w": waited > 0 ? .number(waited) : nil,
      "b": isBound ? .bool(true) : nil, "to": shrinksTo.map { .number($0) },
      "s": session != 0 ? .string("\(session)") : nil, "h": retry.map(JSON.string),
      "k": locks.isEmpty ? nil : .texts(locks), "end": end?.json,
    ]
  }

  /// Reads what is stored; an entry that cannot be read takes the whole lock, for it has a holder.
  package init(stored: [UInt8]) {
    let json = JSON(stored) ?? .null
    let mark = json["mark"].string.flatMap { UInt64($0, radix: 16) } ?? 0
    let units = json["u"].int.flatMap { (0...Int64(Int32.max)).contains($0) ? Int($0) : nil } ?? Int(Int32.max)
    self.init(units: units, ttl: json["ttl"].span, mark: mark)
    (cooldown, at, waited) = (json["cd"].span, json["at"].int ?? 0, json["w"].span)
    isBound = json["b"].bool ?? false
    session = json["s"].string.flatMap { Int64($0) } ?? 0
    (retry, owner, peer) = (json["h"].string, json["o"].string, json["p"].string)
    locks = json["k"].elements.compactMap(\.string)
    isShared = json["m"].string == "s"
    count = json["n"].int.map { Int(min(max(1, $0), Int64(Int32.max))) } ?? 1
    ref = json["ref"].string ?? ""
    shrinksTo = json["to"].int.flatMap { Int(exactly: $0) }
    // Whatever it says: it has ended.
    if json["end"] != .null { end = EndValue(json["end"]) }
  }
}

extension JSON {
  /// Milliseconds, clamped to what any service grants: another program may have written anything.
  fileprivate var span: Int64 { min(max(0, int ?? 0), 62 * 24 * 3_600_000) }
}

extension EndValue {
  var json: JSON {
    [
      "reason": .string(reason), "at": .number(at), "by": by.map(JSON.string), "note": note.map(JSON.string),
      "lock": lock.isEmpty ? nil : .string(lock), "k": locks.isEmpty ? nil : .texts(locks),
      "ref": ref.isEmpty ? nil : .string(ref),
      "grace": grace > 0 ? .number(grace) : nil, "mark": mark != 0 ? .string(String(mark, radix: 16)) : nil,
    ]
  }

  init(_ json: JSON) {
    self.init(reason: json["reason"].string ?? "", by: json["by"].string, at: json["at"].int ?? 0)
    (note, lock, ref) = (json["note"].string, json["lock"].string ?? "", json["ref"].string ?? "")
    locks = json["k"].elements.compactMap(\.string)
    grace = json["grace"].span
    mark = json["mark"].string.flatMap { UInt64($0, radix: 16) } ?? 0
  }

  /// Reads what is stored: that it is there says that the lease has ended.
  package init(stored: [UInt8]) { self.init(JSON(stored) ?? .null) }
}

extension RetryValue {
  var json: JSON { ["e": .string(name), "f": .string(fingerprint), "x": .string(secret)] }

  /// Reads what is stored; of rubbish a request that is like no other.
  package init(stored: [UInt8]) {
    let json = JSON(stored) ?? .null
    self.init(
      name: json["e"].string ?? "", fingerprint: json["f"].string ?? "", secret: json["x"].string ?? "")
  }
}

extension QueueKind {
  var json: JSON {
    switch self {
    case .counting(let limit):
      ["k": .string("n"), "u": .number(limit)]
    case .readersWriter: ["k": .string("rw")]
    }
  }

  /// Reads what is stored; `nil` for a kind that is not known.
  package init?(stored: [UInt8]) {
    let json = JSON(stored) ?? .null
    switch (json["k"].string, json["u"].int) {
    case ("rw"?, _): self = .readersWriter
    case ("n"?, let limit?) where (1...Int64(Int32.max)).contains(limit): self = .counting(limit: Int(limit))
    default: return nil
    }
  }
}
