import Synchronization

/// Threads asleep in a system call that only a signal ends before its time, as `semop` is; one for each that waits.
///
/// A sleep is called off by a mark, which the sleeper looks at before each call, and a signal. A signal that comes
/// between the look and the call is lost, so one more thread, the caller, repeats it until the sleeper has let go.
///
/// Order of locks: this pool, then its threads'. Bodies and reports run under neither.
package final class SleeperPool: Sendable {
  /// The way in which a sleep was told to end.
  package enum End: UInt8, AtomicRepresentable, Sendable {
    /// Its caller waits for it no more.
    case canceled = 1
    /// The pool stops.
    case stopped
  }

  /// One sleep, as its own thread sees it.
  package final class Sleep: Sendable {
    private let mark = Atomic<UInt8>(0)

    /// The way in which it was told to end; `nil` while it goes on.
    ///
    /// Look before each system call, and after EINTR.
    package var end: End? { End(rawValue: mark.load(ordering: .sequentiallyConsistent)) }

    /// The first to tell decides.
    fileprivate func tell(_ end: End) {
      _ = mark.compareExchange(expected: 0, desired: end.rawValue, ordering: .sequentiallyConsistent)
    }
  }

  /// The work of a thread: it sleeps, and answers what is to be run once it counts as free.
  package typealias Body = @Sendable (Sleep) -> @Sendable () -> Void

  private struct Sleeper {
    let sleep: Sleep
    let thread: PoolThread
  }

  private struct State {
    /// Those asleep, and those that were told to end and have not let go yet.
    var sleepers: [UInt64: Sleeper] = [:]
    var caller: HostThread?
    var isStopped = false
  }

  private let state = Mutex(State())
  private let threads: BlockingPool
  private let alarm = Alarm()

  /// The time after which a signal is repeated that a sleeper may have missed, in nanoseconds.
  private static let repeatInterval: Int64 = 1_000_000

  /// An empty pool.
  ///
  /// - Parameters:
  ///   - name: The threads' name, of at most 15 bytes.
  ///   - threadsMax: Sleeps at most.
  package init(named name: StaticString, threadsMax: Int) {
    threads = BlockingPool(named: name, threadsMax: threadsMax, stackBytes: 256 * 1024)
    HostThread.prepareInterrupts()
  }

  /// Sleeps that were not called off.
  package var count: Int { state.withLock { $0.sleepers.values.count { $0.sleep.end == nil } } }

  /// Sleeps that have not ended, those that were called off included.
  package var unfinished: Int { state.withLock { $0.sleepers.count } }

  /// Begins a sleep.
  ///
  /// - Parameter id: The caller's own; each once.
  /// - Throws: `full`, `noThread`, `stopped`.
  package func begin(_ id: UInt64, _ body: @escaping Body) throws(BlockingPool.Refusal) {
    try state.withLock { state throws(BlockingPool.Refusal) in
      guard !state.isStopped else { throw .stopped }
      precondition(state.sleepers[id] == nil, "a sleep has a number of its own")
      if state.caller == nil { state.caller = HostThread(named: "lh-caller") { [self] in repeatCalls() } }
      guard state.caller != nil else { throw .noThread }
      let sleep = Sleep()
      let thread = try threads.reserve().begin { [self] in
        let report = body(sleep)
        self.state.withLock { $0.sleepers[id] = nil }
        return report
      }
      if let thread { state.sleepers[id] = Sleeper(sleep: sleep, thread: thread) }
    }
  }

  /// Has a sleep end as canceled; nothing happens when it has ended, or was told before.
  package func cancel(_ id: UInt64) {
    state.withLock { $0.sleepers[id]?.sleep.tell(.canceled) }
    alarm.ring()
  }

  /// Has all sleeps end as stopped, and refuses others.
  package func drain() {
    state.withLock { state in
      state.isStopped = true
      for sleeper in state.sleepers.values { sleeper.sleep.tell(.stopped) }
    }
    alarm.ring()
  }

  /// Ends all sleeps and all threads, and waits for both.
  package func stop() {
    drain()
    threads.stop()
    let caller = state.withLock { $0.caller.take() }
    alarm.ring()
    caller?.join()
  }

  private func repeatCalls() {
    while true {
      let (isIdle, isOver) = state.withLock { state in
        let calledOff = state.sleepers.values.filter { $0.sleep.end != nil }
        for sleeper in calledOff { sleeper.thread.interrupt() }
        return (calledOff.isEmpty, state.isStopped && state.sleepers.isEmpty)
      }
      if isOver { return }
      if isIdle { alarm.sleep() } else { alarm.sleep(until: HostClock.monotonic() + Self.repeatInterval) }
    }
  }
}
