import Glibc
import Leasehold

/// Random bits from the kernel, fetched 2 KiB at a time: eight getentropy(3) for 128 leases instead of two each.
struct RandomPool {
  private var words = [UInt64](repeating: 0, count: 256)
  private var used = 256

  /// The most that one getentropy(3) gives.
  private static let bytesPerCall = 256

  /// The next lease's name.
  mutating func leaseID() -> LeaseID { LeaseID(high: next(), low: next()) }

  private mutating func next() -> UInt64 {
    if used == words.count { refill() }
    defer {
      // A word is never kept after it was handed out.
      words[used] = 0
      used += 1
    }
    return words[used]
  }

  private mutating func refill() {
    words.withUnsafeMutableBytes { buffer in
      for start in stride(from: 0, to: buffer.count, by: Self.bytesPerCall) {
        let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[start..<start + Self.bytesPerCall])
        // Fails only where the kernel has no getrandom(2), before Linux 3.17, and then names could be guessed.
        let result = getentropy(piece.baseAddress, piece.count)
        precondition(result == 0, "the kernel gives no random bits")
      }
    }
    used = 0
  }
}
