import JSONText
import Leasehold
import LeaseholdHost

/// A line of the file of tokens.
///
///     NAME ROLE sha256:HEX [keys=PREFIX,PREFIX...] [ttl-max=DURATION]
///
/// Blanks separate; what follows a `#` at the beginning of a line is a remark. Prefixes are percent-encoded where they
/// hold a comma, a blank or a percent sign.
public struct TokenLine: Sendable {
  var name: String
  var role: Role
  var digest: SHA256
  var prefixes: [String]?
  var ttlMax: TimeSpan?

  /// The longest name of a token.
  static let nameBytes = 64

  /// Why a line cannot be used.
  public struct Flaw: Error, CustomStringConvertible, Sendable {
    /// The flaw, to be put behind the number of the line.
    public let description: String
  }

  /// Reads a line that is neither empty nor a remark.
  init(_ line: Substring) throws(Flaw) {
    let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
    guard words.count >= 3 else { throw Flaw(description: "NAME ROLE sha256:HEX is the least that a line has") }
    name = words[0]
    guard Self.isName(name) else { throw Self.badName }
    guard let role = Role(name: words[1]) else {
      throw Flaw(description: "the role is none of read, lock and admin")
    }
    self.role = role
    guard words[2].hasPrefix("sha256:"), let digest = SHA256(hexadecimal: words[2].dropFirst(7)) else {
      throw Flaw(description: "the third word is not sha256: and 64 hexadecimal digits (see 'leasehold token')")
    }
    self.digest = digest
    for word in words.dropFirst(3) { try option(word) }
  }

  private mutating func option(_ word: String) throws(Flaw) {
    if word.begins(with: "keys="), prefixes == nil {
      var prefixes: [String] = []
      for part in word.utf8.dropFirst(5).split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
        let bytes = Array(part).withUnsafeBufferPointer { percentDecoded($0, plusIsSpace: false) }
        guard let bytes, !bytes.isEmpty, let prefix = String(validating: bytes, as: UTF8.self) else {
          throw Flaw(description: "a prefix in keys= is empty or not percent-encoded UTF-8")
        }
        prefixes.append(prefix)
      }
      self.prefixes = prefixes
    } else if word.hasPrefix("ttl-max="), ttlMax == nil {
      guard let ttl = TimeSpan(text: word.dropFirst(8).utf8), ttl > .zero else {
        throw Flaw(description: "ttl-max= is no length of time like 90s, 5m or 2h")
      }
      ttlMax = ttl
    } else {
      throw Flaw(description: "behind the hash a line has keys= and ttl-max=, each once")
    }
  }

  private static let badName = Flaw(
    description: "a name has 1 to \(nameBytes) of A-Z, a-z, 0-9, '.', '_' and '-'")

  private static func isName(_ text: String) -> Bool {
    (1...nameBytes).contains(text.utf8.count)
      && text.utf8.allSatisfy { $0.isLetterOrDigit || "._-".utf8.contains($0) }
  }

  /// Makes a new token of 256 random bits and the line for it.
  ///
  /// - Parameter options: `keys=…` and `ttl-max=…`, as in the file.
  /// - Throws: ``Flaw`` in the name, the role or an option.
  public static func make(
    name: String, role: String, options: [String]
  ) throws(Flaw) -> (token: String, line: String) {
    var random = SystemRandomNumberGenerator()
    let token = "lh_" + (0..<4).map { _ in random.next().digits(16, radix: 16) }.joined()
    guard let digest = Array(token.utf8).withUnsafeBytes({ SHA256($0) }) else {
      throw Flaw(description: "the library for hashes does not work")
    }
    guard ![name, role].contains(where: { $0.isEmpty || $0.contains(" ") }) else { throw badName }
    let line = ([name, role, "sha256:" + digest.hexadecimal] + options).joined(separator: " ")
    _ = try TokenLine(line[...])
    return (token, line)
  }
}
