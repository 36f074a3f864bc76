/// The names of a counting lock's slots, as a caller gives them.
public final class SlotNames: Sendable {
  /// The names of all slots; empty where the caller leaves that to the lock.
  public let all: [String]
  /// The names that the caller wants, among others if it wants more.
  public let wanted: [String]

  /// Takes checked names, each once.
  public init(all: [String], wanted: [String]) {
    self.all = all
    self.wanted = wanted
  }

  /// The most slots with names that a lock can have.
  public static let namesMax = 64
  /// The longest name, in bytes.
  public static let bytes = 64
  /// The longest list of names, in bytes with a comma between each two.
  public static let listBytes = 768

  /// Returns true for a name that may be given: letters, digits, `.`, `_`, `-` and `:`.
  public static func isValid(_ name: some StringProtocol) -> Bool {
    (1...bytes).contains(name.utf8.count)
      && name.utf8.allSatisfy { byte in
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"),
          UInt8(ascii: ":"):
          true
        default: false
        }
      }
  }
}
