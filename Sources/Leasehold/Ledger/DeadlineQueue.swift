/// Something that ends at an instant and stands in at most one queue of deadlines.
protocol Deadlined: AnyObject {
  /// Nanoseconds of CLOCK_MONOTONIC.
  var due: Int64 { get }
  /// Where it stands in its queue; -1 when in none.
  var queuePosition: Int { get set }
}

/// A 4-ary heap with the earliest deadline on top.
///
/// A deadline that moves later costs nothing: the entry keeps its old place and is put right when it comes up. That is
/// what a renewal does, and renewals are the most frequent change.
struct DeadlineQueue<Element: Deadlined> {
  private struct Entry {
    var key: Int64
    var element: Element
  }

  private var entries: [Entry] = []

  var count: Int { entries.count }
  var isEmpty: Bool { entries.isEmpty }

  /// The earliest key: no deadline is earlier, the true one may be later.
  var nextDue: Int64? { entries.first?.key }

  /// Adds an element.
  mutating func insert(_ element: Element) {
    entries.append(Entry(key: element.due, element: element))
    element.queuePosition = entries.count - 1
    siftUp(entries.count - 1)
  }

  /// Takes an element out; nothing happens when it is in no queue.
  mutating func remove(_ element: Element) {
    let position = element.queuePosition
    guard position >= 0 else { return }
    element.queuePosition = -1
    let last = entries.removeLast()
    guard position < entries.count else { return }
    place(last, at: position)
    siftUp(position)
    siftDown(position)
  }

  /// Says that an element's deadline moved.
  mutating func moved(_ element: Element) {
    let position = element.queuePosition
    guard position >= 0, element.due < entries[position].key else { return }
    entries[position].key = element.due
    siftUp(position)
  }

  /// Takes out and answers an element that is due at `now`; `nil` when none is.
  mutating func popDue(at now: Int64) -> Element? {
    while let top = entries.first, top.key <= now {
      let due = top.element.due
      guard due > top.key else {
        remove(top.element)
        return top.element
      }
      // It moved later: even if it is due as well, others may be due before it.
      entries[0].key = due
      siftDown(0)
    }
    return nil
  }

  private mutating func place(_ entry: Entry, at position: Int) {
    entries[position] = entry
    entry.element.queuePosition = position
  }

  private mutating func siftUp(_ start: Int) {
    let entry = entries[start]
    var position = start
    while position > 0 {
      let parent = (position - 1) / 4
      guard entry.key < entries[parent].key else { break }
      place(entries[parent], at: position)
      position = parent
    }
    place(entry, at: position)
  }

  private mutating func siftDown(_ start: Int) {
    let entry = entries[start]
    var position = start
    while true {
      let first = position * 4 + 1
      guard first < entries.count else { break }
      var best = first
      for child in first..<Swift.min(first + 4, entries.count) where entries[child].key < entries[best].key {
        best = child
      }
      guard entries[best].key < entry.key else { break }
      place(entries[best], at: position)
      position = best
    }
    place(entry, at: position)
  }
}
