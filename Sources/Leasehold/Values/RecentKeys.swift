/// Keys of requests that count no more, as many as are remembered: the latest.
///
/// A restart forgets them. A request that was on its way to the daemon before does not reach the next one.
public struct RecentKeys<Key: Hashable & Sendable>: Sendable {
  /// The number of keys that are remembered.
  public static var most: Int { 4096 }

  private var keys: Set<Key> = []
  private var order: [Key] = []
  /// The place of the oldest.
  private var oldest = 0

  /// Remembers no key.
  public init() {}

  /// Returns true when a key is remembered.
  @inline(__always)
  public func contains(_ key: Key) -> Bool { !keys.isEmpty && keys.contains(key) }

  /// Remembers a key, and forgets the oldest for it.
  public mutating func insert(_ key: Key) {
    guard keys.insert(key).inserted else { return }
    if order.count < Self.most { return order.append(key) }
    keys.remove(order[oldest])
    order[oldest] = key
    oldest = (oldest + 1) % Self.most
    precondition(keys.count == Self.most, "no more are remembered")
  }
}
