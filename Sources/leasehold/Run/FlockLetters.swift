/// Options as flock(1) takes them, for the commands that take locks.
///
/// Single letters may stand together, and the last may have its value joined or behind it: `-sw10`, `-w 10`. The
/// parser knows that of flags alone, so each word of letters becomes long options before it is asked.
enum FlockLetters {
  /// What becomes of a letter, or of a long option of flock's.
  enum Meaning {
    case flag(String)
    case value(String)
    /// Always so: nothing is to be done.
    case granted
    /// Why it is not taken.
    case refused(String)
  }

  /// The commands whose letters these are.
  static let commands: Set<String> = ["run", "acquire", "hold"]

  private static let letters: [Character: Meaning] = [
    "s": .flag("shared"), "x": .flag("exclusive"), "e": .flag("exclusive"), "q": .flag("quiet"), "F": .flag("exec"),
    "w": .value("wait"), "n": .value("limit"), "E": .value("conflict-exit-code"), "o": .granted,
    "c": .refused("-c: no shell comes between; give the command after --, as in -- sh -c 'COMMAND'"),
    "u": .refused(
      "-u: there is nothing to unlock: `run` gives its lock back when the command ends, and `leasehold release LEASE` "
        + "what `acquire` has taken"),
  ]

  private static let words: [String: Meaning] = [
    "--close": .granted,
    "--command": letters["c"] ?? .granted,
    "--unlock": letters["u"] ?? .granted,
    "--verbose": .refused("--verbose: on a terminal it says by itself for whom it waits; --quiet is the opposite"),
    "--fcntl": .refused("--fcntl: the lock is the service's, not a file's, so there are no two ways to lock it"),
  ]

  /// The arguments of one of ``commands``, up to `--`, with flock's letters spelled out.
  static func spelledOut(_ arguments: some Sequence<String>) throws(Failure) -> [String] {
    var spelled: [String] = []
    var rest = Array(arguments)[...]
    while let word = rest.popFirst() {
      if word.hasPrefix("--") {
        let name = String(word.prefix { $0 != "=" })
        switch words[name] {
        case .refused(let why): throw Failure(why, .usage)
        case .granted: break
        default: spelled.append(word)
        }
      } else if word == "-nb" {
        spelled.append("--no-wait")
      } else if word.hasPrefix("-"), word.count > 1 {
        try spell(word, &rest, into: &spelled)
      } else {
        spelled.append(word)
      }
    }
    return spelled
  }

  private static func spell(
    _ word: String, _ rest: inout ArraySlice<String>, into spelled: inout [String]
  ) throws(Failure) {
    var letters = word.dropFirst()
    while let letter = letters.popFirst() {
      switch Self.letters[letter] {
      case nil:
        // The parser says what it does not know.
        spelled.append("-" + String(letter) + letters)
        return
      case .refused(let why)?: throw Failure(why, .usage)
      case .granted?: break
      case .flag(let name)?: spelled.append("--" + name)
      case .value(let name)?:
        let isSlots = letter == "n"
        if letters.first == "=" { letters.removeFirst() }
        if isSlots, letters.first.map({ !$0.isASCIIDigit }) ?? !(rest.first.map(isNumber) ?? false) {
          // flock's own -n has no value, and means this.
          spelled.append("--no-wait")
          continue
        }
        guard let value = letters.isEmpty ? rest.popFirst() : String(letters) else {
          spelled.append("--" + name)
          return
        }
        spelled.append("--\(name)=\(value)")
        return
      }
    }
  }

  private static func isNumber(_ text: String) -> Bool {
    let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
    return !digits.isEmpty && digits.allSatisfy(\.isASCIIDigit)
  }
}
