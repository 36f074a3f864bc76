import Synchronization

/// Whose requests are counted together, and whose leases belong together: a token, a user of this host, or an address.
///
/// The counts change only inside the ledger's mutex; anybody may read them.
public final class CallerAccount: Sendable {
  /// For people: `token ci`, `uid 33` or `192.0.2.7`.
  public let label: String
  /// The token's name; `nil` where the caller is known by its user or address.
  public let token: String?
  /// Leases it may have at once; `Int.max` for as many as the service has.
  public let leasesMaximum: Int
  /// Requests of it that may wait at once; `Int.max` for as many as the service lets.
  public let waitersMaximum: Int

  private let leaseCount = Atomic(0)
  private let waiterCount = Atomic(0)

  /// Makes an account without leases and waiters.
  public init(label: String, token: String? = nil, leasesMaximum: Int = .max, waitersMaximum: Int = .max) {
    self.label = label
    self.token = token
    self.leasesMaximum = leasesMaximum
    self.waitersMaximum = waitersMaximum
  }

  /// Leases that it has, those whose slots cool down included.
  public var leases: Int { leaseCount.load(ordering: .relaxed) }
  /// Requests that wait.
  public var waiters: Int { waiterCount.load(ordering: .relaxed) }

  func addLeases(_ number: Int) { leaseCount.add(number, ordering: .relaxed) }
  func addWaiters(_ number: Int) { waiterCount.add(number, ordering: .relaxed) }

  /// Throws where one more lease would be too many.
  func checkLeases() throws(LeaseholdError) {
    guard leases >= leasesMaximum else { return }
    throw exceeded("max-leases-per-caller", "leases", leases, leasesMaximum, "release some, or let them expire")
  }

  /// Throws where one more waiter would be too many.
  func checkWaiters() throws(LeaseholdError) {
    guard waiters >= waitersMaximum else { return }
    throw exceeded("max-waiters-per-caller", "waiters", waiters, waitersMaximum, "wait for one thing at a time")
  }

  private func exceeded(_ limit: String, _ what: String, _ count: Int, _ most: Int, _ advice: String) -> LeaseholdError
  {
    LeaseholdError(
      .callerLimit, "You (\(label)) have \(count) \(what), and a caller may have \(most) (--\(limit)); \(advice).",
      facts: [
        ("limit_name", .text(limit)), ("caller", .text(label)), (what, .number(Int64(count))),
        ("maximum", .number(Int64(most))),
      ],
      retryAfter: .seconds(1))
  }
}

extension Lease {
  /// Whether the lease is a caller's own: taken with the same token, or without one by the same user of this host.
  ///
  /// After a restart a lease has forgotten its token, and is nobody's but an administrator's.
  func belongs(to caller: Caller) -> Bool {
    if let token = caller.account?.token { return account?.token == token }
    guard let uid = caller.peer.uid else { return false }
    return account?.token == nil && peer.uid == uid
  }
}
