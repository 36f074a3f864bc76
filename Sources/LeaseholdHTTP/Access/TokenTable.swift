import Leasehold

/// All tokens of a file.
struct TokenTable: Sendable {
  /// By the first bytes of their hashes.
  private let tokens: [UInt64: [Token]]
  /// The number of variables.
  let count: Int

  /// The most tokens of a file.
  static let tokensMax = 10_000

  /// Reads the text of a file.
  ///
  /// - Parameter accounts: Gives each name its account; the same one after a reload.
  init(_ text: [UInt8], path: String, accounts: CallerAccounts) throws(SecretFileError) {
    guard let text = String(validating: text, as: UTF8.self) else {
      throw SecretFileError(description: "'\(path)' is not UTF-8")
    }
    var tokens: [UInt64: [Token]] = [:]
    var lines: [String: Int] = [:]
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let number = index + 1
      guard let first = line.first(where: { !$0.isWhitespace }), first != "#" else { continue }
      let read: TokenLine
      do {
        read = try TokenLine(line.last == "\r" ? line.dropLast() : line)
      } catch {
        throw SecretFileError(description: "'\(path)', line \(number): \(error)")
      }
      if let before = lines.updateValue(number, forKey: read.name) {
        throw SecretFileError(description: "'\(path)', line \(number): line \(before) has that name already")
      }
      let token = Token(
        name: read.name, role: read.role, prefixes: read.prefixes, ttlMax: read.ttlMax, digest: read.digest,
        account: accounts.account(token: read.name))
      guard tokens[read.digest.prefix]?.contains(where: { $0.digest == read.digest }) != true else {
        throw SecretFileError(description: "'\(path)', line \(number): another line has that hash already")
      }
      tokens[read.digest.prefix, default: []].append(token)
    }
    guard (1...Self.tokensMax).contains(lines.count) else {
      throw SecretFileError(description: "'\(path)' has \(lines.count) tokens, and 1 to \(Self.tokensMax) are fine")
    }
    self.tokens = tokens
    count = lines.count
  }

  /// The token that a caller showed.
  ///
  /// What is looked up is the hash: how long that takes tells nothing about tokens.
  func find(_ token: UnsafeRawBufferPointer) -> Token? {
    guard let digest = SHA256(token) else { return nil }
    return tokens[digest.prefix]?.first { $0.digest == digest }
  }
}
