/// Keys of requests that count no more, as many as are remembered: the latest.
///
/// A restart forgets them. A request that was on its way to the daemon before does not reach the next one.
public struct RecentKeys<Key: Hashable & Sendable>: Sendable {
  /// The number of keys that are remembered.
  public let keysMax: Int

  private var keys: Set<Key> = []
  private var order: [Key] = []
  /// The place of the oldest.
  private var oldest = 0

  /// Remembers no key.
  public init(keysMax: Int = 4096) { self.keysMax = keysMax }

  /// Returns true when a key is remembered.
  @inline(__always)
  public func contains(_ key: Key) -> Bool { !keys.isEmpty && keys.contains(key) }

  /// Remembers a key, and forgets the oldest for it, which it gives back.
  @discardableResult
  public mutating func insert(_ key: Key) -> Key? {
    guard keys.insert(key).inserted else { return nil }
    guard order.count >= keysMax else {
      order.append(key)
      return nil
    }
    let forgotten = order[oldest]
    keys.remove(forgotten)
    order[oldest] = key
    oldest = (oldest + 1) % keysMax
    precondition(keys.count == keysMax, "no more are remembered")
    return forgotten
  }
}
