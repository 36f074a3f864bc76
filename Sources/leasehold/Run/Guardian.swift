internal import CSupervise
internal import LeaseholdClient

/// The small process that outlives a supervisor killed with -9: it kills the command, then gives the lease back.
final class Guardian: @unchecked Sendable {
  // Set before any other thread is there; what it points to may be written by any thread.
  private var guardian: OpaquePointer?

  /// Starts to watch.
  ///
  /// Without it a killed supervisor's lease ends by the clock.
  func start(group: Int32, deadline: Int64?, lease: Lease, endpoint: ServiceEndpoint) {
    let request = Request("DELETE", ["leases", lease.id]).bytes(to: endpoint, closing: true)
    guard let name = endpoint.address.candidates.first else { return }
    guardian = name.bytes.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return nil }
      return csupervise_guard_start(
        group, deadline ?? 0, base.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count), request,
        request.count)
    }
  }

  /// Moves the deadline at which the command is killed whatever happens.
  func move(to deadline: Int64) {
    if let guardian { csupervise_guard_deadline(guardian, deadline) }
  }

  /// Ends watching.
  func done() {
    if let guardian { csupervise_guard_done(guardian) }
    guardian = nil
  }
}
