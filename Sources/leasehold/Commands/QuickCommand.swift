internal import ArgumentParser

/// A command whose usual command lines are read without the parser.
///
/// The parser looks for what its types can do among all types of the program, which takes longer than everything else
/// that a short command does. So these commands say once more what their options are, and a test asks both ways. What
/// is not read here goes to the parser: help, every error, words behind `--`, and whatever is rare.
protocol QuickCommand: ParsableCommand {
  /// One with its groups of options, and without values.
  static var blank: Self { get }
  static var quickOptions: [QuickOption<Self>] { get }
  /// Takes the words that are no options; returns false where the parser has to say what is wrong.
  mutating func finish(_ words: [String]) -> Bool
}

/// An option, or a flag.
struct QuickOption<Options> {
  /// Without the dashes.
  let names: [String]
  let takesValue: Bool
  /// Sets the property: to what it is without the option where there is no text.
  ///
  /// Returns false for a text that the parser has to refuse.
  let set: (inout Options, String?) -> Bool

  static func flag(_ names: String..., set: @escaping (inout Options, Bool) -> Void) -> Self {
    Self(names: names, takesValue: false) { options, text in
      set(&options, text != nil)
      return true
    }
  }

  static func text(_ names: String..., set: @escaping (inout Options, String?) -> Void) -> Self {
    Self(names: names, takesValue: true) { options, text in
      set(&options, text)
      return true
    }
  }

  static func number(_ names: String..., set: @escaping (inout Options, Int?) -> Void) -> Self {
    Self(names: names, takesValue: true) { options, text in
      let number = text.flatMap { Int($0) }
      set(&options, number)
      return (number == nil) == (text == nil)
    }
  }

  /// The same option of a command that has these as a group.
  func inside<Command>(_ group: @escaping (inout Command, (inout Options) -> Void) -> Void) -> QuickOption<Command> {
    QuickOption<Command>(names: names, takesValue: takesValue) { command, text in
      var isTaken = false
      group(&command) { isTaken = set(&$0, text) }
      return isTaken
    }
  }
}

/// One whose only group of options is that of every request.
protocol QuickAskCommand: QuickCommand {
  var ask: AskOptions { get set }
}

extension QuickAskCommand {
  static var blank: Self {
    var command = Self()
    command.ask = .blank
    return command
  }

  fileprivate static var askOptions: [QuickOption<Self>] { AskOptions.quick.map { $0.inside { $1(&$0.ask) } } }
}

extension QuickCommand {
  /// Reads the arguments that follow the command's name, with letters spelled out; `nil` leaves them to the parser.
  init?(quickly arguments: ArraySlice<String>) {
    let options = Self.quickOptions
    self = Self.blank
    for option in options { _ = option.set(&self, nil) }
    var words: [String] = []
    var rest = arguments
    while let word = rest.popFirst() {
      guard word.utf8.first == UInt8(ascii: "-"), word != "-" else {
        words.append(word)
        continue
      }
      guard word.hasPrefix("--") else { return nil }
      let name = word.dropFirst(2).prefix { $0 != "=" }
      guard let option = options.first(where: { $0.names.contains { $0 == name } }) else { return nil }
      let joined = name.endIndex < word.endIndex ? String(word[name.endIndex...].dropFirst()) : nil
      var value = ""
      if option.takesValue {
        guard let text = joined ?? rest.popFirst(), let first = text.utf8.first else { return nil }
        guard joined != nil || first != UInt8(ascii: "-") else { return nil }
        value = text
      } else if joined != nil {
        return nil
      }
      guard option.set(&self, value) else { return nil }
    }
    guard !words.contains(""), finish(words) else { return nil }
  }
}

extension ServiceOptions {
  static var quick: [QuickOption<Self>] { [.text("url") { $0.url = $1 }, .text("cacert") { $0.cacert = $1 }] }
}

extension AskOptions {
  static var blank: Self {
    var options = Self()
    options.service = ServiceOptions()
    return options
  }

  static var quick: [QuickOption<Self>] {
    ServiceOptions.quick.map { $0.inside { $1(&$0.service) } } + [.flag("json") { $0.json = $1 }]
  }
}

extension LockOptions {
  static var quick: [QuickOption<Self>] {
    [
      .text("slots", "limit") { $0.slots = $1 },
      .text("slot") { $0.slot = $1 },
      .number("take", "count") { $0.count = $1 },
      .flag("shared") { $0.shared = $1 },
      .flag("exclusive") { $0.exclusive = $1 },
      .text("wait", "timeout") { $0.wait = $1 },
      .flag("no-wait", "nonblock", "nb") { $0.noWait = $1 },
      .flag("quiet") { $0.quiet = $1 },
      .flag("verbose") { $0.verbose = $1 },
      .text("ttl") { $0.ttl = $1 },
      .text("owner", "label") { $0.owner = $1 },
      .text("note") { $0.note = $1 },
      .text("newest") { $0.newest = $1 },
      .text("at-least") { $0.atLeast = $1 },
      .flag("no-start") { $0.noStart = $1 },
    ]
  }
}

extension RunCommand: QuickCommand {
  static var blank: Self {
    var command = Self()
    command.lock = LockOptions()
    command.service = ServiceOptions()
    return command
  }

  static var quickOptions: [QuickOption<Self>] {
    LockOptions.quick.map { $0.inside { $1(&$0.lock) } } + ServiceOptions.quick.map { $0.inside { $1(&$0.service) } }
      + [
        .number("conflict-exit-code") { $0.conflictStatus = $1 },
        .text("grace") { $0.grace = $1 },
        .flag("exec", "no-fork") { $0.exec = $1 },
        .text("bind") { $0.bind = $1 },
        .flag("yield") { $0.yields = $1 },
        .flag("keep-token") { $0.keepToken = $1 },
        .text("command") { $0.script = $1 },
        .text(commandMark) { $0.commandPlace = $1 },
      ]
  }

  mutating func finish(_ words: [String]) -> Bool {
    keys = words
    return !words.isEmpty && (try? lock.validate()) != nil && (try? validate()) != nil
  }
}

extension AcquireCommand: QuickCommand {
  static var blank: Self {
    var command = Self()
    command.lock = LockOptions()
    command.ask = .blank
    return command
  }

  static var quickOptions: [QuickOption<Self>] {
    LockOptions.quick.map { $0.inside { $1(&$0.lock) } } + AskOptions.quick.map { $0.inside { $1(&$0.ask) } }
      + [.text("bind") { $0.bind = $1 }, .text("grace") { $0.grace = $1 }]
  }

  mutating func finish(_ words: [String]) -> Bool {
    keys = words
    return !words.isEmpty && (try? lock.validate()) != nil
  }
}

extension ReleaseCommand: QuickAskCommand {
  static var quickOptions: [QuickOption<Self>] {
    askOptions + [.flag("early") { $0.early = $1 }]
  }

  mutating func finish(_ words: [String]) -> Bool {
    leases = words
    return !words.isEmpty
  }
}

extension RenewCommand: QuickAskCommand {
  static var quickOptions: [QuickOption<Self>] {
    askOptions
      + [.text("ttl") { $0.ttl = $1 }, .text("note") { $0.note = $1 }]
  }

  mutating func finish(_ words: [String]) -> Bool {
    leases = words
    return words.count == 1 || !words.isEmpty && note == nil
  }
}

extension ReadyCommand: QuickAskCommand {
  static var quickOptions: [QuickOption<Self>] { askOptions }

  mutating func finish(_ words: [String]) -> Bool { words.isEmpty }
}
