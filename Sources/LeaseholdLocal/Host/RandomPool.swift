import Glibc
import Leasehold
import SystemPackage

/// Random bits from the kernel, fetched 2 KiB at a time: eight getentropy(3) for 128 leases instead of two each.
struct RandomPool {
  private var words = [UInt64](repeating: 0, count: 256)
  private var used = 256

  /// The most that one getentropy(3) gives.
  private static let bytesPerCall = 256

  /// Fetches the first of them, so that a kernel that gives none is found out at the start.
  init() throws(LocalServiceError) {
    if let error = refill() { throw .kernel(what: "get random bits (getrandom)", errno: error) }
  }

  /// The next lease's name.
  mutating func leaseID() -> LeaseID { LeaseID(high: next(), low: next()) }

  private mutating func next() -> UInt64 {
    if used == words.count {
      // The kernel gave some before, and two ways lead to more; a name that can be guessed must never be given.
      if let error = refill() { fatalError("the kernel gives no more random bits (\(error))") }
    }
    defer {
      // A word is never kept after it was handed out.
      words[used] = 0
      used += 1
    }
    return words[used]
  }

  private mutating func refill() -> Errno? {
    used = 0
    return words.withUnsafeMutableBytes { buffer in
      for start in stride(from: 0, to: buffer.count, by: Self.bytesPerCall) {
        let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[start..<start + Self.bytesPerCall])
        // Fails where a filter knows no getrandom(2), or the kernel (before Linux 3.17).
        if getentropy(piece.baseAddress, piece.count) != 0, let error = Self.readDevice(piece) { return error }
      }
      return nil
    }
  }

  private static func readDevice(_ buffer: UnsafeMutableRawBufferPointer) -> Errno? {
    do {
      let device = try FileDescriptor.open("/dev/urandom", .readOnly)
      let count = try device.closeAfter { try device.read(into: buffer) }
      return count == buffer.count ? nil : .ioError
    } catch {
      return error as? Errno ?? .ioError
    }
  }
}
