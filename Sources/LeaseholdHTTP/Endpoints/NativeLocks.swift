import Leasehold
import SysVTypes

// What `php:`, `apache:`, `sharelite:`, `path:` and `sysv:` names take besides what every lock takes.

extension ParameterSet {
  /// The names that say how a native lock is bound.
  static let binding =
    ParameterSet(.perm) | .semaphoreKey | .nsems | .project | .sem | .touch | .undo | .create | .value | .limit
}

extension Locks {
  /// Opens a lock without taking it.
  static func open(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    if try call.flag(.resize) { return try resize(call) }
    if let pinned = call.arguments[.pinned] {
      throw .invalid(.pinned, pinned, "goes with resize=true, which sets the limit of a lock whoever uses it")
    }
    let key = try call.key()
    var want = Want(LockName(key, try call.nativeRequest(key, makes: true)))
    if want.lock.native.map({ $0.dialect == .php }) ?? true { want.limit = try call.number(.limit, 1, Limits.slots) }
    if call.arguments[.slots] != nil { try call.name(&want) }
    let asked = want
    let engine = try call.server.native(instead: "a plain name, made by its first acquire, or with resize=true")
    let opened = try engine.open(asked, for: call.caller, at: call.now)
    return call.json(opened.wasMade ? 201 : 200, capacity: 1024) { writer, json in
      writer.lock(opened.lock, limitApplied: opened.limitApplied, into: &json)
    }
  }

  /// Gives a counting lock another limit, in use or not.
  private static func resize(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let key = try call.key()
    guard try call.nativeRequest(key, makes: true) == nil else { throw notResizable(key) }
    let names = try call.slotNames(.slots)
    guard let limit = try call.number(.limit, 0, Limits.slots) ?? names?.count else {
      throw .missing(.limit, "resize=true&limit=8; limit=0 pauses the lock")
    }
    if let names, limit != names.count {
      throw .invalid(.limit, "\(limit)", "is \(limit), and 'slots' has \(names.count) names; leave it out")
    }
    let isPinned = try call.flag(.pinned)
    var request = ResizeRequest(key, limit: limit, isPinned: isPinned)
    request.names = names
    let resized = try call.server.engine.locks.resize(request, for: call.caller, at: call.now)
    return call.json(resized.wasMade ? 201 : 200, capacity: 1024) { writer, json in
      writer.lock(resized.lock, limitApplied: resized.limitApplied, into: &json)
    }
  }

  /// Why the limit of a lock of native programs stays theirs.
  private static func notResizable(_ key: LockKey) -> LeaseholdError {
    let instead =
      switch key.native {
      case .php: "Whoever takes it first while nobody has it sets its limit, as PHP's programs do"
      case .path, .semaphore: "Write its value (PUT /semaphores/{set}/{number}), as its own programs would"
      case .apache, .sharelite, nil: "It has no limit: one writes, or many read"
      }
    return LeaseholdError(
      .invalidParameter,
      "Lock '\(key)' is shared with native programs, and its set has no place to tell a change of the limit from what "
        + "they take and give. \(instead).",
      facts: [("parameter", .text("resize")), ("value", .text("true"))])
  }

  /// Where a native name leads, changing nothing.
  static func getBinding(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let key = try call.key()
    guard let native = try call.nativeRequest(key) else {
      throw LeaseholdError(
        .badKey,
        "'\(key)' is a plain name: only php:, apache:, sharelite:, path: and sysv: names lead to a System V key.",
        facts: [("parameter", .text("key"))])
    }
    let binding = try call.server.native().binding(key, native)
    return call.json { json in
      json.open("key", key.text)
      json.member("dialect", key.native?.dialect)
      json.next("sysv")
      json.open("key", binding.key.map(Int.init))
      json.member("id", binding.id.map(Int.init))
      json.member("nsems", binding.semaphoreCount)
      json.append(",\"semaphores\":[" as StaticString)
      json.append(decimal: binding.semaphore)
      if let companion = binding.companion {
        json.append(UInt8(ascii: ","))
        json.append(decimal: companion)
      }
      json.append("]}" as StaticString)
      json.member("exists", binding.id != nil)
    }
  }
}

extension Call {
  /// The binding of a native name; `nil` for an own lock, which takes none of its parameters.
  ///
  /// `makes`: whether the request may make the set, so that `limit` is the lock's and not a listing's.
  func nativeRequest(_ key: LockKey, makes: Bool = false) throws(LeaseholdError) -> NativeRequest? {
    guard let name = key.native else {
      try refuseOthers(than: ParameterSet(.limit), of: "a plain name")
      return nil
    }
    _ = try server.native()
    let listing: ParameterSet = makes ? [] : [.limit]
    switch name {
    case .php(let key):
      try refuseOthers(than: [.limit, .perm], of: "a php: name")
      return .php(key, permissions: try permissionBits(.perm), for: caller)
    case .apache(let session):
      try refuseOthers(than: [.semaphoreKey, .nsems, .perm] + listing, of: "an apache: name")
      return .apache(
        session, count: try semaphoreCount(2, CounterDialect.perSetMax), key: try semaphoreKey(),
        permissions: try permissionBits(.perm), for: caller)
    case .sharelite(let key):
      try refuseOthers(than: [.perm] + listing, of: "a sharelite: name")
      return .sharelite(key, permissions: try permissionBits(.perm), for: caller)
    case .path(let path):
      try refuseOthers(than: [.limit, .project, .sem, .nsems, .touch, .perm, .undo], of: "a path: name")
      return try concurrency(at: path, makes: makes)
    case .semaphore(let set, let number):
      let making: ParameterSet = [.value, .nsems, .perm]
      guard try creates() else {
        try refuseOthers(than: [.undo, .create] + listing, of: "a sysv: name without create=1")
        return .semaphore(number, of: set, isEndless: try isEndless(), for: caller)
      }
      try refuseOthers(than: [.undo, .create] + making + listing, of: "a sysv: name")
      return try semaphore(number, of: set)
    }
  }

