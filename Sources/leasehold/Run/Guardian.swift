internal import CSupervise
internal import LeaseholdClient

/// The small process that outlives a supervisor killed with -9: it kills the command, then gives the lease back.
///
/// It is there before a lease is asked for. So there is no moment at which a lease is granted and nobody would give it
/// back: who dies between the grant and its answer leaves a guard that asks once more, with the same Idempotency-Key,
/// and so learns the lease.
final class Guardian: @unchecked Sendable {
  private let endpoint: ServiceEndpoint
  /// What it points to may be written by any thread.
  private(set) var guardian: OpaquePointer?
  private var isOver = false

  /// Starts to watch.
  ///
  /// Without it a killed supervisor's lease ends by the clock.
  ///
  /// - Parameter asking: The longest request for a lease that will be made; see ``asks(_:)``.
  init(endpoint: ServiceEndpoint, asking: Request) {
    self.endpoint = endpoint
    // What it sends is in the clear: nothing for a service of https.
    let names = "\(endpoint.address)".hasPrefix("https:") ? [] : endpoint.address.candidates
    let longest = max(bytes(asking).count, bytes(release(of: Self.unknown)).count)
    guardian = csupervise_guard_start(longest + Self.spare)
    for name in names {
      name.bytes.withUnsafeBytes { bytes in
        guard let guardian, let base = bytes.baseAddress else { return }
        csupervise_guard_address(guardian, base.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
      }
    }
  }

  /// Where an id will stand.
  private static let unknown = String(repeating: "0", count: 32)
  /// Room for numbers that get longer.
  private static let spare = 64

  /// A lease is about to be asked for: `request` asks again.
  func asks(_ request: Request) {
    let (ask, release) = (bytes(request), bytes(release(of: Self.unknown)))
    if let guardian { csupervise_guard_asks(guardian, ask, ask.count, release, release.count) }
  }

  /// There is a lease.
  func holds(_ lease: Lease) {
    let release = bytes(release(of: lease.id))
    if let guardian { csupervise_guard_holds(guardian, release, release.count) }
  }

  /// Moves the deadline at which the command is killed whatever happens.
  func move(to deadline: Int64) {
    if let guardian { csupervise_guard_deadline(guardian, deadline) }
  }

  /// The command has ended, and is not reaped yet: there is nothing to kill any more.
  func ended() {
    if let guardian { csupervise_guard_group(guardian, 0) }
  }

  /// Ends watching.
  func done() {
    if let guardian, !isOver { csupervise_guard_done(guardian) }
    isOver = true
  }

  private func release(of lease: String) -> Request { Request("DELETE", ["leases", lease]) }

  private func bytes(_ request: Request) -> [UInt8] { request.bytes(to: endpoint, closing: true) }
}
