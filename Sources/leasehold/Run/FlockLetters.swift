/// Options as flock(1) takes them, for the commands that take locks.
///
/// Single letters may stand together, and the last may have its value joined or behind it: `-sw10`, `-w 10`. The parser
/// knows that of flags alone, so each word of letters becomes long options before it is asked. For `run` this also
/// finds where the command begins; its words stay as they are, as they need not be UTF-8.
struct FlockLetters {
  /// The meaning of a letter, or of a long option of flock's.
  private enum Meaning {
    case flag(String)
    case value(String)
    /// The command, as one text for the shell.
    case script
    /// Always so: nothing is to be done.
    case granted
    /// Why it is not taken.
    case refused(String)
  }

  private static let letters: [Character: Meaning] = [
    "s": .flag("shared"), "x": .flag("exclusive"), "e": .flag("exclusive"), "q": .flag("quiet"), "F": .flag("exec"),
    "n": .flag("no-wait"), "w": .value("wait"), "j": .value("slots"), "E": .value("conflict-exit-code"), "o": .granted,
    "c": .script,
    "u": .refused(
      "-u: there is nothing to unlock: `run` gives its lock back when the command ends, and `leasehold release LEASE` "
        + "what `acquire` has taken"),
  ]

  private static let longNames: [String: Meaning] = [
    "--close": .granted,
    "--command": .script,
    "--unlock": letters["u"] ?? .granted,
    "--fcntl": .refused("--fcntl: the lock is the service's, not a file's, so there are no two ways to lock it"),
  ]

  /// The long options of `run`, and of all that are read without the parser, whose value may be the next word.
  static let valued: Set<String> = [
    "--wait", "--timeout", "--slots", "--limit", "--ttl", "--owner", "--label", "--slot", "--note", "--newest",
    "--at-least", "--conflict-exit-code", "--grace", "--bind", "--take", "--count", "--url", "--cacert", "--command",
  ]

  /// All options of `run` whose value is the next word.
  static let valuedWords = valued.sorted() + ["-w", "-j", "-E", "-c"]

  /// The name of the command, then its options and locks for the parser.
  private(set) var spelled: [String]
  /// Where the command of `run` is; `nil` when there is none.
  private(set) var command: CommandPlace?

  private let arguments: [String]
  private var next = 1
  private var locks = 0
  /// True when `--` stands before the command of `run`, so that there may be several locks.
  private let hasDashes: Bool

  /// Returns true when the arguments, which follow the program's name, are of a command whose letters these are.
  static func areMeant(by arguments: [String]) -> Bool {
    ["run", "acquire", "hold"].contains(arguments.first)
  }

  /// Reads the arguments of one of these commands, its name first.
  ///
  /// - Throws: A failure for options of flock's that cannot be had, and for two commands.
  init(_ arguments: [String]) throws(Failure) {
    self.arguments = arguments
    spelled = Array(arguments.prefix(1))
    hasDashes = arguments.contains("--")
    while next < arguments.count {
      let word = arguments[next]
      let isOption = word.hasPrefix("-") && word.count > 1
      if word == "--" || (runs && !isOption && !hasDashes && locks == 1) { break }
      next += 1
      if word.hasPrefix("--") || word == "-nb" {
        try takeLong(word)
      } else if isOption {
        try spell(word)
      } else {
        spelled.append(word)
        locks += 1
      }
    }
    guard runs else {
      spelled += arguments[next...]
      return
    }
    if hasDashes { next += 1 }
    if let word = following { try take(CommandPlace(index: next + 1), "'\(word)'") }
  }

  private var runs: Bool { arguments.first == "run" }

  private mutating func takeLong(_ word: String) throws(Failure) {
    let name = String(word.prefix { $0 != "=" })
    switch Self.longNames[name] {
    case .refused(let why)?: throw Failure(why, .usage)
    case .granted?: break
    case .script?: try takeScript(name, from: name.endIndex < word.endIndex ? name.utf8.count + 1 : nil)
    default:
      spelled.append(word == "-nb" ? "--no-wait" : word)
      if runs, Self.valued.contains(word), let value = following {
        spelled.append(value)
        next += 1
      }
    }
  }

  private mutating func spell(_ word: String) throws(Failure) {
    var letters = word.dropFirst()
    while let letter = letters.popFirst() {
      switch Self.letters[letter] {
      case nil:
        // The parser says what it does not know.
        return spelled.append("-" + String(letter) + letters)
      case .refused(let why)?: throw Failure(why, .usage)
      case .granted?: break
      case .script?:
        return try takeScript(
          "-c", from: letters.isEmpty ? nil : word.utf8.distance(from: word.startIndex, to: letters.startIndex))
      case .flag(let name)?:
        if letter == "n" { try refuseNumber(after: letters) }
        spelled.append("--" + name)
      case .value(let name)?:
        if letters.first == "=" { letters.removeFirst() }
        guard letters.isEmpty else { return spelled.append("--\(name)=\(letters)") }
        guard let value = following else { return spelled.append("--" + name) }
        spelled.append("--\(name)=\(value)")
        next += 1
        return
      }
    }
  }

  /// Refuses `-n 5 x`, which may mean five slots or a lock that is called 5.
  private func refuseNumber(after letters: Substring) throws(Failure) {
    let isJoined = letters.first.map { $0 == "=" || $0.isASCIIDigit } ?? false
    let number = isJoined ? String(letters.drop { $0 == "=" }) : letters.isEmpty ? following ?? "" : ""
    guard isJoined || (!number.isEmpty && number.allSatisfy(\.isASCIIDigit)) else { return }
    throw Failure(
      "-n is flock's: it does not wait, and takes no number. For \(number) slots give -j \(number); for a lock that is "
        + "called '\(number)', --nonblock \(number)", .usage)
  }

  private var following: String? { next < arguments.count ? arguments[next] : nil }

  /// Takes a text for the shell: the rest of the word just read, from a byte on, or the next word.
  private mutating func takeScript(_ name: String, from offset: Int?) throws(Failure) {
    guard runs else {
      throw Failure("\(name): only `run` runs a command: leasehold run LOCK -c 'COMMAND'", .usage)
    }
    if offset == nil { next += 1 }
    guard next <= arguments.count else { throw Failure("\(name): the command for the shell is missing", .usage) }
    try take(CommandPlace(index: next, offset: offset ?? 0), name)
  }

  private mutating func take(_ place: CommandPlace, _ text: String) throws(Failure) {
    guard command == nil else {
      throw Failure(
        "\(text) would be a second command: what -c gives is all that is run; several locks need -- behind them",
        .usage)
    }
    command = place
  }
}

/// Where the command of `run` stands among the arguments of this process, the program's name being number 0.
struct CommandPlace: Equatable {
  /// The argument that it begins with.
  let index: Int
  /// The byte of that argument from which on it is a text for the shell; `nil` for a program and its arguments, to the
  /// end.
  var offset: Int?
}

extension CommandPlace {
  /// The place in digits, for an option that users do not give by hand.
  var text: String { "\(index)" + (offset.map { "+\($0)" } ?? "") }

  /// Reads ``text``.
  init?(_ text: String) {
    let numbers = text.split(separator: "+", omittingEmptySubsequences: false).map { Int($0) }
    guard numbers.count <= 2, !numbers.contains(nil), let index = numbers[0] else { return nil }
    self.init(index: index, offset: numbers.count == 2 ? numbers[1] : nil)
  }
}
