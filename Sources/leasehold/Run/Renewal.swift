internal import Glibc
internal import LeaseholdClient
internal import LeaseholdHost
import Synchronization

/// Keeps a lease alive from a thread of its own, and says when it is lost.
final class Renewal: Sendable {
  private struct State {
    var deadline: Int64?
    var lost: String?
    var isOver = false
  }

  private let endpoint: ServiceEndpoint
  private let lease: Grant
  private let own: OwnService?
  private let yields: Bool
  private let state: Mutex<State>
  private let moved: @Sendable (Int64) -> Void
  private let alarm = Alarm()

  /// Makes it; ``start()`` begins to renew.
  ///
  /// - Parameters:
  ///   - deadline: That of the grant.
  ///   - own: What is started again when it goes away.
  ///   - yields: Whether it counts as lost once the service asks to yield to a newer one.
  ///   - moved: Called with each new deadline.
  init(
    endpoint: ServiceEndpoint, lease: Grant, deadline: Int64?, own: OwnService?, yields: Bool,
    moved: @escaping @Sendable (Int64) -> Void
  ) {
    self.endpoint = endpoint
    self.lease = lease
    self.own = own
    self.yields = yields
    self.moved = moved
    state = Mutex(State(deadline: deadline))
  }

  /// Renews at once where the answer came so late that less than half of the ttl is certain.
  ///
  /// - Throws: ``ClientError`` when the lease is over, or may be.
  func confirm() throws(ClientError) {
    guard let deadline, let ttl = lease.ttl?.wholeNanoseconds else { return }
    let asked = HostClock.monotonic()
    guard deadline - asked < ttl / 2 else { return }
    do throws(ClientError) {
      let renewed = try renew(over: LeaseholdConnection(endpoint))
      state.withLock { $0.deadline = asked + (renewed.ttl?.wholeNanoseconds ?? ttl) }
    } catch {
      if error.problem?.isTemporary != false, deadline > HostClock.monotonic() { return }
      throw error
    }
  }

  /// Begins to renew, when there is a clock to renew against.
  func start() {
    guard lease.ttl != nil else { return }
    let thread = HostThread(stackBytes: HostThread.requestStackBytes) { [self] in keepRenewing() }
    if thread == nil { lose("it cannot be renewed, as no thread is left (EAGAIN)") }
  }

  /// When the lease ends if nothing more is heard; `nil` where no clock ends it.
  var deadline: Int64? { state.withLock(\.deadline) }

  /// Why the lease is lost, once it is.
  var lost: String? { state.withLock(\.lost) }

  /// Ends renewing; the lease stays.
  func stop() {
    state.withLock { $0.isOver = true }
    alarm.ring()
  }

  private func keepRenewing() {
    let connection = LeaseholdConnection(endpoint)
    var ttl = (lease.ttl ?? .zero).wholeNanoseconds
    var next = HostClock.monotonic() + ttl / 3
    while true {
      alarm.sleep(until: next)
      if state.withLock({ $0.isOver || $0.lost != nil }) { return }
      let asked = HostClock.monotonic()
      do throws(ClientError) {
        let renewed = try renew(over: connection)
        ttl = renewed.ttl?.wholeNanoseconds ?? ttl
        // Counted from before the request: never later than the service counts.
        moved(to: asked + ttl)
        next = asked + ttl / 3
        if yields, renewed.json["yield"].bool == true { return lose("a newer one of its group waits for it") }
      } catch {
        if let problem = error.problem, !problem.isTemporary {
          lose(problem.spoken)
          return
        }
        // Away, or being started: as long as there is time, that does not matter.
        if case .unreachable = error { try? own?.start(within: .seconds(3)) }
        next = HostClock.monotonic() + min(250_000_000, ttl / 12)
      }
    }
  }

  private func renew(over connection: LeaseholdConnection) throws(ClientError) -> Grant {
    let request = Request("POST", ["leases", lease.id, "renew"])
      .within(min(.seconds(3), (lease.ttl ?? .seconds(9)) / 4))
    return try connection.send(request).grant()
  }

  private func moved(to deadline: Int64) {
    state.withLock { $0.deadline = deadline }
    moved(deadline)
    notify()
  }

  private func lose(_ reason: String) {
    state.withLock { $0.lost = reason }
    notify()
  }

  /// Wakes the supervisor as an end of the command does.
  private func notify() { kill(getpid(), SIGCHLD) }
}