  @inline(__always)
  private func refuseOthers(than known: ParameterSet, of what: String) throws(LeaseholdError) {
    let strange = arguments.given.bits & ParameterSet.binding.bits & ~known.bits
    guard strange != 0, let parameter = Parameter(rawValue: UInt8(strange.trailingZeroBitCount)) else { return }
    throw .invalid(parameter, arguments[parameter] ?? "", "does not go with \(what)")
  }

  private func concurrency(at path: ExactText, makes: Bool) throws(LeaseholdError) -> NativeRequest {
    let count = try semaphoreCount(1, CounterDialect.perSetMax) ?? 1
    let number = try number(.sem, 0, NativeName.numberMax) ?? 0
    return .path(
      path, project: try project(), semaphore: number, count: count, permissions: try permissionBits(.perm),
      values: makes ? try values(count) : [], touches: try word(.touch, ["true", "false"]) != "false",
      isEndless: try isEndless(), for: caller)
  }

  /// True when a set is to be made where there is none, which only `sysv:` names ask for.
  private func creates() throws(LeaseholdError) -> Bool {
    let word = try word(.create, ["1", "0", "true", "false"])
    return word == "1" || word == "true"
  }

  /// One semaphore of a set that is made where there is none, as `semget` and a first value would.
  private func semaphore(_ number: Int, of set: IPCAddress) throws(LeaseholdError) -> NativeRequest {
    switch set {
    case .id(let id):
      throw .invalid(.create, arguments[.create] ?? "", "goes with sysv:KEY.\(number): what has the id \(id) is there")
    case .key(let key):
      return .madeSemaphore(
        number, of: key, count: try semaphoreCount(number + 1, max(number + 1, CounterDialect.perSetMax)),
        value: try self.number(.value, 1, Limits.slots), permissions: try permissionBits(.perm),
        isEndless: try isEndless(), for: caller)
    }
  }

  /// The size of a set; the kernel's own limit may be lower and says so itself.
  private func semaphoreCount(_ minimum: Int, _ maximum: Int) throws(LeaseholdError) -> Int? {
    do {
      return try number(.nsems, minimum, maximum)
    } catch {
      guard let value = arguments[.nsems].flatMap(Int.init), value > maximum else { throw error }
      throw error.adding([("errno", .text("EINVAL")), ("limit", .text("SEMMSL"))])
    }
  }

  private func semaphoreKey() throws(LeaseholdError) -> Int32? {
    guard let text = arguments[.semaphoreKey] else { return nil }
    switch IPCKey.read(text) {
    case .key(let key): return key.rawValue
    case .malformed: throw .invalid(.semaphoreKey, text, "must be a key: decimal, or 0x and hexadecimal digits")
    case .zero, .tooWide:
      throw LeaseholdError(
        .outOfRange, "'semaphore_key' must be -2147483648...4294967295 or 0x1...0xffffffff, and not 0.",
        facts: [("parameter", .text("semaphore_key")), ("value", .text(text.excerpt))])
    }
  }

  /// The project of ftok(3): a number's low byte, or the code of one character that is not a digit.
  private func project() throws(LeaseholdError) -> UInt8 {
    guard let text = arguments[.project] else { return 0 }
    if text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(text) {
      return UInt8(truncatingIfNeeded: number)
    }
    guard text.utf8.count == 1, let code = text.utf8.first else {
      throw .invalid(.project, text, "must be a number, of which the low byte counts, or one character")
    }
    return code
  }

  /// The values of a set that is made: `limit`, one for all or one for each.
  private func values(_ count: Int) throws(LeaseholdError) -> [UInt16] {
    guard let text = arguments[.limit] else { return Array(repeating: 1, count: count) }
    let values = try text.split(separator: ",", omittingEmptySubsequences: false).map {
      item throws(LeaseholdError) in
      UInt16(try LeaseholdError.whole("limit", item.drop { $0 == " " }, 1, Limits.slots))
    }
    if values.count == 1 { return Array(repeating: values[0], count: count) }
    guard values.count == count else {
      throw .invalid(.limit, text, "has \(values.count) numbers for \(count) semaphores (nsems); give one, or \(count)")
    }
    return values
  }

  private func isEndless() throws(LeaseholdError) -> Bool {
    guard try word(.undo, ["true", "false"]) == "false" else { return false }
    guard let token = exchange.context.token, let longest = token.confinement?.longest else { return true }
    throw .forbidden(
      token,
      "undo=false asks for a lease that never ends, and the leases of token '\(token.name)' last at most "
        + "\(longest.text).")
  }

  /// Refuses what no native lock can be asked for.
  func check(_ want: Want, _ native: NativeRequest) throws(LeaseholdError) {
    if native.dialect == .apache {
      guard want.count == 1 else {
        throw .invalid(.count, "\(want.count)", "must be 1 on apache: and sharelite: locks")
      }
    } else if want.mode == .shared {
      throw .invalid(
        .mode, "shared", "goes with apache:, sharelite: and plain names only: slots of a counting lock are alike")
    }
  }
}
