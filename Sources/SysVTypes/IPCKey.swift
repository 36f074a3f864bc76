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
  public static func read(_ text: String) -> Reading {
    let bytes = text.utf8
    let isHexadecimal = bytes.starts(with: "0x".utf8) || bytes.starts(with: "0X".utf8)
    let isNegative = bytes.first == UInt8(ascii: "-")
    let digits = bytes.dropFirst(isHexadecimal ? 2 : isNegative ? 1 : 0)
    guard !digits.isEmpty else { return .malformed }
    var number: UInt64 = 0
    for byte in digits {
      guard let digit = digit(byte, isHexadecimal: isHexadecimal) else { return .malformed }
      // However many there are, it stays beyond every key.
      number = min(number * (isHexadecimal ? 16 : 10) + digit, 1 << 40)
    }
    guard number <= (isNegative ? 1 << 31 : UInt64(UInt32.max)) else { return .tooWide }
    let bits = UInt32(truncatingIfNeeded: isNegative ? 0 &- number : number)
    return bits == 0 ? .zero : .key(IPCKey(rawValue: Int32(bitPattern: bits)))
  }

  private static func digit(_ byte: UInt8, isHexadecimal: Bool) -> UInt64? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte) - 0x30
    case UInt8(ascii: "a")...UInt8(ascii: "f") where isHexadecimal: UInt64(byte) - 0x57
    case UInt8(ascii: "A")...UInt8(ascii: "F") where isHexadecimal: UInt64(byte) - 0x37
    default: nil
    }
  }

  /// Reads a key, 0 included; `nil` for what is none.
  public init?(parsing text: String) {
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
