internal import Glibc
internal import LeaseholdHost
import Synchronization

/// Lets tasks wait for sockets and for instants: one thread for all of a process, started with the first wait.
final class TaskPoller: Sendable {
  /// The end of a wait.
  enum End {
    case ready, timedOut
    /// The task was canceled, or another task ended the wait.
    case ended
    /// There is no thread or no descriptor to wait with, by this errno.
    case failed(Int32)
  }

  private struct Wait {
    var socket: Socket?
    var events: Int16
    var deadline: Int64
    var continuation: CheckedContinuation<End, Never>
  }

  private struct State {
    var waits: [UInt64: Wait] = [:]
    /// The first deadline, or one before it.
    var earliest = Int64.max
    var isRunning = false
  }

  static let shared = TaskPoller()

  private let poller = try? Poller()
  private let state = Mutex(State())
  private let tokens = Atomic<UInt64>(0)

  private init() {}

  /// A number for a wait.
  func token() -> UInt64 { tokens.add(1, ordering: .relaxed).newValue }

  /// Waits for events of a socket, or only for an instant.
  ///
  /// - Parameters:
  ///   - token: A new one; who knows it may ``end(_:_:)`` the wait.
  ///   - deadline: Nanoseconds of CLOCK_MONOTONIC.
  ///   - isOver: Asked once the wait can be ended: true ends it.
  func wait(
    _ token: UInt64, for socket: Socket? = nil, _ events: Int16 = 0, until deadline: Int64,
    unless isOver: @Sendable () -> Bool = { false }
  ) async -> End {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let wait = Wait(socket: socket, events: events, deadline: deadline, continuation: continuation)
        begin(token, wait)
        if Task.isCancelled || isOver() { end(token, .ended) }
      }
    } onCancel: {
      end(token, .ended)
    }
  }

  /// Ends a wait, if it is still on.
  func end(_ token: UInt64, _ how: End) {
    guard let wait = state.withLock({ $0.waits.removeValue(forKey: token) }) else { return }
    var how = how
    if let socket = wait.socket {
      // Of a program that was stopped the time goes first: then what came meanwhile is still there.
      if case .timedOut = how, socket.has(wait.events) { how = .ready }
      poller?.remove(socket.descriptor)
    }
    wait.continuation.resume(returning: how)
  }

  private func begin(_ token: UInt64, _ wait: Wait) {
    guard let poller else {
      wait.continuation.resume(returning: .failed(EMFILE))
      return
    }
    let (isFirst, isEarlier) = state.withLock { state in
      defer { state.isRunning = true }
      state.waits[token] = wait
      let isEarlier = wait.deadline < state.earliest
      if isEarlier { state.earliest = wait.deadline }
      return (!state.isRunning, isEarlier)
    }
    if isFirst, HostThread(named: "lease tasks", { self.run(poller) }) == nil {
      state.withLock { $0.isRunning = false }
      return end(token, .failed(EAGAIN))
    }
    if let socket = wait.socket {
      do throws(Poller.Failure) {
        let interest: Poller.Interest = wait.events & Int16(POLLOUT) != 0 ? .writing : .reading
        try poller.add(socket.descriptor, for: interest, as: token)
      } catch {
        return end(token, .failed(error.errno))
      }
    }
    if isEarlier { poller.wake() }
  }

  private func run(_ poller: Poller) {
    var ready: [UInt64] = []
    while true {
      let earliest = state.withLock(\.earliest)
      poller.wait(milliseconds: earliest == .max ? -1 : HostClock.milliseconds(until: earliest)) { ready.append($0) }
      for token in ready { end(token, .ready) }
      ready.removeAll(keepingCapacity: true)
      for token in overdue() { end(token, .timedOut) }
    }
  }

  private func overdue() -> [UInt64] {
    let now = HostClock.monotonic()
    return state.withLock { state in
      guard state.earliest <= now else { return [] }
      state.earliest = .max
      var overdue: [UInt64] = []
      for (token, wait) in state.waits {
        if wait.deadline <= now { overdue.append(token) } else { state.earliest = min(state.earliest, wait.deadline) }
      }
      return overdue
    }
  }
}

/// A sleep of a task that others can end.
package final class TaskAlarm: Sendable {
  private struct State {
    var token: UInt64?
    var isRinging = false
  }

  private let state = Mutex(State())

  /// Makes one that is silent.
  package init() {}

  /// Ends the sleep, the current one or the next.
  package func ring() {
    let token = state.withLock { state in
      state.isRinging = true
      return state.token
    }
    if let token { TaskPoller.shared.end(token, .ended) }
  }

  /// Sleeps until a reading of CLOCK_MONOTONIC in nanoseconds, until it rings, or until the task is canceled.
  package func sleep(until instant: Int64) async {
    let token = TaskPoller.shared.token()
    state.withLock { $0.token = token }
    _ = await TaskPoller.shared.wait(token, until: instant, unless: { state.withLock(\.isRinging) })
    state.withLock { $0 = State() }
  }
}
