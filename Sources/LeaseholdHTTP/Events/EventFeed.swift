import Glibc
import Leasehold
import LeaseholdHost
import Synchronization

/// Hands the ledger's events to their followers, by one thread that runs while there are any.
///
/// Each event is fetched and written once. A subscriber is a number in the window of frames; its connection sleeps
/// inside libmicrohttpd until the thread wakes it, and then copies from the window. The thread wakes a bounded number a
/// turn, so that many followers of much traffic get it later and slow no request down.
///
/// Order of locks: stream, then feed. The thread takes them one after the other, never both.
final class EventFeed: Sendable {
  /// Bytes that a subscriber gets a turn.
  static let creditBytes = 32_768
  /// Subscribers woken a turn.
  private static let wakesPerTurn = 20
  /// Nanoseconds between turns.
  private static let turnInterval: Int64 = 10_000_000
  /// Events fetched at once: how long the ledger is kept.
  private static let batch = 512
  /// Batches of one turn.
  private static let batchesPerTurn = 16

  private let service: any EventService
  private let subscribersMax: Int
  private let state: Mutex<EventWindow>
  private let wallOffset = Atomic<Int64>(0)

  init(_ service: any EventService, limits: Limits) {
    self.service = service
    subscribersMax = limits.eventSubscribers
    state = Mutex(EventWindow(capacity: max(16, limits.events)))
  }

  func withState<Result: Sendable>(_ body: (inout EventWindow) -> Result) -> Result { state.withLock { body(&$0) } }

  /// The number of followers.
  var count: Int { withState { $0.subscribers.count } }

  /// Admits a follower, if there is room and a thread for it.
  func add(_ subscriber: EventSubscriber, _ stream: StreamBody, wallOffset: Int64) throws(LeaseholdError) {
    self.wallOffset.store(wallOffset, ordering: .relaxed)
    let (isIn, mustStart) = withState { state -> (Bool, Bool) in
      guard state.subscribers.count < subscribersMax, !state.isStopping else { return (false, false) }
      state.admit(subscriber, stream)
      defer { state.isRunning = true }
      return (true, !state.isRunning)
    }
    guard isIn else { throw .tooManySubscribers(subscribersMax) }
    guard mustStart,
      HostThread(named: "lh-events", stackBytes: HostThread.requestStackBytes, { [self] in run() }) == nil
    else { return }
    withState { state in
      state.isRunning = false
      state.subscribers.removeAll { $0.subscriber === subscriber }
    }
    throw .cannotWait("pthread_create", EAGAIN)
  }

  /// Lets a follower go.
  func remove(_ subscriber: EventSubscriber) {
    withState { state in state.subscribers.removeAll { $0.subscriber === subscriber } }
  }

  /// Tells all followers that the service lives, and so finds out that they do.
  func beat() {
    var line = ResponseBuffer(capacity: 16)
    line.append(": \n\n" as StaticString)
    for entry in withState({ $0.subscribers }) { entry.stream.write(line) }
  }

  /// Ends all streams behind what they have not been told yet.
  func finishAll() {
    // Without followers nothing in the ring needs to be told.
    if count > 0 { fetch() }
    let entries = withState { state in
      state.isStopping = true
      for entry in state.subscribers { entry.subscriber.credit = .max }
      return state.subscribers
    }
    for entry in entries { entry.stream.finish() }
  }

  private func run() {
    while true {
      fetch()
      let (wakes, stuck, ends) = withState { $0.takeTurn(wakesMax: Self.wakesPerTurn, now: HostClock.monotonic()) }
      for stream in stuck { stream.dropSlow() }
      for stream in wakes { stream.wake() }
      if ends { return }
      HostClock.sleep(nanoseconds: Self.turnInterval)
    }
  }

  /// Gets what happened since the last time, and what is older and asked for.
  private func fetch() {
    let writer = AnswerWriter(
      now: MonotonicInstant(nanoseconds: 0), wallOffset: wallOffset.load(ordering: .relaxed))
    for _ in 0..<Self.batchesPerTurn {
      let wanted = withState { $0.next }
      let batch = service.events(from: wanted, limit: Self.batch)
      let frames = batch.events.enumerated().map { index, event in
        EventFrame(event, number: batch.first + UInt64(index), epoch: batch.epoch, writer: writer)
      }
      withState { state in
        // The thread that drains the feed fetches, too; and a new follower may want older events.
        guard state.next == wanted else { return }
        state.epoch = batch.epoch
        if !frames.isEmpty { state.append(frames, from: batch.first) }
      }
      if batch.events.count < Self.batch { return }
    }
  }
}

extension EventWindow {
  /// Admits a follower; one that wants older events than the window has makes it begin anew.
  ///
  /// The others go on when it has come to where they are.
  mutating func admit(_ subscriber: EventSubscriber, _ stream: StreamBody) {
    if subscribers.isEmpty || subscriber.cursor < first {
      frames = []
      first = subscriber.cursor
    }
    subscribers.append((subscriber, stream))
  }

  /// Chooses the followers to wake and to drop, and tells whether the thread has any left.
  mutating func takeTurn(wakesMax: Int, now: Int64) -> (wakes: [StreamBody], stuck: [StreamBody], ends: Bool) {
    var (wakes, stuck): ([StreamBody], [StreamBody]) = ([], [])
    let count = subscribers.count
    let begin = turn
    for step in 0..<count where wakes.count < wakesMax {
      turn = (begin + step + 1) % count
      let (subscriber, stream) = subscribers[(begin + step) % count]
      if !subscriber.isWaiting {
        // It was woken long ago, and the window has gone on: its peer does not read.
        if subscriber.cursor < first, subscriber.hasBegun { stuck.append(stream) }
        continue
      }
      if let deadline = subscriber.deadline, now >= deadline { subscriber.isEnding = true }
      if let last = subscriber.last, subscriber.cursor >= last || (next >= last && !hasNews(subscriber)) {
        subscriber.isEnding = true
      }
      guard subscriber.isEnding || hasNews(subscriber) else { continue }
      subscriber.isWaiting = false
      subscriber.credit = EventFeed.creditBytes
      wakes.append(stream)
    }
    dropped += stuck.count
    if !stuck.isEmpty { subscribers.removeAll { entry in stuck.contains { $0 === entry.stream } } }
    guard subscribers.isEmpty else { return (wakes, stuck, false) }
    isRunning = false
    frames = []
    return (wakes, stuck, true)
  }
}
