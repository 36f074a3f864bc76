import Glibc
import Leasehold
import Synchronization

/// The accounts of callers, by token, user or address.
///
/// Those that no connection uses are forgotten now and then.
final class CallerAccounts: Sendable {
  private struct State {
    // The references are not weak: an object that was referred to weakly once is retained and released more slowly.
    var accounts: [String: CallerAccount] = [:]
    var sweepAt = 256

    /// Forgets the accounts that nothing but this table knows.
    mutating func sweep() {
      var unused: [String] = []
      // The loop goes by index, as any copy of the table would be another reference.
      var index = accounts.startIndex
      while index != accounts.endIndex {
        if isKnownUniquelyReferenced(&accounts.values[index]) { unused.append(accounts[index].key) }
        accounts.formIndex(after: &index)
      }
      for label in unused { accounts[label] = nil }
      sweepAt = max(256, 2 * accounts.count)
    }
  }

  private let maxima: CallerMaxima
  /// The pools that all have together, of connections by kind of listener: a full one takes nothing from the other.
  private let pools: (network: CallerPools, unix: CallerPools)
  private let state = Mutex(State())

  /// - Parameter connections: As many as a listener takes.
  init(_ limits: Limits, connections: Int) {
    maxima = limits.perCaller
    var totals = CallerMaxima(limits.leases)
    // What the ledger has room for beside a record for each lease.
    totals[.locks] = limits.records - limits.leases - limits.tombstones
    totals[.waiters] = limits.waiters
    totals[.connections] = connections
    totals[.streams] = limits.eventSubscribers
    totals[.operations] = limits.operationWaiters
    // Others need memory, too.
    totals[.segmentBytes] = max(1 << 20, sysconf(Int32(_SC_PHYS_PAGES)) / 2 * sysconf(Int32(_SC_PAGESIZE)))
    let pools = CallerPools(of: totals)
    self.pools = (pools, pools.separating(.connections))
  }

  /// The number of times that the limits of callers of a resource were hit.
  func hits(of resource: CallerResource) -> UInt64 {
    let (network, unix) = (pools.network[resource], pools.unix[resource])
    return network.hits + (unix === network ? 0 : unix.hits)
  }

  /// The number of known accounts.
  var count: Int { state.withLock { $0.accounts.count } }

  /// The account of a token.
  func account(token: String) -> CallerAccount { account("token \(token)", token: token, .single, in: pools.network) }

  /// The account of a caller without a token: the user of a Unix socket, else the address.
  func account(_ peer: Peer) -> CallerAccount {
    let kind = Self.kind(of: peer)
    let label =
      switch peer {
      case .unknown: "unknown"
      case .local(_, let uid, _): "uid \(uid)"
      case _ where kind == .host: "loopback"
      case .ipv4(let address, _): Peer.ipv4(address, port: 0).host
      // One site has at least 64 bits of them to choose from.
      case .ipv6(let network, _, _): Peer.ipv6(network, 0, port: 0).host
      }
    return account(label, token: nil, kind, in: peer.isLocal ? pools.unix : pools.network)
  }

  /// The kind of a peer without a token: how far it can be told from others.
  static func kind(of peer: Peer) -> CallerKind {
    switch peer {
    case .local(_, let uid, _): uid == 0 || uid == geteuid() ? .trusted : .single
    case .ipv4(let address, _) where address >> 24 == 127: .host
    case .ipv6(0, 1, _), .unknown: .host
    case .ipv4, .ipv6: .single
    }
  }

  private func account(
    _ label: String, token: String?, _ kind: CallerKind, in pools: CallerPools
  ) -> CallerAccount {
    state.withLock { state in
      if let known = state.accounts[label] { return known }
      if state.accounts.count >= state.sweepAt { state.sweep() }
      let account = CallerAccount(
        label: label, token: token, maxima: maxima, kind, in: pools)
      state.accounts[label] = account
      return account
    }
  }
}

extension Peer {
  /// The address without its port.
  fileprivate var host: String {
    let text = address ?? "unknown"
    return text.lastIndex(of: ":").map { String(text[..<$0]) } ?? text
  }
}
