internal import CSupervise
internal import Glibc
internal import LeaseholdClient
internal import LeaseholdHost

/// The small process that outlives a supervisor killed with -9: it kills the command, then gives the lease back.
///
/// It is there before a lease is asked for. So there is no moment at which a lease is granted and no process would give
/// it back: a supervisor that dies between the grant and its answer leaves a guard that asks once more, with the same
/// Idempotency-Key, and so learns the lease.
final class Guardian: @unchecked Sendable {
  private let endpoint: ServiceEndpoint
  /// The guardian, whose memory any thread may write.
  private(set) var guardian: OpaquePointer?
  private var isOver = false
  /// The number of replacements that are left: what kills it again and again cannot be outrun.
  private var replacementsLeft = 16

  /// Starts to watch.
  ///
  /// Without it a killed supervisor's lease ends by the clock.
  ///
  /// - Parameter asking: The longest request for a lease that will be made; see ``asks(_:)``.
  init(endpoint: ServiceEndpoint, asking: Request) {
    self.endpoint = endpoint
    let longest = max(bytes(asking).count, release(of: Self.unknown).count)
    if case .tls = endpoint.address {
      var program = Self.program(for: endpoint)
      guardian = csupervise_guard_start(longest + Self.spare, &program)
      return
    }
    guardian = csupervise_guard_start(longest + Self.spare, nil)
    for name in (try? endpoint.address.candidates(before: HostClock.monotonic(after: .seconds(5)))) ?? [] {
      name.bytes.withUnsafeBytes { bytes in
        guard let guardian, let base = bytes.baseAddress else { return }
        csupervise_guard_address(guardian, base.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
      }
    }
  }

  /// The program that gives a lease back over TLS: the lease comes through its standard input, where no other process
  /// sees it.
  private static func program(for endpoint: ServiceEndpoint) -> csupervise_program {
    let words = CStringList.of([strdup("leasehold"), strdup("release"), strdup("-")])
    // It asks in our name: the token stays.
    let variables = Environment.with(Environment.naming(endpoint), keepingToken: true)
    return csupervise_program(argv: UnsafePointer(words), envp: UnsafePointer(variables))
  }

  /// Where an id will stand.
  private static let unknown = String(repeating: "0", count: 32)
  /// Room for numbers that get longer.
  private static let spare = 64

  /// Sees whether the guard is alive; says so when it is not, and starts another.
  ///
  /// For the thread that made it.
  func look() {
    guard let guardian, !isOver, replacementsLeft > 0 else { return }
    let state = csupervise_guard_look(guardian)
    if state == csupervise_guard_watches { return }
    replacementsLeft = state == csupervise_guard_replaced ? replacementsLeft - 1 : 0
    Output.complain(
      replacementsLeft > 0
        ? "the guard of this lease was killed; there is a new one"
        : "the guard of this lease was killed, and there will be no other: should this process be killed too, the "
          + "command may go on after its lease, and the lock stays taken until its time is up")
  }

  /// A lease is about to be asked for: `request` asks again.
  func asks(_ request: Request) {
    look()
    let (ask, release) = (bytes(request), release(of: Self.unknown))
    if let guardian { csupervise_guard_asks(guardian, ask, ask.count, release, release.count) }
  }

  /// There is a lease.
  func holds(_ lease: Grant) {
    let release = release(of: lease.id)
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

  /// The text that gives a lease back: a request, or what ``program(for:)`` reads.
  private func release(of lease: String) -> [UInt8] {
    if case .tls = endpoint.address { return Array("\(lease)\n".utf8) }
    return bytes(Request("DELETE", ["leases", lease]))
  }

  private func bytes(_ request: Request) -> [UInt8] { request.bytes(to: endpoint, closing: true) }
}
