internal import ArgumentParser

/// A command whose usual command lines are read without the parser.
///
/// The parser looks for what its types can do among all types of the program, which takes longer than everything else
/// that a short command does. So these commands say once more what their options are, and a test asks both ways. What
/// is not read here goes to the parser: help, every error, words behind `--`, and whatever is rare.
protocol QuickCommand: ParsableCommand {
  /// Takes its options and its words; what is left, or refused, is the parser's.
  init(quick words: inout QuickWords)
}

extension QuickCommand {
  /// Reads the arguments that follow the command's name, with letters spelled out; `nil` leaves them to the parser.
  init?(quickly arguments: ArraySlice<String>) {
    guard var words = QuickWords(arguments) else { return nil }
    self.init(quick: &words)
    guard words.areTaken else { return nil }
  }
}

/// The words of a command line, for a command to take what it knows.
struct QuickWords {
  /// The values of options by their names, without the dashes; empty for one without a value.
  private var options: [Substring: String] = [:]
  private var others: [String] = []
  private var isRefused = false

  /// Sorts the words; `nil` where that is the parser's.
  init?(_ arguments: ArraySlice<String>) {
    var rest = arguments
    while let word = rest.popFirst() {
      guard word.hasPrefix("-"), word != "-" else {
        others.append(word)
        continue
      }
      guard word.hasPrefix("--") else { return nil }
      let name = word.dropFirst(2).prefix { $0 != "=" }
      var value = ""
      if name.endIndex < word.endIndex {
        value = String(word[name.endIndex...].dropFirst())
        if value.isEmpty { return nil }
      } else if FlockLetters.valued.contains(word) {
        guard let next = rest.popFirst(), !next.hasPrefix("-") else { return nil }
        value = next
      }
      // Of an option that is given twice the last value counts, and the parser checks both.
      if let before = options.updateValue(value, forKey: name), !(before.isEmpty && value.isEmpty) { return nil }
    }
    if others.contains("") { return nil }
  }

  /// True when nothing is left, and nothing was refused.
  var areTaken: Bool { options.isEmpty && others.isEmpty && !isRefused }

  mutating func flag(_ names: Substring...) -> Bool {
    let values = take(names)
    if values.contains(where: { !$0.isEmpty }) { isRefused = true }
    return !values.isEmpty
  }

  mutating func text(_ names: Substring...) -> String? { value(names) }

  mutating func number(_ names: Substring...) -> Int? {
    guard let text = value(names) else { return nil }
    let number = Int(text)
    if number == nil { isRefused = true }
    return number
  }

  /// Takes the words that are no options, at least one.
  mutating func some() -> [String] {
    defer { others = [] }
    if others.isEmpty { isRefused = true }
    return others
  }

  /// Refuses what a check of the parser's refuses.
  mutating func check(_ validate: () throws -> Void) {
    do { try validate() } catch { isRefused = true }
  }

  /// An option may have several names; which of them was given last is not known here.
  private mutating func value(_ names: [Substring]) -> String? {
    let values = take(names)
    if values.count > 1 || values.contains("") { isRefused = true }
    return values.first
  }

  private mutating func take(_ names: [Substring]) -> [String] {
    names.compactMap { options.removeValue(forKey: $0) }
  }
}

extension ServiceOptions {
  init(quick words: inout QuickWords) {
    url = words.text("url")
    cacert = words.text("cacert")
  }
}

extension AskOptions {
  init(quick words: inout QuickWords) {
    json = words.flag("json")
    service = ServiceOptions(quick: &words)
  }
}

extension LockOptions {
  init(quick words: inout QuickWords) {
    slots = words.text("slots", "limit")
    slot = words.text("slot")
    count = words.number("take", "count")
    shared = words.flag("shared")
    exclusive = words.flag("exclusive")
    wait = words.text("wait", "timeout")
    noWait = words.flag("no-wait", "nonblock", "nb")
    quiet = words.flag("quiet")
    verbose = words.flag("verbose")
    ttl = words.text("ttl")
    owner = words.text("owner", "label")
    note = words.text("note")
    newest = words.text("newest")
    atLeast = words.text("at-least")
    noStart = words.flag("no-start")
    words.check(validate)
  }
}

extension RunCommand: QuickCommand {
  init(quick words: inout QuickWords) {
    lock = LockOptions(quick: &words)
    conflictStatus = words.number("conflict-exit-code")
    grace = words.text("grace")
    yields = words.flag("yield")
    exec = words.flag("exec", "no-fork")
    bind = words.text("bind")
    keepToken = words.flag("keep-token")
    service = ServiceOptions(quick: &words)
    keys = words.some()
    script = words.text("command")
    commandPlace = words.text(Self.commandMark[...])
    words.check(validate)
  }
}

extension AcquireCommand: QuickCommand {
  init(quick words: inout QuickWords) {
    lock = LockOptions(quick: &words)
    bind = words.text("bind")
    grace = words.text("grace")
    ask = AskOptions(quick: &words)
    keys = words.some()
  }
}

extension ReleaseCommand: QuickCommand {
  init(quick words: inout QuickWords) {
    early = words.flag("early")
    ask = AskOptions(quick: &words)
    leases = words.some()
  }
}

extension RenewCommand: QuickCommand {
  init(quick words: inout QuickWords) {
    ttl = words.text("ttl")
    note = words.text("note")
    ask = AskOptions(quick: &words)
    leases = words.some()
    words.check { if note != nil, leases.count > 1 { throw ExitCode.validationFailure } }
  }
}

extension ReadyCommand: QuickCommand {
  init(quick words: inout QuickWords) { ask = AskOptions(quick: &words) }
}
