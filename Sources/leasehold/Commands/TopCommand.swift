internal import ArgumentParser
internal import Glibc
internal import LeaseholdClient
internal import LeaseholdHost

/// `leasehold top`: the locks as they are now, again and again.
struct TopCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "top", abstract: "Show locks, holders and waiters, each second anew; q quits.",
    discussion: """
      s sorts by waiters, by holders or by name. / filters by a part of a lock's or an owner's name; Enter ends \
      typing, Esc shows all. If standard output is no terminal, it prints once and ends.
      """)

  @Option(help: ArgumentHelp("Time between two looks.", valueName: "time"))
  var interval = "1s"

  @OptionGroup var service: ServiceOptions

  func validate() throws {
    guard try LockOptions.duration(interval, of: "--interval") >= .milliseconds(100) else {
      throw ValidationError("--interval must be 100ms or more")
    }
  }

  func run() throws {
    let connection = LeaseholdConnection(try service.endpoint())
    guard isatty(STDOUT_FILENO) == 1 else {
      Output.write(try Self.look(connection, rows: .max).joined(separator: "\n"))
      return
    }
    let pause = try LockOptions.duration(interval, of: "--interval").wholeNanoseconds
    let screen = Screen()
    defer { screen.restore() }
    var view = TopView()
    while true {
      let lines: [String]
      do {
        lines = try Self.look(connection, view, rows: screen.rows, columns: screen.columns)
      } catch {
        lines = [VisibleText.of("leasehold: \(Failure(error).message)")]
      }
      screen.show(lines)
      guard screen.keys(within: Int32(clamping: pause / 1_000_000)).allSatisfy({ view.take($0) }) else { return }
    }
  }

  /// The lines of one look: a summary, then each lease, the busiest locks first.
  private static func look(
    _ connection: LeaseholdConnection, _ view: TopView? = nil, rows: Int, columns: Int? = nil
  ) throws(ClientError) -> [String] {
    func get(_ path: String, _ query: [(String, String)] = []) throws(ClientError) -> Response {
      try connection.send(Request("GET", [path], query: query).within(.seconds(5)))
    }
    let ready = try get("readyz").json
    let locks = try get("locks", [("limit", "1000")]).checked().json["locks"].elements
    let leases = try get("leases", [("limit", "1000")]).checked().json["leases"].elements
    let address = connection.endpoint.address
    return lines(ready: ready, locks: locks, leases: leases, address: address, view: view, rows: rows, columns: columns)
  }

  /// The lines that a look shows.
  ///
  /// - Parameters:
  ///   - view: The user's choices; `nil` where none can be made.
  ///   - columns: What the table must fit into; `nil`: no matter.
  static func lines(
    ready: JSON, locks: [JSON], leases: [JSON], address: ServiceAddress, view: TopView? = nil, rows: Int,
    columns: Int? = nil
  ) -> [String] {
    let waiting = locks.reduce(Int64(0)) { $0 + ($1["waiting"].int ?? 0) }
    let head =
      "leasehold \(ready["status"].cell ?? "?")  locks \(locks.count)  leases \(leases.count)  waiting \(waiting)"
      + "  \(address)"
    var table = Table(
      "LOCK", "HELD", "FREE", "WAITING", "NATIVE", "SLOTS", "OWNER", "PID", "SINCE", "CPU", "LEFT", "TTL", "NOTE")
    for (lock, held) in (view ?? TopView()).chosen(locks, leases: leases) {
      for (index, lease) in (held.isEmpty ? [.null] : held).enumerated() {
        let isFirst = index == 0
        table.add(
          isFirst ? lock["key"].cell : "", isFirst ? lock["held"].cell : "", isFirst ? lock["available"].cell : "",
          isFirst ? lock["waiting"].cell : "", isFirst ? lock["native_held"].cell : "", lease["slots"].wordsCell,
          lease["owner"].cell,
          lease["pid"].cell, lease["since"].ageCell, lease["cpu_ms"].durationCell,
          lease["expires_in_ms"].durationCell, lease["ttl_ms"].durationCell, lease["note"].cell)
      }
    }
    table.dropEmpty("SLOTS", "CPU", "NOTE")
    if let columns {
      table.fit(
        columns, shrinking: ("LOCK", "OWNER"),
        dropping: ["PID", "TTL", "NATIVE", "NOTE", "SLOTS", "SINCE", "FREE", "HELD"])
    }
    let lines = [head, VisibleText.of(view?.line ?? "")] + table.text.split(separator: "\n").map(String.init)
    guard lines.count > rows else { return lines }
    return lines.prefix(max(rows - 1, 1)) + ["... \(lines.count - rows + 1) more"]
  }
}

/// The whole terminal, with keys read one by one; given back as it was.
final class Screen {
  private var before = termios()
  private let readsKeys: Bool

  init() {
    readsKeys = isatty(STDIN_FILENO) == 1 && tcgetattr(STDIN_FILENO, &before) == 0
    if readsKeys {
      var raw = before
      raw.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG)
      tcsetattr(STDIN_FILENO, TCSANOW, &raw)
    }
    // Whatever ends us must not leave a screen behind that a shell cannot use.
    ScreenKeeper.keep(readsKeys ? before : nil, text: Self.giveBack)
    // The second screen, without a cursor.
    Output.write("\u{1b}[?1049h\u{1b}[?25l")
  }

  private static let giveBack = "\u{1b}[?25h\u{1b}[?1049l\n"

  /// Gives the terminal back.
  func restore() {
    if readsKeys { tcsetattr(STDIN_FILENO, TCSANOW, &before) }
    Output.write(Self.giveBack)
  }

  private var size: winsize { Self.size(of: STDOUT_FILENO) }

  /// The size of a terminal; zeros where that is not known.
  static func size(of descriptor: Int32) -> winsize {
    var size = winsize()
    return ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 ? size : winsize()
  }

  /// Lines that fit; 24 where that is not known.
  var rows: Int { size.ws_row > 1 ? Int(size.ws_row) : 24 }

  /// Characters of a line; 80 where that is not known.
  var columns: Int { size.ws_col > 0 ? Int(size.ws_col) : 80 }

  /// Writes the lines over what was there.
  func show(_ lines: [String]) {
    let columns = columns
    let text = lines.prefix(rows).map { String($0.prefix(columns)) + "\u{1b}[K" }.joined(separator: "\r\n")
    LogSink(descriptor: STDOUT_FILENO).write("\u{1b}[H" + text + "\u{1b}[J")
  }

  /// Waits for the next look, or until keys come, and says which; Ctrl-C at the end of input.
  func keys(within milliseconds: Int32) -> [UInt8] {
    guard readsKeys else {
      poll(nil, 0, milliseconds)
      return []
    }
    var entry = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
    guard poll(&entry, 1, milliseconds) > 0 else { return [] }
    var keys = [UInt8](repeating: 0, count: 64)
    let count = read(STDIN_FILENO, &keys, keys.count)
    return count > 0 ? Array(keys[..<count]) : [3]
  }
}
