import Leasehold
import Synchronization

/// The file of tokens in force.
final class TokenStore: Sendable {
  /// The most tokens of a file.
  private static let tokensMax = 10_000

  let path: String
  private let accounts: CallerAccounts
  /// By the first bytes of their hashes.
  private let tokens: Mutex<[UInt64: [Token]]>

  /// Reads the file.
  ///
  /// - Parameter accounts: Gives each name its account; the same one after a reload.
  init(path: String, accounts: CallerAccounts) throws(SecretFileError) {
    self.path = path
    self.accounts = accounts
    tokens = Mutex(try Self.read(path, accounts))
  }

  /// Reads the file again: all of it counts from the next request on, or, where it cannot be used, nothing.
  ///
  /// - Returns: How many tokens it has.
  func reload() throws(SecretFileError) -> Int {
    let fresh = try Self.read(path, accounts)
    tokens.withLock { $0 = fresh }
    return fresh.values.reduce(0) { $0 + $1.count }
  }

  /// The token that a caller showed.
  ///
  /// What is looked up is the hash: how long that takes tells nothing about tokens.
  func find(_ token: UnsafeRawBufferPointer) -> Token? {
    guard let digest = SHA256(token) else { return nil }
    return tokens.withLock(\.self)[digest.prefix]?.first { $0.digest == digest }
  }

  private static func read(_ path: String, _ accounts: CallerAccounts) throws(SecretFileError) -> [UInt64: [Token]] {
    guard let text = String(validating: try SecretFile.read(path), as: UTF8.self) else {
      throw SecretFileError(description: "'\(path)' is not UTF-8")
    }
    var tokens: [UInt64: [Token]] = [:]
    var lines: [String: Int] = [:]
    // To Swift, a CR and the LF behind it are one character.
    let all = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
    for (index, line) in all.enumerated() {
      let number = index + 1
      guard let first = line.first(where: { !$0.isWhitespace }), first != "#" else { continue }
      let read: TokenLine
      do {
        read = try TokenLine(line)
      } catch {
        throw SecretFileError(description: "'\(path)', line \(number): \(error)")
      }
      if let before = lines.updateValue(number, forKey: read.name) {
        throw SecretFileError(description: "'\(path)', line \(number): line \(before) has that name already")
      }
      guard tokens[read.digest.prefix]?.contains(where: { $0.digest == read.digest }) != true else {
        throw SecretFileError(description: "'\(path)', line \(number): another line has that hash already")
      }
      tokens[read.digest.prefix, default: []].append(Token(read, account: accounts.account(token: read.name)))
    }
    guard (1...tokensMax).contains(lines.count) else {
      throw SecretFileError(description: "'\(path)' has \(lines.count) tokens, and 1 to \(tokensMax) are fine")
    }
    return tokens
  }
}
