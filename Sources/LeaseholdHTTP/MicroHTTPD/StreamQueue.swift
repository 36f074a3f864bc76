import Glibc

/// Bytes on their way out: appended at the end, read from the front.
struct StreamQueue: ~Copyable {
  private var base: UnsafeMutableRawPointer?
  private var capacity = 0
  private var head = 0
  private(set) var count = 0

  init() {}

  deinit { free(base) }

  /// Appends bytes; the caller bounds how many.
  mutating func append(_ bytes: UnsafeRawBufferPointer) {
    guard let source = bytes.baseAddress, !bytes.isEmpty else { return }
    if head + count + bytes.count > capacity { makeRoom(bytes.count) }
    if let base { memcpy(base + head + count, source, bytes.count) }
    count += bytes.count
  }

  /// Moves bytes out and returns how many.
  mutating func read(into target: UnsafeMutableRawPointer, atMost limit: Int) -> Int {
    let moved = min(limit, count)
    guard let base, moved > 0 else { return 0 }
    memcpy(target, base + head, moved)
    count -= moved
    head = count == 0 ? 0 : head + moved
    return moved
  }

  private mutating func makeRoom(_ more: Int) {
    if let base, head > 0 {
      memmove(base, base + head, count)
      head = 0
    }
    guard count + more > capacity else { return }
    let size = max(count + more, capacity * 2, 512)
    guard let grown = realloc(base, size) else { fatalError("out of memory for a stream of \(size) bytes") }
    base = grown
    capacity = size
  }
}
