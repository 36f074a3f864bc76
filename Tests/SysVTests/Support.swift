import SysV
import SystemPackage
import Testing

/// Runs the body with a new private set, and removes it whatever happens.
func withSet<R>(_ count: Int = 1, _ values: [UInt16]? = nil, _ body: (SemaphoreSet) throws -> R) throws -> R {
  let set = try SemaphoreSet.create(count: count)
  defer { try? set.remove() }
  if let values { try set.setValues(values) }
  return try body(set)
}

/// Runs the body with a new private segment, and removes it whatever happens.
func withSegment<R>(_ byteCount: Int = 8192, _ body: (SharedMemorySegment) throws -> R) throws -> R {
  let segment = try SharedMemorySegment.create(byteCount: byteCount)
  defer { try? segment.remove() }
  return try body(segment)
}

extension IPCKey {
  /// A key that nobody else has, in all likelihood.
  static func random() -> IPCKey { IPCKey(rawValue: .random(in: 1 ... .max)) }
}
