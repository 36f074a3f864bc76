package import HTTPExchange
internal import JSONText
internal import LeaseholdHost
import Synchronization

/// A cluster of etcd by way of its JSON gateway; its calls block, and may be made from any thread.
///
/// Deadlines are nanoseconds of CLOCK_MONOTONIC, for the whole of a call, over all endpoints.
package final class EtcdGateway: Sendable {
  /// The time in which an endpoint says how it stands.
  private static let standingMax: Int64 = 100_000_000
  /// The pause where no endpoint can be asked.
  private static let pause: Int64 = 50_000_000

  private let members: [EtcdMember]
  private let user: (name: String, password: String)?
  private let token = Mutex<String?>(nil)
  /// The endpoint that is asked first: the leader as a rule, or else the one that answered last.
  private let preferred = Atomic<Int>(0)
  /// The standings of the endpoints a moment ago.
  private let seen = Mutex<(at: Int64, standings: [Standing])>((0, []))
  private let sent = Atomic<UInt64>(0)
  private let unknowns = Atomic<UInt64>(0)

  /// Makes a gateway; it connects with its first call.
  ///
  /// - Parameters:
  ///   - endpoints: At least one; asked in turn.
  ///   - user: The user that asks and its password, where etcd has users.
  package init(_ endpoints: [HTTPPeer], user: (name: String, password: String)? = nil) {
    precondition(!endpoints.isEmpty)
    members = endpoints.map { EtcdMember($0) }
    self.user = user
  }

  /// Requests sent, repeated ones included.
  package var requests: UInt64 { sent.load(ordering: .relaxed) }

  /// Changes of which nobody said how they went.
  package var unknownOutcomes: UInt64 { unknowns.load(ordering: .relaxed) }

  // MARK: Calls

  /// Runs a transaction.
  ///
  /// - Throws: ``EtcdFailure``; `unknown` only where it writes.
  package func commit(
    _ transaction: EtcdTransaction, before deadline: Int64
  ) throws(EtcdFailure) -> EtcdOutcome {
    let (json, isRepeat) = try ask(
      "/v3/kv/txn", transaction.json, changes: transaction.isChange, before: deadline)
    var outcome = EtcdOutcome(json)
    outcome.isRepeat = isRepeat
    return outcome
  }

  /// Looks at keys; by consensus, unless the member was paused: never decide by it.
  ///
  /// - Throws: ``EtcdFailure``, never `unknown`.
  package func list(_ range: EtcdRange, before deadline: Int64) throws(EtcdFailure) -> EtcdListing {
    EtcdListing(try ask("/v3/kv/range", range.json, before: deadline).json)
  }

  /// Makes a lease of whole seconds and answers its id.
  ///
  /// - Throws: ``EtcdFailure``, never `unknown`: a lease that no caller knows of ends by itself.
  package func grantLease(seconds: Int64, before deadline: Int64) throws(EtcdFailure) -> Int64 {
    let json = try ask("/v3/lease/grant", ["TTL": .int64(seconds)], before: deadline).json
    let id = json.int64("ID")
    guard id != 0 else { throw .unavailable("etcd answered without the id of a lease") }
    return id
  }

  /// Keeps a lease alive, and answers the seconds that it has.
  ///
  /// - Returns: `nil` when it is gone; both may be untrue.
  /// - Throws: ``EtcdFailure``, never `unknown`.
  package func keepAlive(_ lease: Int64, before deadline: Int64) throws(EtcdFailure) -> Int64? {
    let json = try ask("/v3/lease/keepalive", ["ID": .int64(lease)], before: deadline).json
    let seconds = json["result"].int64("TTL")
    return seconds > 0 ? seconds : nil
  }

  /// Finds the seconds that a lease has, and the keys on it.
  ///
  /// - Returns: `nil` when it is gone; both may be untrue.
  /// - Throws: ``EtcdFailure``, never `unknown`.
  package func timeToLive(
    _ lease: Int64, before deadline: Int64
  ) throws(EtcdFailure) -> (seconds: Int64, keys: [String])? {
    let request: JSON = ["ID": .int64(lease), "keys": .bool(true)]
    let json = try ask("/v3/lease/timetolive", request, before: deadline).json
    let seconds = json.int64("TTL")
    guard seconds >= 0 else { return nil }
    let keys = json["keys"].elements.compactMap { $0.string.flatMap { Base64.decode($0) } }
    return (seconds, keys.map { String(decoding: $0, as: UTF8.self) })
  }

  /// The versions of the endpoints that answer, such as `3.5.1`.
  package func versions(before deadline: Int64) -> [String] {
    members.compactMap { member in
      let end = members.count == 1 ? deadline : min(deadline, HostClock.monotonic() + EtcdMember.patience)
      let attempt = member.ask("/version", [], method: "GET", token: nil, before: end, while: { true })
      return if case .answered(let json) = attempt { json["etcdserver"].string } else { nil }
    }
  }

  /// Has the next calls ask the leader, as the others only hand them on to it.
  package func preferLeader(before deadline: Int64) {
    guard members.count > 1, let leader = standings(before: deadline).leader else { return }
    preferred.store(leader, ordering: .relaxed)
  }

  /// Follows keys from a revision on, from the next endpoint that lets itself be asked.
  ///
  /// - Throws: ``EtcdFailure``, never `unknown`.
  package func watch(
    _ keys: EtcdKeys, from revision: Int64, before deadline: Int64
  ) throws(EtcdFailure) -> EtcdWatch {
    let request = keys.watch(from: revision).bytes
    let first = preferred.load(ordering: .relaxed)
    var last = EtcdFailure.unavailable("there was no time to ask")
    for step in 0..<members.count where HostClock.monotonic() < deadline {
      let member = members[(first + step) % members.count]
      let end = members.count == 1 ? deadline : min(deadline, HostClock.monotonic() + EtcdMember.patience)
      do throws(EtcdFailure) {
        return try EtcdWatch(member, request, token: try currentToken(before: deadline), before: end)
      } catch {
        if case .refused(.denied, _) = error { self.token.withLock { $0 = nil } }
        last = error
      }
    }
    throw last
  }

  // MARK: Asking

  /// Asks one endpoint after the other.
  func ask(
    _ path: String, _ request: JSON, changes: Bool = false, asUser: Bool = true, before deadline: Int64
  ) throws(EtcdFailure) -> (json: JSON, isRepeat: Bool) {
    var (mayBeDone, renewals, last) = (false, 0, "there was no time to ask")
    let body = request.bytes
    var index = preferred.load(ordering: .relaxed)
    var detour = Detour(from: index)
    while HostClock.monotonic() < deadline {
      let token = asUser ? try currentToken(before: deadline) : nil
      sent.add(1, ordering: .relaxed)
      var onward: Int?
      let attempt = members[index].ask(
        path, body, token: token, before: deadline,
        while: {
          onward = detour.next(after: index, standings(before: deadline))
          return onward == nil
        })
      switch attempt {
      case .answered(let json): return (json, mayBeDone)
      case .refused(let refusal, let reason):
        // Of an earlier attempt it says nothing.
        if mayBeDone, changes { throw unknown(reason) }
        throw .refused(refusal, reason)
      case .wantsToken(let reason):
        guard user != nil, asUser, renewals < 2 else { throw .refused(.denied, reason) }
        renewals += 1
        self.token.withLock { if $0 == token { $0 = nil } }
      case .failed(let reason, let done):
        last = reason
        mayBeDone = mayBeDone || done
        let next = onward ?? next(after: index, &detour, wasReached: mayBeDone, before: deadline)
        guard let next else { throw mayBeDone && changes ? unknown(last) : .unavailable(last) }
        // Calls that begin now need not find out as well.
        _ = preferred.compareExchange(expected: index, desired: next, ordering: .relaxed)
        index = next
      }
    }
    throw mayBeDone && changes ? unknown(last) : .unavailable(last)
  }

  /// Waits for an endpoint that can be asked after one has failed.
  ///
  /// - Parameter wasReached: Whether a member listens: another leader may be chosen meanwhile.
  /// - Returns: `nil` where waiting does not help, or has taken too long.
  private func next(after failed: Int, _ detour: inout Detour, wasReached: Bool, before deadline: Int64) -> Int? {
    while HostClock.monotonic() < deadline {
      let standings = standings(before: deadline)
      if let next = detour.next(after: failed, standings) { return next }
      guard wasReached || standings.contains(where: { $0 != .away }) else { return nil }
      HostClock.sleep(nanoseconds: min(Self.pause, max(0, deadline - HostClock.monotonic())))
      detour.forgive(failed)
    }
    return nil
  }

  /// The standings of the endpoints; all calls that want to know ask once.
  private func standings(before deadline: Int64) -> [Standing] {
    let token = token.withLock { $0 }
    return seen.withLock { seen in
      guard HostClock.monotonic() - seen.at > Self.pause / 2 else { return seen.standings }
      let standings = members.map { member in
        member.standing(token: token, before: min(deadline, HostClock.monotonic() + Self.standingMax))
      }
      seen = (HostClock.monotonic(), standings)
      return standings
    }
  }

  private func unknown(_ reason: String) -> EtcdFailure {
    unknowns.add(1, ordering: .relaxed)
    return .unknown(reason)
  }

  /// The token of our user, asked for where there is none; `nil` without a user.
  private func currentToken(before deadline: Int64) throws(EtcdFailure) -> String? {
    guard let user else { return nil }
    if let token = token.withLock({ $0 }) { return token }
    let request: JSON = ["name": .string(user.name), "password": .string(user.password)]
    do throws(EtcdFailure) {
      let made = try ask("/v3/auth/authenticate", request, asUser: false, before: deadline).json["token"].string
      guard let made else { throw .unavailable("etcd answered without a token") }
      token.withLock { $0 = made }
      return made
    } catch .refused(let refusal, let reason) where refusal != .noGateway {
      throw .refused(.denied, reason)
    }
  }
}
