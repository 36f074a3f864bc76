internal import CSupervise
internal import Glibc
internal import LeaseholdClient

/// The small process that outlives a supervisor killed with -9: it kills the command, then gives the lease back.
final class Guardian: @unchecked Sendable {
  // Set before any other thread is there; what it points to may be written by any thread.
  private var guardian: OpaquePointer?

  /// Starts to watch.
  ///
  /// Without it a killed supervisor's lease ends by the clock. Over TLS the guard runs this program once more, with the
  /// lease where nobody sees it among the arguments.
  func start(group: Int32, deadline: Int64?, lease: Lease, endpoint: ServiceEndpoint) {
    var release = csupervise_release()
    guard case .tls = endpoint.address else {
      let request = Request("DELETE", ["leases", lease.id]).bytes(to: endpoint, closing: true)
      guard let name = endpoint.address.candidates.first else { return }
      name.bytes.withUnsafeBytes { bytes in
        guard let base = bytes.baseAddress else { return }
        release.address = base.assumingMemoryBound(to: sockaddr.self)
        release.length = socklen_t(bytes.count)
        start(group, deadline, text: request, &release)
      }
      return
    }
    let words = CStringList.allocate(capacity: 4)
    words.initialize(from: [strdup("leasehold"), strdup("release"), strdup("-"), nil], count: 4)
    release.argv = UnsafePointer(words)
    release.envp = UnsafePointer(Environment.with(Environment.naming(endpoint)))
    start(group, deadline, text: Array("\(lease.id)\n".utf8), &release)
  }

  /// The guard is a copy of this process, made before this returns.
  private func start(_ group: Int32, _ deadline: Int64?, text: [UInt8], _ release: inout csupervise_release) {
    text.withUnsafeBytes { text in
      release.text = text.baseAddress
      release.count = text.count
      guardian = csupervise_guard_start(group, deadline ?? 0, &release)
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
