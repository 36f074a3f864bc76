import Leasehold
import Synchronization

/// The file of tokens in force.
final class TokenStore: Sendable {
  let path: String
  private let accounts: CallerAccounts
  private let table: Mutex<TokenTable>

  /// Reads the file.
  init(path: String, accounts: CallerAccounts) throws(SecretFileError) {
    self.path = path
    self.accounts = accounts
    table = Mutex(try TokenTable(SecretFile.read(path), path: path, accounts: accounts))
  }

  /// Reads the file again: all of it counts from the next request on, or, where it cannot be used, nothing.
  ///
  /// - Returns: How many tokens it has.
  func reload() throws(SecretFileError) -> Int {
    let fresh = try TokenTable(SecretFile.read(path), path: path, accounts: accounts)
    table.withLock { $0 = fresh }
    return fresh.count
  }

  /// The token that a caller showed.
  func find(_ token: UnsafeRawBufferPointer) -> Token? { table.withLock(\.self).find(token) }
}
