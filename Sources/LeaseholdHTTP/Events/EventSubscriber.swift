import Glibc
import Leasehold

/// The events that a follower wants.
struct EventFilter: Sendable {
  /// A lock's name, or the beginning of names.
  enum Key: Sendable {
    case exact(String, hash: Int)
    case prefix(String)
  }

  var key: Key?
  /// A bit for each kind.
  var kinds = UInt32.max
  /// The confinement of its caller; `nil` for none.
  var confinement: Confinement?

  func matches(_ frame: EventFrame) -> Bool {
    guard kinds & 1 << UInt32(frame.kind.rawValue) != 0, confinement?.covers(frame.key) ?? true else { return false }
    switch key {
    case nil: return true
    case .exact(let text, let hash)?: return hash == frame.keyHash && text.isExactly(frame.key)
    case .prefix(let text)?: return frame.key.begins(with: text)
    }
  }
}

/// A follower of events: a place in the feed's window, and no events of its own.
///
/// All that can change belongs to the feed, under its lock.
final class EventSubscriber: PendingRequest, @unchecked Sendable {
  let filter: EventFilter
  private let feed: EventFeed
  /// Its part of what its caller may follow, until its answer is over.
  private var claim: CallerClaim?
  /// The number of the event to look at next.
  var cursor: UInt64
  /// Bytes that go first: a frame that was cut, or a word about what is missing.
  var rest: ArraySlice<UInt8>
  /// Bytes that may be sent until the feed's next turn.
  var credit = EventFeed.creditBytes
  /// Events to send until the end.
  var left: Int?
  /// Where to end.
  var last: UInt64?
  /// When to end, in nanoseconds of CLOCK_MONOTONIC.
  var deadline: Int64?
  /// True when it was told all there is, or all that its credit allows, and sleeps.
  var isWaiting = false
  var isEnding = false
  /// True when its connection has asked for bytes.
  var hasBegun = false

  init(
    _ feed: EventFeed, _ filter: EventFilter, from cursor: UInt64, prelude: [UInt8], _ claim: CallerClaim?
  ) {
    self.feed = feed
    self.claim = claim
    self.filter = filter
    self.cursor = cursor
    rest = prelude[...]
  }

  /// True when what was read last ended in the middle of something.
  var isMidway: Bool { feed.withState { _ in !rest.isEmpty } }

  /// Moves bytes out and returns how many; 0 for nothing by now.
  ///
  /// On the connection's thread, under the stream's lock.
  func read(into target: UnsafeMutableRawPointer, atMost limit: Int) -> Int {
    feed.withState { $0.fill(self, target, limit) }
  }

  /// True when nothing more will come.
  var isOver: Bool { feed.withState { _ in isEnding && rest.isEmpty } }

  func completed(delivered: Bool) {
    feed.remove(self)
    claim = nil
  }
}
