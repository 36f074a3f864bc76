import Glibc

extension UnsafeBufferPointer<UInt8> {
  /// The offset of a byte, looked for from `start` on; the count where it is not there.
  ///
  /// The corresponding C function is `memchr`.
  @inline(__always)
  func position(of byte: UInt8, from start: Int = 0) -> Int {
    guard let base = baseAddress, start < count else { return count }
    guard let found = memchr(base + start, Int32(byte), count - start) else { return count }
    return UnsafeRawPointer(found) - UnsafeRawPointer(base)
  }

  /// The bytes from one offset to another; both were found in it, so a release does not look at them again.
  @inline(__always)
  func part(_ start: Int, _ end: Int) -> Self {
    assert(0 <= start && start <= end && end <= count, "a part lies within the whole")
    return Self(start: baseAddress.map { $0 + start }, count: end &- start)
  }
}
