import Glibc
import LeaseholdHost
import Synchronization

/// Notices that the peer of a suspended connection has gone.
///
/// libmicrohttpd takes a suspended connection out of its epoll set and looks at it no more. So its socket is put into
/// an epoll set of our own, with one thread for all.
///
/// The life cycle of a registration:
///
/// 1. `arm`, on the connection's thread, before libmicrohttpd suspends it and while the target holds its own lock:
///    a slot is taken, the socket is added, one-shot.
/// 2. It ends in one of two ways, and the registry's lock decides which:
///    - `disarm`: a thread has the answer. Called before the connection is resumed.
///    - an event: the thread takes the target out of the slot, and calls `peerGone` after it let go of the lock.
///    Either way the socket leaves the epoll set under that lock. It is still open then: it can only be closed after
///    the connection was resumed, and that comes after this step.
/// 3. A token is the slot's index with the slot's generation. An event or a `disarm` whose generation has passed finds
///    nothing. Nothing is ever looked up by descriptor, because a descriptor may be another connection's by now.
/// 4. `peerGone` may come when the target was resolved a moment ago; the target's own lock decides, and the loser
///    touches neither the socket nor libmicrohttpd.
///
/// Order of locks: target, then registry. The thread takes them one after the other, never both.
///
/// `stop(owner)` refuses every later `arm` for that listener and hands out what was armed, in one step, so that nothing
/// can be suspended behind the back of a listener that is about to stop.
///
/// The thread also runs the listeners' idle sweeps.
final class HangupWatch: Sendable {
  /// The target of the news that its peer has gone.
  protocol Target: AnyObject, Sendable {
    /// The peer closed, reset or half-closed. At most once per registration, on the watch's thread.
    func peerGone()
    /// The listener stops. On the stopping thread.
    func listenerStops()
  }

  /// A registration; a stale one is harmless.
  struct Token: Sendable {
    let bits: UInt64
    static let none = Token(bits: UInt64.max)
  }

  private struct Slot {
    var generation: UInt32 = 0
    var descriptor: Int32 = -1
    var owner: UInt64 = 0
    var target: (any Target)?
  }

  private struct Registry {
    var slots: [Slot] = []
    var free: [UInt32] = []
    var stopped: Set<UInt64> = []
    /// The daemons whose idle connections are closed.
    var swept: [Daemon] = []
    var sweepMilliseconds: Int32 = -1
    var ended = false
  }

  private let registry = Mutex(Registry())
  private let poller: Poller
  private let thread = Mutex<HostThread?>(nil)
  private static let lastOwner = Atomic<UInt64>(0)

  /// Starts the thread.
  init() throws(ServerError) {
    do {
      poller = try Poller()
    } catch {
      throw .system(error.call, "any address", error.errno)
    }
    let started = HostThread(named: "hangup-watch", stackBytes: HostThread.requestStackBytes) { [self] in run() }
    guard let started else { throw .system("pthread_create", "any address", EAGAIN) }
    thread.withLock { $0 = started }
  }

  /// A name for one listener among those that share the watch.
  static func newOwner() -> UInt64 { lastOwner.add(1, ordering: .relaxed).newValue }

  /// The outcome of an attempt to watch a socket.
  enum Arming {
    case armed(Token)
    /// The owner was stopped.
    case stopped
    /// The kernel refused, with this errno: no memory, or too many watches (fs.epoll.max_user_watches).
    case refused(Int32)
  }

  /// Registers a socket.
  func arm(_ descriptor: Int32, _ target: any Target, of owner: UInt64) -> Arming {
    registry.withLock { registry in
      guard !registry.ended, !registry.stopped.contains(owner) else { return .stopped }
      let index = registry.free.popLast() ?? UInt32(registry.slots.count)
      if index == registry.slots.count { registry.slots.append(Slot()) }
      let generation = registry.slots[Int(index)].generation
      let token = Token(bits: UInt64(generation) << 32 | UInt64(index))
      do throws(Poller.Failure) {
        try poller.add(descriptor, for: .hangup, as: token.bits)
      } catch {
        registry.free.append(index)
        return .refused(error.errno)
      }
      registry.slots[Int(index)] = Slot(generation: generation, descriptor: descriptor, owner: owner, target: target)
      return .armed(token)
    }
  }

  /// Ends a registration; does nothing if it has ended already.
  func disarm(_ token: Token) {
    guard token.bits != Token.none.bits else { return }
    _ = take(token)
  }

  /// Refuses the owner's further registrations and returns the targets it had.
  func stop(_ owner: UInt64) -> [any Target] {
    registry.withLock { registry in
      registry.stopped.insert(owner)
      registry.swept.removeAll { $0.owner == owner }
      return registry.slots.compactMap { $0.owner == owner ? $0.target : nil }
    }
  }

  /// Has daemons swept every so often, until their owner is stopped.
  func sweep(_ daemons: [Daemon], everyMilliseconds period: Int32) {
    registry.withLock { registry in
      registry.swept += daemons
      registry.sweepMilliseconds = registry.sweepMilliseconds < 0 ? period : min(period, registry.sweepMilliseconds)
    }
    poller.wake()
  }

  /// Has the thread ask again whether there is anything to sweep.
  func wakeUp() { poller.wake() }

  /// Ends the thread, after every listener that uses it has stopped.
  func shutdown() {
    registry.withLock { $0.ended = true }
    poller.wake()
    thread.withLock { $0.take() }?.join()
  }

  /// Takes a registration apart if it is still the one of this generation.
  private func take(_ token: Token) -> (any Target)? {
    let index = Int(UInt32(truncatingIfNeeded: token.bits))
    let generation = UInt32(truncatingIfNeeded: token.bits >> 32)
    return registry.withLock { registry in
      guard index < registry.slots.count, registry.slots[index].generation == generation,
        let target = registry.slots[index].target
      else { return nil }
      poller.remove(registry.slots[index].descriptor)
      registry.slots[index] = Slot(generation: generation &+ 1)
      registry.free.append(UInt32(index))
      return target
    }
  }

  private func run() {
    var swept = HostClock.monotonic()
    while true {
      let (ended, daemons, interval) = registry.withLock { ($0.ended, $0.swept, $0.sweepMilliseconds) }
      if ended { return }
      // With nothing to sweep it sleeps until it is woken.
      let period = daemons.contains { $0.mayHaveIdle } ? interval : -1
      poller.wait(milliseconds: period) { take(Token(bits: $0))?.peerGone() }
      let now = HostClock.monotonic()
      if period >= 0, now - swept >= Int64(period) * 1_000_000 {
        swept = now
        for daemon in registry.withLock(\.swept) { daemon.sweep(at: now) }
      }
    }
  }
}
