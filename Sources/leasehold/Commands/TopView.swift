internal import LeaseholdClient

/// The view of the locks that a person wants, as keys change it.
struct TopView: Equatable {
  /// The order of the locks.
  enum Order: String, CaseIterable {
    /// Those first that most wait for.
    case waiting
    /// Those first that most hold.
    case held
    case name
  }

  private(set) var order = Order.waiting
  /// Only locks with this in their names or in their owners' are shown.
  private(set) var filter = ""
  /// True when keys are the filter's.
  private(set) var isTyping = false

  /// Takes a key; says whether there is more to see.
  mutating func take(_ key: UInt8) -> Bool {
    switch (key, isTyping) {
    // Ctrl-C, which stops nothing here by itself.
    case (3, _), (UInt8(ascii: "q"), false): return false
    case (0x1b, _): (filter, isTyping) = ("", false)
    case (UInt8(ascii: "\r"), true), (UInt8(ascii: "\n"), true): isTyping = false
    case (0x08, true), (0x7f, true): _ = filter.popLast()
    case (0x20...0x7e, true): filter.unicodeScalars.append(Unicode.Scalar(key))
    case (UInt8(ascii: "/"), false): isTyping = true
    case (UInt8(ascii: "s"), false):
      let all = Order.allCases
      order = all[((all.firstIndex(of: order) ?? 0) + 1) % all.count]
    default: break
    }
    return true
  }

  /// A line that says what the keys do, and have done.
  var line: String {
    let shown = filter.isEmpty && !isTyping ? "/ filters" : "/\(filter)\(isTyping ? "_" : "  Esc: all")"
    return "by \(order.rawValue), s sorts  \(shown)  q quits"
  }

  /// The locks to be shown, in order, each with its leases.
  func chosen(_ locks: [JSON], leases: [JSON]) -> [(lock: JSON, leases: [JSON])] {
    var holders: [String: [JSON]] = [:]
    for lease in leases {
      // A lease of several holds each of them.
      let keys = Set(lease["locks"].elements.compactMap(\.string) + [lease["key"].string ?? ""])
      for key in keys { holders[key, default: []].append(lease) }
    }
    let all = locks.map { (lock: $0, leases: holders[$0["key"].string ?? ""] ?? []) }
    return all.filter { isWanted($0.lock, $0.leases) }.sorted { isBefore($0.lock, $1.lock) }
  }

  private func isWanted(_ lock: JSON, _ leases: [JSON]) -> Bool {
    let wanted = filter.lowercased()
    guard !wanted.isEmpty else { return true }
    let names = [lock["key"].string] + leases.map { $0["owner"].string }
    return names.contains { $0?.lowercased().contains(wanted) ?? false }
  }

  private func isBefore(_ one: JSON, _ other: JSON) -> Bool {
    func rank(_ lock: JSON) -> (Int64, Int64) {
      let (waiting, held) = (lock["waiting"].int ?? 0, lock["held"].int ?? 0)
      return order == .waiting ? (waiting, held) : order == .held ? (held, waiting) : (0, 0)
    }
    return rank(one) != rank(other) ? rank(one) > rank(other) : (one["key"].string ?? "") < (other["key"].string ?? "")
  }
}
