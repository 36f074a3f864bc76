import Synchronization

/// A caller whose requests are counted together and whose leases belong together: a token, a user, or an address.
///
/// Every thread may read the counts. Those of leases, waiters and locks change only inside the ledger's mutex.
public final class CallerAccount: Sendable {
  /// For people: `token ci`, `uid 33` or `192.0.2.7`.
  public let label: String
  /// The token's name; `nil` where the caller is known by its user or address.
  public let token: String?
  private let tallies: [Tally]

  private final class Tally: Sendable {
    let count = Atomic(0)
    let bound: CallerBound
    let pool: CallerPool

    init(_ bound: CallerBound, of pool: CallerPool) {
      self.bound = bound
      self.pool = pool
    }

    /// The most that it may have while it has so many.
    @inline(__always)
    func countMax(beside count: Int) -> Int {
      switch bound {
      case .none: .max
      case .fixed(let countMax): countMax
      case .allButOne(let parts): max(1, (parts - 1) * pool.leftByOthers(than: count) / parts)
      }
    }

    @inline(__always)
    func add(_ number: Int) -> Int {
      pool.add(number)
      return count.wrappingAdd(number, ordering: .relaxed).newValue
    }
  }

  /// Makes an account of nothing.
  ///
  /// - Parameters:
  ///   - maxima: What it may have at once; `Int.max` for as many as the service has, 0 for its kind's part of that.
  ///   - pools: What all callers have together.
  public init(
    label: String, token: String? = nil, maxima: CallerMaxima = .none, _ kind: CallerKind = .single,
    in pools: CallerPools = CallerPools(of: .none)
  ) {
    self.label = label
    self.token = token
    tallies = CallerResource.allCases.map {
      Tally(kind.bound(of: $0, maxima[$0], total: pools[$0].total), of: pools[$0])
    }
  }

  /// The number that it has of a resource.
  public func count(of resource: CallerResource) -> Int { tallies[resource.rawValue].count.load(ordering: .relaxed) }

  func add(_ number: Int, _ resource: CallerResource) { _ = tallies[resource.rawValue].add(number) }

  /// Throws where more would be too many.
  @inline(__always)
  func check(_ resource: CallerResource, adding number: Int = 1) throws(LeaseholdError) {
    if case .none = tallies[resource.rawValue].bound { return }
    let tally = tallies[resource.rawValue]
    let count = tally.count.load(ordering: .relaxed)
    let countMax = tally.countMax(beside: count)
    guard count > countMax - number else { return }
    throw exceeded(resource, count, countMax)
  }

  /// Returns true when so much more would not be too much.
  public func hasRoom(for resource: CallerResource, _ number: Int) -> Bool {
    let count = count(of: resource)
    return count <= tallies[resource.rawValue].countMax(beside: count) - number
  }

  /// Counts something for as long as the claim lives, or throws where it would be too much.
  ///
  /// - Throws: `caller-limit`.
  public func claim(_ resource: CallerResource, _ number: Int = 1) throws(LeaseholdError) -> CallerClaim {
    let tally = tallies[resource.rawValue]
    let count = tally.add(number)
    // From here on the end of the claim takes it back.
    let claim = CallerClaim(self, resource, number)
    let countMax = tally.countMax(beside: count)
    guard count <= countMax else { throw exceeded(resource, count &- number, countMax) }
    return claim
  }

  private func exceeded(_ resource: CallerResource, _ count: Int, _ countMax: Int) -> LeaseholdError {
    tallies[resource.rawValue].pool.noteHit()
    let row = resource.row
    let isShare = if case .allButOne = tallies[resource.rawValue].bound { true } else { false }
    return LeaseholdError(
      .callerLimit,
      "You (\(label)) have \(count) \(row.words), and a caller may have \(countMax)"
        + (isShare ? ", fewer the more others have" : "") + " (--\(row.setting)); \(row.advice).",
      facts: [
        ("limit_name", .text(row.setting)), ("caller", .text(label)), (row.member, .number(Int64(count))),
        ("maximum", .number(Int64(countMax))),
      ],
      retryAfter: .seconds(1))
  }
}

/// Something that a caller has, counted until the last reference to this goes.
public final class CallerClaim: Sendable {
  /// The account.
  public let account: CallerAccount
  private let resource: CallerResource
  private let number: Int

  init(_ account: CallerAccount, _ resource: CallerResource, _ number: Int) {
    self.account = account
    self.resource = resource
    self.number = number
  }

  deinit { account.add(-number, resource) }
}
