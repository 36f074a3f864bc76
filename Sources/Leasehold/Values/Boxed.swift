/// A value that lies elsewhere, copied when one of several owners changes it.
///
/// For errors: they are large and rare, and every call that may throw one moves room for it about.
public struct Boxed<Value: Sendable>: @unchecked Sendable {
  private final class Storage {
    var value: Value

    init(_ value: Value) { self.value = value }
  }

  // Only written while nobody else refers to it.
  private var storage: Storage

  /// Puts a value into a box.
  public init(_ value: Value) { storage = Storage(value) }

  /// What is in the box.
  public var value: Value {
    get { storage.value }
    set {
      if isKnownUniquelyReferenced(&storage) { storage.value = newValue } else { storage = Storage(newValue) }
    }
  }
}
