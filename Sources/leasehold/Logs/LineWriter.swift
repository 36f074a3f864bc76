internal import Glibc

/// Writes lines to a descriptor, each with one call, so that lines of threads and processes do not mix.
struct LineWriter {
  let descriptor: Int32
  /// The last line was cut off by an error: the next one begins with the newline that it lacks.
  var isTorn = false

  /// Writes a line, and waits for the reader as long as it takes; false when the line, or its rest, is lost.
  mutating func write(_ line: String) -> Bool {
    var line = isTorn ? "\n" + line : line
    let descriptor = descriptor
    let (isWhole, written) = line.withUTF8 { bytes -> (Bool, Int) in
      var rest = UnsafeRawBufferPointer(bytes)
      while !rest.isEmpty {
        let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
        if count > 0 {
          rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        } else if count == 0 || !LineWriter.waits(descriptor, after: errno) {
          return (false, bytes.count - rest.count)
        }
      }
      return (true, bytes.count)
    }
    // The newline alone may have got through.
    if isWhole || written > 0 { isTorn = !isWhole && !(isTorn && written == 1) }
    return isWhole
  }

  /// Returns true when a write is to be tried again after an error; another program may have made the descriptor one
  /// that does not block.
  private static func waits(_ descriptor: Int32, after error: Int32) -> Bool {
    guard error == EAGAIN else { return error == EINTR }
    var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    return poll(&entry, 1, -1) > 0 || errno == EINTR
  }
}
