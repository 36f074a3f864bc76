import Leasehold

/// A connection as its caller's: counted for it, or one too many, which is told so at its first request.
final class Seat {
  let account: CallerAccount
  /// Why it is one too many.
  let refusal: LeaseholdError?
  private let claim: CallerClaim?

  /// - Parameter isFull: Whether the listener has as many as it takes; root and the service's user do not mind.
  init(_ peer: Peer, in accounts: CallerAccounts, isFull: Bool, limit: Int) {
    account = accounts.account(peer)
    do throws(LeaseholdError) {
      let claim = try account.claim(.connections)
      let mustGo = isFull && CallerAccounts.kind(of: peer) != .trusted
      self.claim = mustGo ? nil : claim
      refusal = mustGo ? .tooManyConnections(limit) : nil
    } catch {
      claim = nil
      refusal = error
    }
  }
}

extension LeaseholdError {
  /// As many connections are open as may.
  fileprivate static func tooManyConnections(_ connectionsMax: Int) -> LeaseholdError {
    LeaseholdError(
      .tooManyConnections,
      "\(connectionsMax) connections are open on this listener, its maximum (--max-connections); try again later. "
        + "Root on the Unix socket and /healthz are served even now.",
      facts: [("limit", .text("max-connections")), ("maximum", .number(Int64(connectionsMax)))],
      retryAfter: .seconds(1))
  }
}
