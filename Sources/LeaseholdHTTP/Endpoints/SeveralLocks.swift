import JSONText
import Leasehold

// What concerns several locks at once, or a lease that changes its form.

extension Leases {
  /// Takes several locks on one lease.
  static func acquire(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let bond = try call.bond()
    var request = try call.wants(bond: bond)
    try call.bind(&request, to: bond)
    return try call.acquire(request)
  }

  /// Adds locks to a lease that is held.
  static func add(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    try call.server.need(
      .addedLocks, "no leases that get more locks later", instead: "POST /leases, which takes several at once")
    let request = AddRequest(try call.leaseID(), try call.wantList(), caller: call.caller)
    let lease = try call.server.engine.locks.add(request, at: call.now)
    return call.json(capacity: 1024) { $0.lease(lease, into: &$1) }
  }
}

extension Locks {
  /// Turns a reader's lease into a writer's, or back.
  static func convert(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let key = try call.key()
    let example: StaticString = "convert?lease=ID&mode=shared"
    let lease = try call.leaseArgument(example)
    let mode: LockMode
    switch try call.word(.mode, ["exclusive", "shared", "write", "read"]) {
    case "shared", "read": mode = .shared
    case .some: mode = .exclusive
    case nil: throw .missing(.mode, "shared or exclusive, as in \(example)")
    }
    var request = ConvertRequest(lease: lease, on: LockName(key), mode: mode, caller: call.caller)
    request.lock.native = try call.nativeRequest(key)
    request.wait = try call.waitOrPreferred()
    request.holding = try call.holding()
    return try call.convert(request)
  }
}

extension Call {
  /// The parameter `want`: the locks.
  func wantList() throws(LeaseholdError) -> [Want] {
    guard let text = arguments[.want] else {
      throw .missing(.want, "the locks, as in \(Parameter.want.listExample)")
    }
    // Of bytes: a comma with an accent behind it parts two names, too.
    let names = text.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    let isJSON = text.utf8.first == UInt8(ascii: "\n")
    guard let elements = isJSON ? JSON(Array(text.utf8))?.elements : names.map({ .string("\(Substring($0))") }) else {
      throw .invalid(.want, text, "must be names of locks with commas between, or in JSON a list")
    }
    guard !text.isEmpty, (1...Limits.wants).contains(elements.count) else {
      throw .outOfRange(.want, "\(text.isEmpty ? 0 : elements.count)", 1, Limits.wants)
    }
    var wants: [Want] = []
    for (index, element) in elements.enumerated() {
      do throws(LeaseholdError) {
        let want = if let name = element.string { try plainWant(name) } else { try want(element.members) }
        try exchange.context.token?.check(name: want.lock.key.text)
        wants.append(want)
      } catch {
        throw error.inWant(index)
      }
    }
    return wants
  }

  /// The parameter `want` and what the lease on all locks is to be.
  func wants(bond: RequestedBinding?) throws(LeaseholdError) -> AcquireRequest {
    let wants = try wantList()
    let (ttl, cooldown) = try times(isBound: bond != nil, default: server.limits.ttlDefault)
    return try acquireRequest(wants[0], others: Array(wants[1...]), bond, ttl: ttl, cooldown: cooldown)
  }

  private func plainWant(_ name: String) throws(LeaseholdError) -> Want {
    let key = try LockKey(asked: name.utf8)
    guard key.native == nil else {
      throw .invalid(.want, name, "names native locks only in JSON, as in \(Parameter.want.listExample)")
    }
    return Want(LockName(key))
  }

  private func want(_ members: [JSON.Member]) throws(LeaseholdError) -> Want {
    var arguments = Arguments()
    try arguments.read(members, known: .want)
    let call = Call(exchange: exchange, server: server, arguments: arguments, asText: asText)
    guard let key = try call.keyArgument() else { throw LeaseholdError.missing(.key, "the lock's name") }
    var want = Want(LockName(key))
    want.lock.native = try call.nativeRequest(key, makes: true)
    try call.describe(&want)
    return want
  }
}

extension ParameterSet {
  /// The parameters of one lock of several.
  fileprivate static let want: ParameterSet = [
    .key, .mode, .limit, .count, .perm, .semaphoreKey, .nsems, .project, .sem, .touch, .create, .value, .slots,
    .slot,
  ]
}

extension AnswerWriter {
  /// The locks of a lease of several, and whether the kernel took them in one step.
  func parts(_ lease: LeaseSnapshot, into json: inout ResponseBuffer) {
    func isLater(_ part: LeasePart) -> Bool { part.fence > lease.fence }
    json.member("locks", each: lease.parts) { part, json in
      json.open("key", part.key.text)
      json.member("kind", part.kind.name)
      json.member("mode", part.mode.name)
      json.member("count", part.count)
      json.member("limit", part.kind.limit)
      if isLater(part) { json.member("fence", Int(part.fence)) }
      if let applied = part.limitApplied { json.member("limit_applied", applied) }
      if !part.slots.isEmpty { slots(part.slots, into: &json) }
      let hasBinding = binding(part.binding, into: &json)
      if hasBinding { json.member("units", part.units) }
      json.append(hasBinding ? "}}" : "}" as StaticString)
    }
    json.member("atomic", Set(lease.parts.map(\.binding?.id)).count == 1 && !lease.parts.contains(where: isLater))
  }

  /// Writes the circle of waiters.
  func circle(_ circle: [DeadlockStep], into json: inout ResponseBuffer) {
    json.member("circle", each: circle) { step, json in
      json.open("waits_for", step.waitsFor?.text)
      json.member("mode", step.mode.name)
      json.member("owner", step.owner)
      json.member("holds", step.holds?.text)
      json.member("ref", step.ref)
      json.member("you", step.isAsking)
      json.append(UInt8(ascii: "}"))
    }
  }
}
