public import SysVTypes

/// The contents of a name with a native prefix: which programs it is shared with, and where.
public enum NativeName: Hashable, Sendable {
  /// `php:KEY`: what `sem_get(KEY)` opens.
  case php(Int32)
  /// `apache:SESSION`: what Apache::Session::Lock::Semaphore locks for a session id.
  case apache(ExactText)
  /// `sharelite:KEY`: what IPC::ShareLite and IPC::Shareable lock for a key.
  case sharelite(Int32)
  /// `path:/PATH`: what IPC::Semaphore::Concurrency opens for a path.
  case path(ExactText)
  /// `sysv:KEY.NUMBER` or `sysv:id:ID.NUMBER`: one semaphore of a set that exists.
  case semaphore(IPCAddress, number: Int)

  /// An error in a native name.
  public enum Flaw: Error, Equatable, Sendable {
    /// Not of the form; carries what the form is.
    case malformed(String)
    /// A key that does not fit `key_t`, or a number beyond any set; carries the range.
    case outOfRange(String)
    /// Key 0 (IPC_PRIVATE), which names nothing.
    case privateKey
  }

  /// The prefixes that name native layouts; a plain key never begins with one.
  public static let prefixes = ["php:", "apache:", "sharelite:", "path:", "sysv:"]

  /// Semaphore numbers end here: SEMMSL is at most 32000 (semctl(2)), and a number is 16 bits in semop(2).
  public static let numberMax = 65_535

  /// Reads a name; `nil` when it has no native prefix.
  ///
  /// - Throws: ``Flaw``, for what is behind a native prefix.
  public init?(_ text: String) throws(Flaw) {
    guard let prefix = Self.prefixes.first(where: { text.begins(with: $0) }) else { return nil }
    let rest = String(text.unicodeScalars.dropFirst(prefix.utf8.count))
    switch prefix {
    case "php:": self = .php(try Self.key(rest, form: "php:1234 or php:0x4d2"))
    case "apache:":
      guard !rest.isEmpty else { throw .malformed("apache:SESSION_ID") }
      self = .apache(ExactText(rest))
    case "sharelite:": self = .sharelite(try Self.key(rest, form: "sharelite:1971 or sharelite:0x7b3"))
    case "path:":
      guard rest.begins(with: "/") else {
        throw .malformed("path:%2Ftmp%2Fsem_file, an absolute path with its slashes encoded")
      }
      self = .path(ExactText(rest))
    default: self = try Self.semaphore(rest)
    }
  }

  private static func semaphore(_ rest: String) throws(Flaw) -> NativeName {
    let form = "sysv:0x1234.2 or sysv:id:98.0, a set and the number of a semaphore"
    guard let dot = rest.lastIndex(of: ".") else { throw .malformed(form) }
    let digits = rest[rest.index(after: dot)...]
    guard isNumber(digits, digits: 9), let number = Int(digits) else { throw .malformed(form) }
    guard number <= numberMax else { throw .outOfRange("a semaphore number is 0...\(numberMax)") }
    let set = rest[..<dot]
    if set.hasPrefix("id:") {
      let digits = set.dropFirst(3)
      guard isNumber(digits, digits: 10) else { throw .malformed(form) }
      guard let id = Int32(digits) else { throw .outOfRange("a set's id is 0...2147483647") }
      return .semaphore(.id(id), number: number)
    }
    return .semaphore(.key(try key(String(set), form: form)), number: number)
  }

  private static func isNumber(_ text: Substring, digits: Int) -> Bool {
    (1...digits).contains(text.utf8.count) && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
  }

  private static func key(_ text: String, form: String) throws(Flaw) -> Int32 {
    switch IPCKey.read(text) {
    case .key(let key): return key.rawValue
    case .malformed: throw .malformed(form)
    case .tooWide: throw .outOfRange("a key is -2147483648...4294967295 or 0x0...0xffffffff")
    case .zero: throw .privateKey
    }
  }

  /// The dialect's name, as answers give it.
  public var dialect: String {
    switch self {
    case .php: "php"
    case .apache: "apache"
    case .sharelite: "sharelite"
    case .path: "path"
    case .semaphore: "sysv"
    }
  }
}
