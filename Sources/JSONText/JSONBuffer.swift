/// Memory that JSON is written to.
public protocol JSONBuffer: ~Copyable {
  /// Appends a byte.
  mutating func append(_ byte: UInt8)
  /// Appends bytes.
  mutating func append(contentsOf bytes: UnsafeBufferPointer<UInt8>)
}

extension JSONBuffer where Self: ~Copyable {
  /// Appends a text in quotes, escaped (RFC 8259, 7): what must be, and DEL, which no terminal shows.
  @inlinable
  public mutating func appendQuoted(_ text: String) {
    var text = text
    text.withUTF8 { appendQuoted($0) }
  }

  /// Appends a text in quotes, escaped.
  ///
  /// - Parameter text: UTF-8; whatever else it is stays so.
  @inlinable
  public mutating func appendQuoted(_ text: UnsafeBufferPointer<UInt8>) {
    append(UInt8(ascii: "\""))
    appendEscaped(text)
    append(UInt8(ascii: "\""))
  }

  /// Appends a text, escaped and without quotes.
  ///
  /// - Parameter text: UTF-8; whatever else it is stays so.
  @inlinable
  public mutating func appendEscaped(_ text: UnsafeBufferPointer<UInt8>) {
    var start = 0
    for index in 0..<text.count {
      let byte = text[index]
      guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte == 0x7f else { continue }
      append(contentsOf: UnsafeBufferPointer(rebasing: text[start..<index]))
      escape(byte)
      start = index + 1
    }
    append(contentsOf: UnsafeBufferPointer(rebasing: text[start...]))
  }

  @usableFromInline
  mutating func escape(_ byte: UInt8) {
    append(UInt8(ascii: "\\"))
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"): append(byte)
    case 0x0a: append(UInt8(ascii: "n"))
    default:
      for digit in ["u", "0", "0", byte < 0x10 ? "0" : byte == 0x7f ? "7" : "1"] as [Unicode.Scalar] {
        append(UInt8(truncatingIfNeeded: digit.value))
      }
      let low = byte & 0xf
      append(low < 10 ? UInt8(ascii: "0") + low : UInt8(ascii: "a") + low - 10)
    }
  }
}

extension [UInt8]: JSONBuffer {
  /// Appends bytes.
  public mutating func append(contentsOf bytes: UnsafeBufferPointer<UInt8>) { self += bytes }
}
