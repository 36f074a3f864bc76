import Leasehold

/// The frames that a follower may still want, and the followers.
struct EventWindow {
  /// The number of frames that are kept.
  let capacity: Int
  var epoch: UInt64 = 0
  var frames: [EventFrame] = []
  /// The number of the first frame.
  var first: UInt64 = 1
  var subscribers: [(subscriber: EventSubscriber, stream: StreamBody)] = []
  /// Whose turn is next.
  var turn = 0
  var isRunning = false
  var isStopping = false
  /// The number of followers that were dropped because they did not read.
  var dropped = 0

  /// The number of the next event.
  var next: UInt64 { first + UInt64(frames.count) }

  /// Adds what happened; forgets what is too old.
  mutating func append(_ fresh: [EventFrame], from number: UInt64) {
    if number != next {
      frames = []
      first = number
    }
    frames.append(contentsOf: fresh)
    // Frames go in large pieces, because each removal moves all that stay.
    guard frames.count > capacity + capacity / 4 else { return }
    let surplus = frames.count - capacity
    frames.removeFirst(surplus)
    first += UInt64(surplus)
  }

  /// Moves a subscriber to the first event that it wants; false when there is none.
  func hasNews(_ subscriber: EventSubscriber) -> Bool {
    if !subscriber.rest.isEmpty || subscriber.cursor < first { return true }
    while subscriber.cursor < next {
      if subscriber.filter.matches(frames[Int(subscriber.cursor - first)]) { return true }
      subscriber.cursor += 1
    }
    return false
  }

  /// Writes what a subscriber gets, whole events as long as they fit.
  func fill(_ subscriber: EventSubscriber, _ target: UnsafeMutableRawPointer, _ limit: Int) -> Int {
    var count = 0
    subscriber.hasBegun = true
    if subscriber.cursor < first, subscriber.rest.isEmpty {
      subscriber.rest =
        EventFrame.gap(missed: first - subscriber.cursor, reason: "too-slow", before: first, epoch: epoch)[...]
      subscriber.cursor = first
    }
    count += subscriber.rest.move(into: target, atMost: limit)
    // A follower that the window has gone past reads its prelude, and at the next read the word about the gap.
    guard subscriber.cursor >= first else { return count }
    while subscriber.rest.isEmpty, !subscriber.isEnding, subscriber.credit > 0, subscriber.cursor < next {
      if let last = subscriber.last, subscriber.cursor >= last { break }
      let frame = frames[Int(subscriber.cursor - first)]
      if subscriber.filter.matches(frame) {
        guard count == 0 || frame.bytes.count <= limit - count else { return count }
        subscriber.rest = frame.bytes[...]
        count += subscriber.rest.move(into: target + count, atMost: limit - count)
        subscriber.credit -= frame.bytes.count
        if let left = subscriber.left {
          subscriber.left = left - 1
          if left == 1 { subscriber.isEnding = true }
        }
      }
      subscriber.cursor += 1
    }
    if let last = subscriber.last, subscriber.cursor >= last { subscriber.isEnding = true }
    subscriber.isWaiting = count == 0
    return count
  }
}
