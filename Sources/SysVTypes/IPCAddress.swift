/// The name that a caller gives to a set or a segment.
public enum IPCAddress: Hashable, Sendable {
  /// By its key, not 0.
  case key(Int32)
  /// By its identifier.
  case id(Int32)

  /// As people write it: `0x7c4a`, `id:98`.
  public var text: String {
    switch self {
    case .key(let key): IPCKey(rawValue: key).shortHexadecimal
    case .id(let id): "id:\(id)"
    }
  }
}
