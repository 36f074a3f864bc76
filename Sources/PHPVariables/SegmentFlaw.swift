/// Why bytes are no segment of PHP, or a broken one.
public enum SegmentFlaw: Error, Hashable, Sendable {
  /// Fewer bytes than a header has.
  case tooSmall(Int)
  /// The first bytes are not `PHP_SM` and a NUL.
  case noHeader
  /// `start` is of neither word size.
  case unknownStart
  /// A number of the header contradicts another, or the size of the segment; the payload names it.
  case header(HeaderField)
  /// A chunk does not lie between its offset and the end; the payload is the offset.
  case chunk(at: Int)

  /// The numbers of the header.
  public enum HeaderField: String, Hashable, Sendable {
    case end, free, total
  }

  /// The end of a sentence.
  public var text: String {
    switch self {
    case .tooSmall(let count): "it has \(count) bytes, fewer than a header"
    case .noHeader: "it does not begin with PHP's mark"
    case .unknownStart: "its first chunk is where neither a 64-bit nor a 32-bit PHP puts it"
    case .header(let field): "'\(field.rawValue)' of its header is out of range"
    case .chunk(let offset): "the chunk at byte \(offset) is out of range"
    }
  }
}

/// Why a variable was not stored; the segment is as it was.
public enum StoreFailure: Error, Equatable, Sendable {
  case flaw(SegmentFlaw)
  /// There is no room; both in bytes of chunks, the old value's counted as free.
  case full(neededBytes: Int, freeBytes: Int)
  /// A 32-bit PHP has no such variable key.
  case keyOutOfRange
}
