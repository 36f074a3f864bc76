import Glibc

/// The value of Date (RFC 9110, 6.6.1), made once a second.
struct DateField: ~Copyable {
  private var second = Int.min
  private var text = ResponseBuffer(capacity: 32)

  /// Appends the value for now.
  ///
  /// The corresponding C function is `time`.
  mutating func append(to answer: inout ResponseBuffer) {
    let now = time(nil)
    if now != second {
      second = now
      text.clear()
      text.append(imfFixdate: now)
    }
    text.withBytes { answer.append(contentsOf: $0) }
  }
}
