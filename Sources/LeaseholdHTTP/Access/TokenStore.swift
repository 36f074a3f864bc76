import Leasehold
import Synchronization

/// The file of tokens in force.
final class TokenStore: Sendable {
  let path: String
  private let accounts: CallerAccounts
  private let table: Mutex<TokenTable>

  /// Reads the file.
  init(path: String, accounts: CallerAccounts) throws(SecretFileError) {
    self.path = path
    self.accounts = accounts
    table = Mutex(try TokenTable(SecretFile.read(path), path: path, accounts: accounts))
  }

  /// Reads the file again: all of it counts from the next request on, or, where it cannot be used, nothing.
  ///
  /// - Returns: How many tokens it has.
  func reload() throws(SecretFileError) -> Int {
    let fresh = try TokenTable(SecretFile.read(path), path: path, accounts: accounts)
    table.withLock { $0 = fresh }
    return fresh.count
  }

  /// The token that a caller showed.
  func find(_ token: UnsafeRawBufferPointer) -> Token? { table.withLock(\.self).find(token) }
}

/// Who is counted together, by token, user or address.
///
/// Those that nobody uses are forgotten now and then.
final class CallerAccounts: Sendable {
  private struct Weak: Sendable {
    weak let account: CallerAccount?
  }

  private struct State {
    var accounts: [String: Weak] = [:]
    var sweepAt = 256
  }

  private let leasesMaximum: Int
  private let waitersMaximum: Int
  private let state = Mutex(State())

  init(_ limits: Limits) {
    leasesMaximum = limits.leasesPerCaller > 0 ? limits.leasesPerCaller : .max
    waitersMaximum = limits.waitersPerCaller > 0 ? limits.waitersPerCaller : .max
  }

  /// Whether callers without a token are counted at all.
  var haveLimits: Bool { leasesMaximum < .max || waitersMaximum < .max }

  /// The account of a token.
  func account(token: String) -> CallerAccount { account("token \(token)", token: token) }

  /// The account of who has no token: the user of a Unix socket, else the address.
  func account(_ peer: Peer) -> CallerAccount {
    switch peer {
    case .local(_, let uid, _): account("uid \(uid)", token: nil)
    case .ipv4(let address, _) where address >> 24 == 127: account("loopback", token: nil)
    case .ipv6(0, 1, _): account("loopback", token: nil)
    case .ipv4(let address, _): account(Peer.ipv4(address, port: 0).host, token: nil)
    // One site has at least 64 bits of them to choose from.
    case .ipv6(let network, _, _): account(Peer.ipv6(network, 0, port: 0).host, token: nil)
    case .unknown: account("unknown", token: nil)
    }
  }

  private func account(_ label: String, token: String?) -> CallerAccount {
    state.withLock { state in
      if let known = state.accounts[label]?.account { return known }
      if state.accounts.count >= state.sweepAt {
        state.accounts = state.accounts.filter { $0.value.account != nil }
        state.sweepAt = max(256, 2 * state.accounts.count)
      }
      let account = CallerAccount(
        label: label, token: token, leasesMaximum: leasesMaximum, waitersMaximum: waitersMaximum)
      state.accounts[label] = Weak(account: account)
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
