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
final class EventSubscriber: StreamSource, @unchecked Sendable {
  let filter: EventFilter
  private let feed: EventFeed
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

  init(_ feed: EventFeed, _ filter: EventFilter, from cursor: UInt64, prelude: [UInt8]) {
    self.feed = feed
    self.filter = filter
    self.cursor = cursor
    rest = prelude[...]
  }

  var isMidway: Bool { feed.withState { _ in !rest.isEmpty } }

  func read(into target: UnsafeMutableRawPointer, atMost limit: Int) -> Int {
    feed.withState { $0.fill(self, target, limit) }
  }

  var isOver: Bool { feed.withState { _ in isEnding && rest.isEmpty } }
}

/// The part of its stream of events that an exchange keeps.
final class EventSession: PendingRequest {
  let feed: EventFeed
  let subscriber: EventSubscriber
  private var claim: CallerClaim?

  init(_ feed: EventFeed, _ subscriber: EventSubscriber, _ claim: CallerClaim?) {
    self.claim = claim
    self.feed = feed
    self.subscriber = subscriber
  }

  func completed(delivered: Bool) {
    feed.remove(subscriber)
    claim = nil
  }
}
