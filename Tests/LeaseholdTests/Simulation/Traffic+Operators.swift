import Leasehold
import LeaseholdTestKit

/// Leases that are broken, and leases that change hands.
extension Traffic {
  /// An operator ends a lease, now or after a grace.
  func breakSomeLease() {
    guard let lease = someLease else { return }
    var request = BreakRequest(
      random.once(in: 2) ? .id(lease.id) : .ref(lease.id.high >> 24), caller: Caller(connection: 0, peer: .unknown))
    if random.once(in: 2) { request.after = .milliseconds(Int64.random(in: 1..<3000, using: &random)) }
    note("break \(lease.ref) after \(request.after.milliseconds) ms")
    if request.after == .zero { history.isBroken(lease.id, daemon.processes) }
    history.shorten(lease.id, to: (now + request.after).nanoseconds)
    _ = try? daemon.ledger.breakLease(request, at: daemon.moment)
  }

  /// An operator gives a lock another limit.
  func resize() {
    let request = ResizeRequest(
      random.pick(Self.keys), limit: Int.random(in: 0...6, using: &random), isPinned: random.once(in: 2))
    note("resize \(request.key) to \(request.limit)\(request.isPinned ? ", pinned" : "")")
    _ = try? daemon.ledger.resize(request, for: Caller(connection: 0, peer: .unknown), at: daemon.moment)
  }

  /// Beyond a limit nothing is granted; what stood there before it went down may stay.
  func checkLimits() -> [String] {
    let locks = daemon.ledger.locks(ListFilter()).entries
    let held = Dictionary(uniqueKeysWithValues: locks.map { ($0.key, ($0.heldUnits, $0.capacity ?? 0)) })
    defer { heldBefore = held.mapValues(\.0) }
    return held.compactMap { key, use in
      guard use.0 > use.1, use.0 > heldBefore[key] ?? 0 else { return nil }
      return "\(use.0) units of '\(key)' are out after \(heldBefore[key] ?? 0), its limit is \(use.1)"
    }
  }

  /// A lease is bound to another connection.
  func attach() {
    guard let lease = someLease else { return }
    var request = AttachRequest(
      lease.id, caller: Caller(connection: .random(in: 1...lastConnection, using: &random), peer: .unknown))
    if random.once(in: 2) { request.ttl = .milliseconds(Int64.random(in: 100..<8000, using: &random)) }
    note("attach \(lease.ref) to \(request.caller.connection)")
    let attached: LeaseSnapshot
    do throws(LeaseholdError) {
      attached = try daemon.ledger.attach(request, at: daemon.moment)
    } catch {
      return
    }
    // Who followed it hears of another holder, not of its end.
    followed = followed.filter { $0.value != lease.id }
    guard !daemon.crash.hasCrashed else { return history.shorten(lease.id, to: now.nanoseconds) }
    var acquire = AcquireRequest(key: attached.key, ttl: attached.ttl, caller: request.caller)
    acquire.bindsConnection = true
    told(attached, acquire)
  }

  /// A holder takes more locks on the lease that it has.
  func add() {
    guard let lease = someLease else { return }
    let wanted = Set((0..<Int.random(in: 1...2, using: &random)).map { _ in random.pick(Array(Self.keys.indices)) })
    let wants = wanted.sorted().map { index in
      var want = Want(LockName(Self.keys[index]))
      want.limit = Self.limits[index]
      return want
    }
    let request = AddRequest(
      lease.id, wants, caller: Caller(connection: .random(in: 1...lastConnection, using: &random), peer: .unknown))
    note("add \(request.wants.map { "\($0.lock.key.text.prefix(5))" }) to \(lease.ref)")
    history.askedToConvert(lease.id)
    let answer = try? daemon.ledger.add(request, at: daemon.moment)
    guard !daemon.crash.hasCrashed else { return }
    note(answer == nil ? "  refused" : "  done")
    guard let now = answer ?? (try? daemon.ledger.lease(lease.id)) else { return }
    history.converted(now)
    if answer?.replayed == false {
      lastClient += 1
      for want in request.wants { history.servedAtOnce(lastClient, for: want.lock.key) }
    }
  }

  /// A lease goes on under another id, on another connection.
  func transfer() {
    guard let lease = someLease else { return }
    var request = TransferRequest(
      lease.id, caller: Caller(connection: .random(in: 1...lastConnection, using: &random), peer: .unknown))
    if random.once(in: 2) { request.owner = random.pick(["eve", String(repeating: "eve", count: 40)]) }
    if random.once(in: 2) { request.ttl = .milliseconds(Int64.random(in: 100..<8000, using: &random)) }
    if random.once(in: 4) { request.bindsConnection = true }
    note("transfer \(lease.ref)")
    guard let successor = try? daemon.ledger.transfer(request, at: daemon.moment) else {
      // Perhaps it was done and nobody heard of it.
      if daemon.crash.hasCrashed { history.letGo(lease.id) }
      return
    }
    history.letGo(lease.id)
    guard !daemon.crash.hasCrashed else { return }
    note("  to \(successor.ref)")
    var acquire = AcquireRequest(key: successor.key, ttl: successor.ttl, caller: request.caller)
    acquire.bindsConnection = request.bindsConnection
    told(successor, acquire)
  }
}
