import JSONText
import Leasehold
import LeaseholdHost
import Synchronization

extension Response {
  /// A JSON object, which `write` leaves open.
  static func json(
    _ status: UInt16 = 200, capacity: Int = 512, _ write: (inout ResponseBuffer) -> Void
  ) -> Response {
    var body = ResponseBuffer(capacity: capacity)
    write(&body)
    body.closeAnswer()
    return Response(status: status, contentType: "application/json", body: body)
  }
}

/// JSON written straight into the answer's memory.
///
/// Members are written with their comma behind the previous one, so callers say `first` once and `member` after.
extension ResponseBuffer: JSONBuffer {
  /// Begins an object with its first member's name.
  @inline(__always)
  mutating func open(_ name: StaticString) {
    self.name(name, after: UInt8(ascii: "{"))
  }

  /// Ends an object and the answer.
  mutating func closeAnswer() { append("}\n" as StaticString) }

  /// The comma and the name of the next member.
  mutating func next(_ name: StaticString) {
    self.name(name, after: UInt8(ascii: ","))
  }

  @inline(__always)
  private mutating func name(_ name: StaticString, after mark: UInt8) {
    let length = name.utf8CodeUnitCount
    append(exactly: length + 4) { text in
      text[0] = mark
      text[1] = UInt8(ascii: "\"")
      (text + 2).update(from: name.utf8Start, count: length)
      text[length + 2] = UInt8(ascii: "\"")
      text[length + 3] = UInt8(ascii: ":")
    }
  }

  /// A member with a number.
  mutating func member(_ name: StaticString, _ value: Int) {
    next(name)
    append(decimal: value)
  }

  /// A member with a number, or null.
  mutating func member(_ name: StaticString, _ value: Int?) {
    next(name)
    append(decimalOrNull: value)
  }

  /// A number, or null.
  mutating func append(decimalOrNull value: Int?) {
    if let value { append(decimal: value) } else { append("null" as StaticString) }
  }

  /// A member with a text.
  mutating func member(_ name: StaticString, _ value: String) {
    next(name)
    append(json: value)
  }

  /// A member with a text, or null.
  mutating func member(_ name: StaticString, _ value: String?) {
    next(name)
    if let value { append(json: value) } else { append("null" as StaticString) }
  }

  /// A member with a truth value.
  mutating func member(_ name: StaticString, _ value: Bool) {
    next(name)
    append(value ? "true" : "false" as StaticString)
  }

  /// A member with a list of texts.
  mutating func list(_ name: StaticString, _ words: [String]) {
    next(name)
    append(list: words)
  }

  /// A list of texts.
  mutating func append(list words: [String]) { append(each: words) { $1.append(json: $0) } }

  /// A list, of which `write` appends each element.
  @inline(__always)
  mutating func append<Element>(each elements: [Element], _ write: (Element, inout ResponseBuffer) -> Void) {
    append(UInt8(ascii: "["))
    // In place: an element may be large.
    elements.withUnsafeBufferPointer { elements in
      for index in elements.indices {
        if index > 0 { append(UInt8(ascii: ",")) }
        write(elements[index], &self)
      }
    }
    append(UInt8(ascii: "]"))
  }

  /// A text in quotes, escaped.
  mutating func append(json text: String) {
    append(UInt8(ascii: "\""))
    append(inJSON: text)
    append(UInt8(ascii: "\""))
  }

  /// A text, escaped.
  mutating func append(inJSON text: String) {
    text.withBytes { bytes in
      guard UnsafeRawBufferPointer(bytes).isPlainJSON else { return appendEscaped(bytes) }
      append(contentsOf: bytes)
    }
  }

  /// The 32 digits of a lease's id.
  mutating func append(_ id: LeaseID) {
    append(hex: id.high)
    append(hex: id.low)
  }

