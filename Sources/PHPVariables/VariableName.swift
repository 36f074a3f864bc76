/// The one-line hash that turns a variable's name into the integer that PHP knows it by.
public enum VariableName {
  /// CRC-32 of the name's bytes (the polynomial of zlib and of ISO 3309), as a number of 32 bits without sign.
  ///
  /// PHP: `crc32($name)`. Python: `zlib.crc32(name.encode())`. Perl: `Compress::Zlib::crc32($name)`.
  /// - Parameter word: A PHP of 32 bits has the same bits as a signed number.
  public static func key(_ name: some Sequence<UInt8>, _ word: WordSize = .bits64) -> Int64 {
    var remainder: UInt32 = 0xffff_ffff
    for byte in name {
      remainder ^= UInt32(byte)
      for _ in 0..<8 { remainder = remainder >> 1 ^ (remainder & 1 == 1 ? 0xedb8_8320 : 0) }
    }
    return word == .bits64 ? Int64(~remainder) : Int64(Int32(bitPattern: ~remainder))
  }
}
