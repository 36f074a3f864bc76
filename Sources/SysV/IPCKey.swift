public import SystemPackage

/// The number under which unrelated processes find the same set or segment.
///
/// 32 bits, signed as in C. Zero is ``private``: it names nothing, and every creation with it is a new object.
/// The corresponding C type is `key_t`.
public struct IPCKey: RawRepresentable, Hashable, Sendable {
  /// The number as C has it.
  public let rawValue: Int32

  /// Takes the number as C has it.
  public init(rawValue: Int32) { self.rawValue = rawValue }

  /// The key of objects that nobody can find by a key.
  ///
  /// The corresponding C constant is `IPC_PRIVATE`.
  public static let `private` = IPCKey(rawValue: 0)

  /// Reads a key as people and tools write it.
  ///
  /// Decimal from -2147483648 to 4294967295 (what is above 2147483647 wraps, as a C cast does), or `0x` and one to
  /// eight hexadecimal digits. Spaces, a plus sign and everything else give `nil`.
  public init?(parsing text: some StringProtocol) {
    let digits = text.utf8
    if text.hasPrefix("0x") || text.hasPrefix("0X") {
      let hexadecimal = text.dropFirst(2)
      guard (1...8).contains(hexadecimal.utf8.count), hexadecimal.utf8.first != UInt8(ascii: "+"),
        let bits = UInt32(hexadecimal, radix: 16)
      else { return nil }
      self.init(rawValue: Int32(bitPattern: bits))
    } else {
      guard digits.count <= 11, digits.first != UInt8(ascii: "+"), let number = Int64(text),
        (Int64(Int32.min)...Int64(UInt32.max)).contains(number)
      else { return nil }
      self.init(rawValue: Int32(truncatingIfNeeded: number))
    }
  }

  /// The key as `ipcs` prints it: `0x` and eight lower-case digits.
  public var hexadecimal: String {
    let digits = String(UInt32(bitPattern: rawValue), radix: 16)
    return "0x" + String(repeating: "0", count: 8 - digits.count) + digits
  }

  /// Derives a key from a file that exists.
  ///
  /// Eight bits of `project`, eight of the device number and sixteen of the inode: two files can have the same key,
  /// and a file that is replaced gets another.
  /// - Throws: What `stat` says of the path, such as `Errno.noSuchFileOrDirectory`.
  ///
  /// The corresponding C function is `ftok`.
  public static func fileToken(path: FilePath, project: UInt8) throws(Errno) -> IPCKey {
    let key = path.withPlatformString { system_ftok($0, CInt(project)) }
    if key == -1, let error = errnoIfSet() { throw error }
    return IPCKey(rawValue: key)
  }

  /// The same for a file that is known by its numbers already, so that no other can take its place in between.
  ///
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
