import Leasehold

/// `/terraform/{state}`: the lock that Terraform's and OpenTofu's backend `http` asks for around its work on a state.
///
/// No state is kept here. A lock is an ordinary one with a name of its own, so that everything else sees it, too.
enum Terraform {
  /// The prefix of the name of a state's lock.
  static let prefix = "terraform:"
  /// The time for which a state stays locked: Terraform never renews.
  static let ttl = TimeSpan.seconds(24 * 3600)
  /// The advice for a caller that looks for a state here.
  static let hint =
    " No state is kept here: 'lock_address' and 'unlock_address' lead here, 'address' to where the state is."

  /// LOCK, or POST.
  static func lock(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let info = try LockInfo(call.exchange.body)
    let key = try call.key(after: prefix)
    let times = try call.times(isBound: false, default: ttl)
    var request = AcquireRequest(key: key, ttl: times.ttl, caller: call.caller)
    request.owner = info.owner
    request.wait = try call.waitOrPreferred()
    return try call.acquire(request, as: StateLock(key: key, info: info, kept: call.server.lockInfos))
  }

  /// UNLOCK, or DELETE: by the holder with its lock-info, by an operator without one.
  static func unlock(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let key = try call.key(after: prefix)
    // These parameters are those of the lock, which has the same address, and mean nothing here.
    _ = (try call.times(isBound: false, default: ttl), try call.waitOrPreferred())
    guard !call.exchange.body.isEmpty else { return try unlockByForce(key, call) }
    let info = try LockInfo(call.exchange.body)
    let (locks, kept) = (call.server.engine.locks, call.server.lockInfos)
    if let lease = kept.lease(of: info, on: key) {
      _ = try locks.release(lease, on: nil, early: false, within: call.confinement, at: call.now)
      return call.respond(info.response)
    }
    // A restart forgot which lease it was; its owner says so.
    let state = try call.knownLock(LockName(key), listed: LockSnapshot.listedMax)
    guard let lock = state, let holder = lock.holders.first else { return call.respond(info.response) }
    let theirs = kept.info(of: holder, on: key)
    guard theirs.id == info.id, let owner = holder.owner else {
      throw LeaseholdError(
        .locked,
        "This lock is not the one of ID '\(info.id)', whose time is over, but of ID '\(theirs.id)'; look at what "
          + "was done since, or end it by force: terraform force-unlock.",
        facts: theirs.facts, contention: lock)
    }
    _ = try locks.releaseAll(owner: owner, key: key, of: nil, within: call.confinement, at: call.now)
    return call.respond(info.response)
  }

  private static func unlockByForce(_ key: LockKey, _ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    if let token = call.exchange.context.token, token.role < .admin {
      throw .forbidden(token, "Unlocking without a lock-info, which is force-unlock,", needs: .admin)
    }
    for holder in try call.knownLock(LockName(key), listed: LockSnapshot.listedMax)?.holders ?? [] {
      // An engine of several servers knows the ids of its own leases alone.
      guard let name = LeaseName(hexadecimal: holder.ref.utf8) else { continue }
      var request = BreakRequest(name, caller: call.caller)
      request.reason = "terraform force-unlock"
      _ = try call.broken(request)
    }
    return call.json { json in
      json.open("unlocked", true)
      json.member("key", key.text)
    }
  }
}

/// The form of an acquire's answer that is a lock-info: one's own with 200, also a second time, and the holder's with
/// 423.
///
/// An object, so that all other acquires carry one empty word of it.
final class StateLock: Sendable {
  private let key: LockKey
  private let info: LockInfo
  private let kept: LockInfos

  init(key: LockKey, info: LockInfo, kept: LockInfos) { (self.key, self.info, self.kept) = (key, info, kept) }

  /// The answer to a grant.
  func granted(_ lease: LeaseSnapshot) -> Response {
    kept.keep(info, of: lease.id, on: key)
    return info.response
  }

  /// The answer to a refusal for one's own lock; throws the error of any other.
  func refused(_ error: LeaseholdError) throws(LeaseholdError) -> Response {
    guard let holder = error.contention?.first else { throw error }
    let theirs = kept.info(of: holder, on: key)
    guard theirs.id == info.id else { throw error.adding(theirs.facts) }
    return info.response
  }
}
