import Leasehold
import LeaseholdTestKit

extension Scene {
  /// An operator ends somebody's lease; the answer is a refusal's code.
  @discardableResult
  func breaks(_ who: String, after: TimeSpan = .zero, reason: String? = nil) -> LeaseholdError.Code? {
    guard let lease = leases[who] else { return nil }
    if after == .zero { history.letGo(lease.id) }
    history.shorten(lease.id, to: (daemon.clock.now + after).nanoseconds)
    var request = BreakRequest(.ref(lease.id.high >> 24), caller: Caller(connection: 9, peer: .unknown))
    request.after = after
    request.reason = reason
    let asked = request
    return attempt { () throws(LeaseholdError) in _ = try ledger.breakLease(asked, at: daemon.moment) }
  }

  /// Somebody hands a lease over; the answer is a refusal's code.
  @discardableResult
  func transfer(
    _ who: String, to other: String, owner: String? = nil, _ change: (inout TransferRequest) -> Void = { _ in }
  ) -> LeaseholdError.Code? {
    guard let lease = leases[who] else { return nil }
    var request = TransferRequest(lease.id, caller: Caller(connection: 5, peer: .unknown))
    request.owner = owner
    change(&request)
    let asked = request
    return attempt { () throws(LeaseholdError) in
      do throws(LeaseholdError) {
        let successor = try ledger.transfer(asked, at: daemon.moment)
        history.letGo(lease.id)
        if !daemon.crash.hasCrashed { note(successor, of: other) }
      } catch {
        if daemon.crash.hasCrashed { history.letGo(lease.id) }
        throw error
      }
    }
  }
}
