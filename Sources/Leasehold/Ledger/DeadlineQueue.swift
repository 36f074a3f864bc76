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
    precondition(element.queuePosition < 0, "there is one deadline each")
    entries.append(Entry(key: element.due, element: element))
    element.queuePosition = entries.count - 1
    siftUp(entries.count - 1)
  }

  /// Takes an element out; nothing happens when it is in no queue.
  mutating func remove(_ element: Element) {
    let position = element.queuePosition
    guard position >= 0 else { return }
    precondition(entries[position].element === element, "a deadline knows its place")
    element.queuePosition = -1
    let last = entries.removeLast()
    guard position < entries.count else { return }
    entries[position] = last
    siftUp(position)
    siftDown(position)
  }

  /// Says that an element's deadline moved.
  mutating func moved(_ element: Element) {
    let position = element.queuePosition
    guard position >= 0, element.due < entries[position].key else { return }
    precondition(entries[position].element === element, "a deadline knows its place")
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

  /// Moves an entry up as far as it belongs.
  ///
  /// What is in its way moves into the hole that it leaves, so that nothing is retained.
  private mutating func siftUp(_ start: Int) {
    entries.withUnsafeMutableBufferPointer { entries in
      guard let base = entries.baseAddress else { return }
      let entry = (base + start).move()
      var hole = start
      while hole > 0 {
        let parent = (hole - 1) / 4
        guard entry.key < base[parent].key else { break }
        Self.move(parent, to: hole, in: base)
        hole = parent
      }
      Self.place(entry, at: hole, in: base)
    }
  }

  private mutating func siftDown(_ start: Int) {
    entries.withUnsafeMutableBufferPointer { entries in
      guard let base = entries.baseAddress else { return }
      let entry = (base + start).move()
      var hole = start
      while true {
        let first = hole * 4 + 1
        guard first < entries.count else { break }
        var best = first
        for child in first..<Swift.min(first + 4, entries.count) where base[child].key < base[best].key {
          best = child
        }
        guard base[best].key < entry.key else { break }
        Self.move(best, to: hole, in: base)
        hole = best
      }
      Self.place(entry, at: hole, in: base)
    }
  }

  private static func move(_ position: Int, to hole: Int, in base: UnsafeMutablePointer<Entry>) {
    (base + hole).moveInitialize(from: base + position, count: 1)
    base[hole].element.queuePosition = hole
  }

  private static func place(_ entry: consuming Entry, at hole: Int, in base: UnsafeMutablePointer<Entry>) {
    entry.element.queuePosition = hole
    (base + hole).initialize(to: entry)
  }
}
