internal import ArgumentParser
internal import Glibc
internal import LeaseholdClient
internal import LeaseholdHost
internal import SysVTypes

/// The options of every command that asks the service.
struct AskOptions: ParsableArguments {
  @Flag(help: "Print the service's JSON; docs/cli-json.md lists its members.")
  var json = false

  @OptionGroup var service: ServiceOptions

  /// Sends a request; prints the answer's JSON, or what the body makes of it.
  ///
  /// - Parameter isWaiting: Whether the answer may take long.
  @discardableResult
  func show(_ request: Request, isWaiting: Bool = false, _ text: (JSON) -> String) throws -> JSON {
    let connection = LeaseholdConnection(try service.endpoint())
    let response = try WaitWatch.during(connection, isNeeded: isWaiting, key: nil, quiet: true) {
      _ throws(ClientError) in
      try connection.send(request).checked()
    }
    show(response, text)
    return response.json
  }

  func show(_ response: Response, _ text: (JSON) -> String) {
    if json { Output.writeJSON(response.body) } else { Output.write(text(response.json)) }
  }

  /// Asks for all pages of a list; prints each as one line of JSON, or a table of all.
  func showList(_ request: Request, _ member: String, _ table: ([JSON]) -> Table) throws {
    let connection = LeaseholdConnection(try service.endpoint())
    let entries = try connection.entries(of: request, member) { if json { Output.writeJSON($0.body) } }
    if !json { Output.write(table(entries).text) }
  }

  /// Asks for a sign of life.
  func probe(_ path: String) throws {
    try show(Request("GET", [path]).within(.seconds(5))) { $0["status"].string ?? "ok" }
  }
}

extension LeaseholdConnection {
  /// Asks for all pages of a list; each answer goes to `body` as it comes.
  func entries(
    of request: Request, _ member: String, _ body: (Response) -> Void = { _ in }
  ) throws(ClientError) -> [JSON] {
    var entries: [JSON] = []
    var cursor: String?
    repeat {
      let answer = try send(request.page(behind: cursor)).checked()
      body(answer)
      let json = answer.json
      entries += json[member].elements
      cursor = json["next_cursor"].string
    } while cursor != nil
    return entries
  }
}

/// Standard output, and what is said beside it.
enum Output {
  /// Writes text at once, with a final newline unless it is empty or has one.
  static func write(_ text: String) {
    LogSink(descriptor: STDOUT_FILENO).write(text.isEmpty || text.hasSuffix("\n") ? text : text + "\n")
  }

  /// Writes JSON; what would not show in its texts is escaped.
  static func writeJSON(_ bytes: [UInt8]) {
    write(VisibleText.ofJSON(String(decoding: bytes, as: UTF8.self)))
  }

  /// Writes a line on standard error.
  static func complain(_ text: String) {
    LogSink.standardError.write("leasehold: \(VisibleText.of(text))\n")
  }
}

/// Columns of text under their names.
struct Table {
  private var head: [String]
  private(set) var rows: [[String]] = []

  init(_ head: String...) { self.head = head }

  /// A row for each entry.
  init(_ entries: [JSON], _ columns: (head: String, cell: KeyPath<JSON, String?>)...) {
    head = columns.map(\.head)
    rows = entries.map { entry in columns.map { VisibleText.of(entry[keyPath: $0.cell] ?? "-") } }
  }

  private var widths: [Int] {
    head.indices.map { column in rows.reduce(head[column].count) { max($0, $1[column].count) } }
  }

  /// Leaves columns out, in this order, until there is room for the two that may be cut, and cuts those.
  mutating func fit(_ columns: Int, shrinking long: (String, String), dropping: [String]) {
    let enough = (first: 16, second: 8)
    var leftOut = dropping[...]
    while let first = head.firstIndex(of: long.0), let second = head.firstIndex(of: long.1) {
      let widths = widths
      let space = columns - 2 * (head.count - 1) - (widths.reduce(0, +) - widths[first] - widths[second])
      let wanted = min(widths[first], enough.first) + min(widths[second], enough.second)
      if space < wanted, let name = leftOut.popFirst() {
        if let column = head.firstIndex(of: name) { remove(column) }
        continue
      }
      let widthMax = min(widths[second], max(enough.second, space - widths[first], space / 3))
      cut(second, to: widthMax)
      cut(first, to: max(4, space - widthMax))
      return
    }
  }

  /// Leaves columns out in which no row has anything.
  mutating func dropEmpty(_ names: String...) {
    for name in names {
      guard let column = head.firstIndex(of: name), rows.allSatisfy({ $0[column] == "-" }) else { continue }
      remove(column)
    }
  }

  private mutating func remove(_ column: Int) {
    head.remove(at: column)
    for row in rows.indices { rows[row].remove(at: column) }
  }

  private mutating func cut(_ column: Int, to width: Int) {
    for row in rows.indices { rows[row][column] = Self.cut(rows[row][column], to: width) }
  }

  /// A text that is at most so wide: what is cut is its middle, as names differ at their ends.
  static func cut(_ text: String, to width: Int) -> String {
    guard text.count > width, width > 0 else { return text }
    return text.prefix(width / 2) + "…" + text.suffix(width - 1 - width / 2)
  }

  /// Adds a row; a cell is text of others.
  mutating func add(_ cells: String?...) {
    rows.append(cells.map { VisibleText.of($0 ?? "-") })
  }

  /// The lines; of a table without rows, its head alone.
  var text: String {
    let all = [head] + rows
    let widths = widths
    return all.map { row in
      let cells = zip(row, widths).map { cell, width in cell + String(repeating: " ", count: width - cell.count) }
      let line = cells.joined(separator: "  ")
      return String(line.reversed().drop { $0 == " " }.reversed()) + "\n"
    }.joined()
  }
}

extension JSON {
  /// A number or a text as a cell; `nil` for null and the rest.
  var cell: String? {
    switch self {
    case .number(let digits): digits
    case .string(let text): text
    case .bool(let flag): flag ? "yes" : "no"
    default: nil
    }
  }

  /// The words of a list as a cell; `nil` where there is none.
  var wordsCell: String? {
    let words = elements.compactMap(\.cell)
    return words.isEmpty ? nil : words.joined(separator: " ")
  }

  /// A number of milliseconds as a cell.
  var durationCell: String? { int.map { AgeText.text(milliseconds: $0) } }

  /// The time since an instant like `2026-11-22T20:36:58.012Z`.
  var ageCell: String? {
    guard let text = string, let instant = Instant.milliseconds(text) else { return nil }
    return AgeText.text(milliseconds: max(0, HostClock.wall() / 1_000_000 - instant))
  }

  /// A key of System V as `ipcs` writes it.
  var keyCell: String? {
    int.map { IPCKey(rawValue: Int32(truncatingIfNeeded: $0)).hexadecimal }
  }
}

/// Instants on the wire.
enum Instant {
  /// Milliseconds since 1970 of RFC 3339 text in UTC; `nil` for anything else.
  static func milliseconds(_ text: String) -> Int64? {
    let numbers = text.split { !$0.isASCIIDigit }.compactMap { Int32($0) }
    guard numbers.count == 7, text.hasSuffix("Z") else { return nil }
    var time = tm()
    (time.tm_year, time.tm_mon, time.tm_mday) = (numbers[0] - 1900, numbers[1] - 1, numbers[2])
    (time.tm_hour, time.tm_min, time.tm_sec) = (numbers[3], numbers[4], numbers[5])
    return Int64(timegm(&time)) * 1000 + Int64(numbers[6])
  }
}
