/// The mark by which one state of a lock is told from another.
public struct LockTag: Hashable, Sendable {
  /// The life of the ledger.
  public var epoch: UInt64
  /// Grows with every change by this service; 0 where it knows nothing of the lock.
  public var version: UInt64
  /// Free units in the kernel, which native programs change.
  public var units: Int?
  /// Free slots, which takes in the writers of an `apache:` lock.
  public var available: Int?

  /// The text between the quotes of an ETag.
  public var text: String {
    let words = [String(epoch, radix: 16), String(version)] + [units, available].map { $0.map(String.init) ?? "x" }
    return words.joined(separator: "-")
  }
}
