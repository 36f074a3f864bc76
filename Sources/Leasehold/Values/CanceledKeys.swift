/// Idempotency-Keys that were taken back, as many as are remembered: the latest.
///
/// A restart forgets them. A request that was on its way to the daemon before does not reach the next one.
public struct CanceledKeys: Sendable {
  /// The number of keys that are remembered.
  public static let most = 4096

  private var keys: Set<CallersKey> = []
  private var order: [CallersKey] = []
  /// The place of the oldest.
  private var oldest = 0

  /// Remembers no key.
  public init() {}

  /// Returns true when a key was taken back.
  @inline(__always)
  public func contains(_ key: CallersKey) -> Bool { !keys.isEmpty && keys.contains(key) }

  /// Remembers a key, and forgets the oldest for it.
  public mutating func insert(_ key: CallersKey) {
    guard keys.insert(key).inserted else { return }
    if order.count < Self.most { return order.append(key) }
    keys.remove(order[oldest])
    order[oldest] = key
    oldest = (oldest + 1) % Self.most
    precondition(keys.count == Self.most, "no more are remembered")
  }
}