  /// A wall-clock second as HTTP headers have it (RFC 9110, 5.6.7).
  mutating func append(imfFixdate seconds: Int) {
    let days = Int64(seconds).dividedDown(by: 86_400)
    let (year, month, day) = civilDate(days)
    let second = UInt32(truncatingIfNeeded: Int64(seconds) - days * 86_400)
    let names: StaticString = "ThuFriSatSunMonTueWedJanFebMarAprMayJunJulAugSepOctNovDec"
    append(exactly: 29) { text in
      text.update(from: names.utf8Start + 3 * Int(((days % 7) + 7) % 7), count: 3)
      text[3] = UInt8(ascii: ",")
      text[4] = UInt8(ascii: " ")
      writeTwoDigits(UInt32(truncatingIfNeeded: day), at: text + 5)
      text[7] = UInt8(ascii: " ")
      (text + 8).update(from: names.utf8Start + 18 + 3 * Int(month), count: 3)
      text[11] = UInt8(ascii: " ")
      writeTwoDigits(UInt32(truncatingIfNeeded: year / 100), at: text + 12)
      writeTwoDigits(UInt32(truncatingIfNeeded: year % 100), at: text + 14)
      text[16] = UInt8(ascii: " ")
      writeTwoDigits(second / 3600, at: text + 17)
      text[19] = UInt8(ascii: ":")
      writeTwoDigits(second / 60 % 60, at: text + 20)
      text[22] = UInt8(ascii: ":")
      writeTwoDigits(second % 60, at: text + 23)
      (text + 25).update(from: (" GMT" as StaticString).utf8Start, count: 4)
    }
  }

  /// A wall-clock instant in quotes: RFC 3339, UTC, milliseconds.
  mutating func append(rfc3339 nanoseconds: Int64) {
    let milliseconds = nanoseconds.dividedDown(by: 1_000_000)
    let seconds = milliseconds.dividedDown(by: 1000)
    let days = seconds.dividedDown(by: 86_400)
    let (year, month, day) = civilDate(days)
    let second = UInt32(truncatingIfNeeded: seconds - days * 86_400)
    append(exactly: 26) { text in
      text[0] = UInt8(ascii: "\"")
      writeTwoDigits(UInt32(truncatingIfNeeded: year / 100), at: text + 1)
      writeTwoDigits(UInt32(truncatingIfNeeded: year % 100), at: text + 3)
      text[5] = UInt8(ascii: "-")
      writeTwoDigits(UInt32(truncatingIfNeeded: month), at: text + 6)
      text[8] = UInt8(ascii: "-")
      writeTwoDigits(UInt32(truncatingIfNeeded: day), at: text + 9)
      text[11] = UInt8(ascii: "T")
      writeTwoDigits(second / 3600, at: text + 12)
      text[14] = UInt8(ascii: ":")
      writeTwoDigits(second / 60 % 60, at: text + 15)
      text[17] = UInt8(ascii: ":")
      writeTwoDigits(second % 60, at: text + 18)
      text[20] = UInt8(ascii: ".")
      let thousandths = UInt32(truncatingIfNeeded: milliseconds - seconds * 1000)
      text[21] = 0x30 &+ UInt8(truncatingIfNeeded: thousandths / 100)
      writeTwoDigits(thousandths % 100, at: text + 22)
      text[24] = UInt8(ascii: "Z")
      text[25] = UInt8(ascii: "\"")
    }
  }
}

extension Int64 {
  /// Division that rounds toward the past, for instants before 1970.
  fileprivate func dividedDown(by divisor: Int64) -> Int64 {
    self >= 0 ? self / divisor : (self - divisor + 1) / divisor
  }
}

/// The day that was asked for last: its number since 1970-01-01, year, month and day, in 24, 16, 8 and 8 bits.
private let knownDay = Atomic<UInt64>(0)

/// Year, month and day of a day number since 1970-01-01: nearly all that is asked for is today.
private func civilDate(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
  let known = knownDay.load(ordering: .relaxed)
  if known != 0, known >> 32 == UInt64(bitPattern: days) {
    return (Int64(known >> 16 & 0xffff), Int64(known >> 8 & 0xff), Int64(known & 0xff))
  }
  let date = HostClock.civilDate(day: days)
  if (0...0xff_ffff).contains(days), date.year <= 0xffff {
    knownDay.store(
      UInt64(days) << 32 | UInt64(date.year) << 16 | UInt64(date.month) << 8 | UInt64(date.day), ordering: .relaxed)
  }
  return date
}
