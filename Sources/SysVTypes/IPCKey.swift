/// The number under which unrelated processes find the same set or segment.
///
/// 32 bits, signed as in C. Zero is ``private``: it names nothing, and every creation with it is a new object.
/// The corresponding C type is `key_t`.
public struct IPCKey: RawRepresentable, Hashable, Sendable {
  /// The number as C has it.
  public let rawValue: Int32

  /// Takes the number as C has it.
  public init(rawValue: Int32) { self.rawValue = rawValue }

  /// The key of objects that no program can find by a key.
  ///
  /// The corresponding C constant is `IPC_PRIVATE`.
  public static let `private` = IPCKey(rawValue: 0)

  /// The result of reading a text as a key.
  public enum Reading: Equatable, Sendable {
    /// A key that fits `key_t`, not 0.
    case key(IPCKey)
    /// Key 0 is ``IPCKey/private``: every use of it is a new object.
    case zero
    /// A number that does not fit.
    case tooWide
    /// Not a number.
    case malformed
  }

  /// Reads a key as people and tools write it.
  ///
  /// Decimal -2147483648...4294967295 (what is above 2147483647 wraps, as a C cast does) or `0x` and hexadecimal
  /// digits, of which leading zeros do not count. Spaces and a plus sign make it malformed.
  public static func read(_ text: some StringProtocol) -> Reading {
    let bits: UInt32
    if text.hasPrefix("0x") || text.hasPrefix("0X") {
      let digits = text.dropFirst(2)
      guard !digits.isEmpty, digits.utf8.allSatisfy(isHexadecimal) else { return .malformed }
      let significant = digits.drop { $0 == "0" }
      guard significant.utf8.count <= 8 else { return .tooWide }
      bits = UInt32(significant, radix: 16) ?? 0
    } else {
      let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
      guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return .malformed }
      guard let number = Int64(text), (Int64(Int32.min)...Int64(UInt32.max)).contains(number) else { return .tooWide }
      bits = UInt32(truncatingIfNeeded: number)
    }
    return bits == 0 ? .zero : .key(IPCKey(rawValue: Int32(bitPattern: bits)))
  }

  private static func isHexadecimal(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x46, 0x61...0x66: true
    default: false
    }
  }

  /// Reads a key, 0 included; `nil` for what is none.
  public init?(parsing text: some StringProtocol) {
    switch Self.read(text) {
    case .key(let key): self = key
    case .zero: self = .private
    case .tooWide, .malformed: return nil
    }
  }

  /// The key as `ipcs` prints it: `0x` and eight lower-case digits.
  public var hexadecimal: String {
    let digits = String(UInt32(bitPattern: rawValue), radix: 16)
    return "0x" + String(repeating: "0", count: 8 - digits.count) + digits
  }

  /// The key as people write it: `0x` and as many digits as it needs.
  public var shortHexadecimal: String { "0x" + String(UInt32(bitPattern: rawValue), radix: 16) }

  /// Derives a key from a file that is known by its numbers, so that no other can take its place in between.
  ///
  /// Eight bits of `project`, eight of the device number and sixteen of the inode: two files can have the same key,
  /// and a file that is replaced gets another.
  /// - Parameters:
  ///   - device: `st_dev` of fstat(2).
  ///   - inode: `st_ino` of fstat(2).
  public static func fileToken(device: UInt64, inode: UInt64, project: UInt8) -> IPCKey {
    let bits = UInt32(project) << 24 | UInt32(device & 0xff) << 16 | UInt32(inode & 0xffff)
    return IPCKey(rawValue: Int32(bitPattern: bits))
  }
}

extension IPCKey: CustomStringConvertible {
  /// The same as ``hexadecimal``.
  public var description: String { hexadecimal }
}
