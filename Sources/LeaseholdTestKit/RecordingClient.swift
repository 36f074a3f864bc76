package import Leasehold
import Synchronization

/// Remembers what it was told.
///
/// May be asked from any thread.
package final class RecordingClient: LeaseClient {
  private struct Heard {
    var grants: [LeaseSnapshot] = []
    var refusals: [LeaseholdError] = []
    var ends: [EndReason] = []
    var deadlines: [MonotonicInstant?] = []
  }

  private let heard = Mutex(Heard())

  package init() {}

  /// The lease, when the wait ended with one.
  package var lease: LeaseSnapshot? { heard.withLock { $0.grants.first } }

  /// Why there was none, when the wait ended without.
  package var refusal: LeaseholdError? { heard.withLock { $0.refusals.first } }

  /// The end of the followed lease.
  package var end: EndReason? { heard.withLock { $0.ends.first } }

  /// Answers to the wait, of either kind: must never be more than one.
  package var answers: Int { heard.withLock { $0.grants.count + $0.refusals.count } }

  /// Reports of an end: must never be more than one for each lease that is followed.
  package var ends: Int { heard.withLock { $0.ends.count } }

  /// The deadlines of the followed lease, in order.
  package var deadlines: [MonotonicInstant?] { heard.withLock(\.deadlines) }

  package func renewed(until deadline: MonotonicInstant?) { heard.withLock { $0.deadlines.append(deadline) } }
  package func granted(_ lease: LeaseSnapshot) { heard.withLock { $0.grants.append(lease) } }
  package func refused(_ error: LeaseholdError) { heard.withLock { $0.refusals.append(error) } }

  package func ended(_ reason: EndReason, _ note: BreakNote?, at instant: MonotonicInstant) {
    heard.withLock { $0.ends.append(reason) }
  }
}
