/// The names of a lock's slots, each at a place of its own; a lease's slots are a bit for each place.
///
/// A name that a lease has keeps its place when the names change, so no lease's slots change their names.
struct SlotTable: Equatable {
  /// By their places; empty where there is none.
  private(set) var names: [String] = []
  /// The places whose names are the lock's now; the others are those of leases that had them before.
  private(set) var current: UInt64 = 0

  /// A table without names.
  init() {}

  /// Names for a lock, beside what leases have of the table before; `nil` where there are too many of both.
  init?(_ asked: [String], after old: SlotTable, held: UInt64) {
    names = old.names
    for place in names.indices where held >> UInt64(place) & 1 == 0 { names[place] = "" }
    for name in asked {
      if let known = names.firstIndex(of: name) {
        current |= 1 << UInt64(known)
        continue
      }
      let place = names.firstIndex { $0.isEmpty } ?? names.count
      guard place < SlotNames.namesMax else { return nil }
      if place == names.count { names.append(name) } else { names[place] = name }
      current |= 1 << UInt64(place)
    }
  }

  /// The table that a record has; `nil` where it is none.
  init?(text: String, current: UInt64) {
    names = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    guard (1...SlotNames.namesMax).contains(names.count), names.allSatisfy({ $0.isEmpty || SlotNames.isValid($0) }),
      names.count == 64 || current >> UInt64(names.count) == 0
    else { return nil }
    self.current = current
    let used = names.filter { !$0.isEmpty }
    guard Set(used).count == used.count, list(current).allSatisfy({ !$0.isEmpty }) else { return nil }
  }

  /// The table as its record has it.
  var text: String { names.joined(separator: ",") }

  /// The number of names that the lock has now.
  var count: Int { current.nonzeroBitCount }

  /// The names of the lock now, in the order of their places.
  var all: [String] { list(current) }

  /// The names of some places.
  func list(_ places: UInt64) -> [String] {
    names.indices.lazy.filter { places >> UInt64($0) & 1 == 1 }.map { names[$0] }
  }

  /// The places of names that the lock has now; `nil` where it lacks one.
  func places(of wanted: [String]) -> UInt64? {
    var places: UInt64 = 0
    for name in wanted {
      guard let place = names.firstIndex(of: name), current >> UInt64(place) & 1 == 1 else { return nil }
      places |= 1 << UInt64(place)
    }
    return places
  }

  /// Returns true when a caller means these very names, in whatever order.
  func means(_ asked: [String]) -> Bool { asked.count == count && Set(asked) == Set(all) }
}

// A lock whose slots have names.
extension Lock {
  /// The names, of a lock that has some.
  var slots: SlotTable? { terms.flatMap { $0.slots.current == 0 ? nil : $0.slots } }

  /// The places that leases have.
  var heldSlots: UInt64 { holders.reduce(0) { $0 | $1.slots } }

  /// Returns true when a share may be had, by what the ledger knows.
  @inline(__always)
  func hasRoom(for share: Share) -> Bool { hasRoom(for: share.units) && (terms == nil || hasSlots(for: share)) }

  /// Returns true when the names are free that a share wants, and enough others, besides those that are kept.
  @inline(never)
  func hasSlots(for share: Share, beside kept: UInt64 = 0) -> Bool {
    guard let slots else { return true }
    let free = slots.current & ~heldSlots & ~kept
    return share.slots & ~free == 0 && free.nonzeroBitCount >= share.units
  }

  /// The slots of a lease to be: those that it wants, and the first others that are free.
  ///
  /// 0 on a lock without names.
  @inline(never)
  func choose(_ share: Share, beside kept: UInt64) -> UInt64 {
    guard let slots else { return 0 }
    var chosen = share.slots
    var free = slots.current & ~heldSlots & ~kept & ~chosen
    while chosen.nonzeroBitCount < share.units, free != 0 {
      chosen |= free & (~free + 1)
      free &= free - 1
    }
    return chosen
  }

  /// The share that a request takes, with the names that it wants.
  @inline(__always)
  func share(of request: AcquireRequest) -> Share {
    var share = share(request.mode, count: request.count)
    if let wanted = request.want.slots?.wanted, let places = slots?.places(of: wanted) { share.slots = places }
    return share
  }

  /// The slots that are kept for those who wait; `nil` where a waiter wants more than certain names.
  func keptSlots() -> UInt64? {
    var kept: UInt64 = 0
    for waiter in queue {
      guard waiter.waitsForNames else { return nil }
      kept |= waiter.share.slots
    }
    return kept
  }
}

extension Waiter {
  /// True when it wants nothing but slots that it names: waiters that want others may pass it.
  var waitsForNames: Bool { group == nil && converting == nil && share.slots.nonzeroBitCount == share.units }
}
