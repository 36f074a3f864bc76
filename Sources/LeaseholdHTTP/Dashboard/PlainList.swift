import Leasehold

/// The table of locks as the page has it without a script.
struct PlainList {
  /// The choice that the query makes; the script reads the same from the page's address.
  struct Choice {
    enum Order: String, CaseIterable { case wait, waiters, age, name }
    enum State: String, CaseIterable { case waited, held, free, cooling, damaged, native }

    private(set) var order = Order.wait
    private(set) var state: State?
    private(set) var names: Pattern?
    private(set) var owners: Pattern?

    /// - Throws: `invalid-parameter`.
    init(_ call: borrowing Call) throws(LeaseholdError) {
      let words = (Order.allCases.map(\.rawValue), State.allCases.map(\.rawValue))
      order = try call.word(.sort, words.0).flatMap(Order.init) ?? .wait
      state = try call.word(.state, words.1).flatMap(State.init)
      names = try Pattern(call, .q)
      owners = try Pattern(call, .owner)
    }
  }

  /// A pattern matches the whole of a text when it has a star, else a part of it; large letters are as small ones.
  struct Pattern {
    private let parts: [[UInt8]]

    fileprivate init?(_ call: borrowing Call, _ parameter: Parameter) throws(LeaseholdError) {
      guard let text = call.arguments[parameter], !text.isEmpty else { return nil }
      guard text.utf8.count <= LockKey.bytesMax else {
        throw .outOfRange(parameter, text, bytes: 0...LockKey.bytesMax)
      }
      self.init(text)
    }

    init(_ text: String) {
      let parts = text.lowercased().utf8.split(separator: UInt8(ascii: "*"), omittingEmptySubsequences: false)
      self.parts = parts.count == 1 ? [[], Array(parts[0]), []] : parts.map(Array.init)
    }

    /// - Complexity: O(the text times the parts): each part is looked for once, as far in front as it is.
    func matches(_ text: String) -> Bool {
      var rest = Array(text.lowercased().utf8)[...]
      guard rest.starts(with: parts[0]) else { return false }
      rest = rest.dropFirst(parts[0].count)
      for part in parts.dropFirst().dropLast() where !part.isEmpty {
        guard let found = rest.firstRange(of: part) else { return false }
        rest = rest[found.upperBound...]
      }
      let end = parts[parts.count - 1]
      return rest.count >= end.count && rest.suffix(end.count).elementsEqual(end)
    }
  }

  private struct Row {
    let lock: LockSnapshot
    let holders: [LeaseSnapshot]
    /// When the oldest of its holders got it.
    let since: MonotonicInstant?
  }

  private let rows: [Row]
  private let isCut: Bool
  private let now: MonotonicInstant

  init(_ page: Page<LockSnapshot>, _ leases: [LeaseSnapshot], now: MonotonicInstant) {
    var holders: [LockKey: [LeaseSnapshot]] = [:]
    for lease in leases {
      for key in lease.parts.isEmpty ? [lease.key] : lease.parts.map(\.key) { holders[key, default: []].append(lease) }
    }
    rows = page.entries.map { lock in
      let held = lock.holderCount > 0 ? holders[lock.key] ?? [] : []
      return Row(lock: lock, holders: held, since: held.map(\.grantedAt).min())
    }
    isCut = page.nextCursor != nil
    self.now = now
  }

  func html(_ choice: Choice) -> HTML {
    guard !rows.isEmpty else { return "<p>No locks are known now.</p>" }
    var html: HTML = """
      <p>Sorted by: <a href="/">longest wait</a>, <a href="/?sort=waiters">waiters</a>, <a href="/?sort=age">age</a>, \
      <a href="/?sort=name">name</a>. Show: <a href="/?state=waited">waited for</a>, <a href="/?state=held">held</a>, \
      <a href="/?state=damaged">damaged</a>.</p>
      <div class="scroll plain-list" tabindex="0" role="group" aria-label="Locks"><table><caption>Locks</caption>\
      <thead><tr><th scope="col">Lock</th><th scope="col">Use</th><th scope="col">Held by</th>\
      <th scope="col">Held for</th><th scope="col">Wait</th><th scope="col">Longest wait</th></tr></thead><tbody>
      """
    for row in rows.filter({ isChosen($0, choice) }).sorted(by: { rank($0, choice.order) < rank($1, choice.order) }) {
      html += self.html(row)
    }
    html += "</tbody></table></div>"
    if isCut { html += "<p>There are more: see /locks.</p>" }
    return html
  }

  private func html(_ row: Row) -> HTML {
    let lock = row.lock
    let holder: HTML = row.holders.first.map { "\(who: $0.owner, at: $0.peer)" } ?? ""
    let more = lock.holderCount - min(1, row.holders.count)
    return """

      <tr><th scope="row">\(lock.link)</th>\(cell: "\(lock.stateInWords), \(lock.slotsInWords)")\
      <td>\(holder)\(more > 0 ? " +\(more)" : "")\(lock.isNative ? " native program" : "")</td>\
      \(cell: row.since.map { (now - $0).inWords } ?? "–")\(cell: "\(lock.waiterCount)")\
      \(cell: lock.firstCame.map { (now - $0).inWords } ?? "–")</tr>
      """
  }

  private func isChosen(_ row: Row, _ choice: Choice) -> Bool {
    let lock = row.lock
    let isInState =
      switch choice.state {
      case nil: true
      case .waited?: lock.waiterCount > 0
      case .held?: lock.holderCount > 0 || lock.isNative
      case .free?: lock.holderCount == 0 && lock.coolingCount == 0 && !lock.isNative
      case .cooling?: lock.coolingCount > 0
      case .damaged?: lock.isDamaged
      case .native?: lock.isNative
      }
    guard isInState, choice.names.map({ $0.matches(lock.key.text) }) ?? true else { return false }
    guard let owners = choice.owners else { return true }
    return row.holders.contains { $0.owner.map(owners.matches) ?? false }
  }

  /// Contended locks first: by the longest wait, then waiters, age and name, or beginning with another of these.
  private func rank(_ row: Row, _ order: Choice.Order) -> (Int64, Int64, Int64, String) {
    let wait = row.lock.firstCame?.nanoseconds ?? .max
    let waiters = -Int64(row.lock.waiterCount)
    let age = row.since?.nanoseconds ?? .max
    return switch order {
    case .wait: (wait, waiters, age, row.lock.key.text)
    case .waiters: (waiters, wait, age, row.lock.key.text)
    case .age: (age, wait, waiters, row.lock.key.text)
    case .name: (0, 0, 0, row.lock.key.text)
    }
  }
}
