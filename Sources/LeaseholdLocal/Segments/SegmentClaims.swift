import Leasehold
import Synchronization
import SysV

/// The segments that callers had made here and that count for them, until they are gone.
///
/// A segment that a native program removes is noticed when its maker has no room for another. After a restart those
/// that were found count for no caller.
final class SegmentClaims: Sendable {
  private let claims = Mutex<[Int32: CallerClaim]>([:])

  /// Counts a segment that is about to be made.
  func claim(_ request: SegmentRequest) throws(LeaseholdError) -> CallerClaim? {
    guard let account = request.account else { return nil }
    if !account.hasRoom(for: .segmentBytes, request.byteCount) { forgetRemoved() }
    return try account.claim(.segmentBytes, request.byteCount)
  }

  func keep(_ claim: CallerClaim?, for segment: Int32) { claims.withLock { $0[segment] = claim } }

  func forget(_ segment: Int32) { claims.withLock { $0[segment] = nil } }

  private func forgetRemoved() {
    claims.withLock { claims in
      claims = claims.filter { segment, _ in (try? SharedMemorySegment(id: segment).status()) != nil }
    }
  }
}
