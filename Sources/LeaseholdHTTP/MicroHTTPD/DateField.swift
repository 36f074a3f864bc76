import Glibc

/// The value of Date (RFC 9110, 6.6.1), made once a second.
struct DateField: ~Copyable {
  private var second = Int.min
  private var text = ResponseBuffer(capacity: 32)

  /// Appends the value for now.
  mutating func append(to answer: inout ResponseBuffer) {
    refresh()
    text.withBytes { answer.append(contentsOf: $0) }
  }

  /// Runs `body` with the value for now.
  mutating func withCString(_ body: (UnsafePointer<CChar>) -> Void) {
    refresh()
    text.withCString(body)
  }

  /// The corresponding C function is `time`.
  private mutating func refresh() {
    let now = time(nil)
    guard now != second else { return }
    second = now
    text.clear()
    text.append(imfFixdate: now)
  }
}
