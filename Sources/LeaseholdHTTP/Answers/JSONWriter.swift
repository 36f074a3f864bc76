import Glibc
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

  /// Begins an object with a number, or null.
  mutating func open(_ name: StaticString, _ value: Int?) {
    open(name)
    append(decimalOrNull: value)
  }

  /// Begins an object with a text, or null.
  mutating func open(_ name: StaticString, _ value: String?) {
    open(name)
    append(jsonOrNull: value)
  }

  /// Begins an object with something that is so.
  mutating func open(_ name: StaticString, _ value: Bool) {
    open(name)
    append(value ? "true" : "false" as StaticString)
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

  /// A member with a number, or null.
  mutating func member(_ name: StaticString, _ value: Int?) {
    next(name)
    append(decimalOrNull: value)
  }

  /// A number, or null.
  mutating func append(decimalOrNull value: Int?) {
    if let value { append(decimal: value) } else { append("null" as StaticString) }
  }

  /// A member with a text, or null.
  mutating func member(_ name: StaticString, _ value: String?) {
    next(name)
    append(jsonOrNull: value)
  }

  /// A text in quotes, or null.
  mutating func append(jsonOrNull value: String?) {
    if let value { append(json: value) } else { append("null" as StaticString) }
  }

  /// A member with a truth value.
  mutating func member(_ name: StaticString, _ value: Bool) {
    next(name)
    append(value ? "true" : "false" as StaticString)
  }

  /// A member with a list, of which `write` appends each element.
  @inline(__always)
  mutating func member<Element>(
    _ name: StaticString, each elements: [Element], _ write: (Element, inout ResponseBuffer) -> Void
  ) {
    next(name)
    append(each: elements, write)
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
    let (year, month, day) = HostClock.civilDate(day: days)
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
    let second = UInt32(truncatingIfNeeded: seconds - days * 86_400)
    let thousandths = UInt32(truncatingIfNeeded: milliseconds - seconds * 1000)
    // Hours, minutes and seconds side by side, and all but the last digit of the rest.
    let digits = (second &+ second / 60 &* 40 &+ second / 3600 &* 4000) &* 100 &+ thousandths / 10
    let (date, time) = (packedDigits(dateDigits(days)), eightDigits(UInt64(digits)) | asciiZeros)
    append(exactly: 26) { text in
      let memory = UnsafeMutableRawPointer(text)
      memcpy(memory, ("\"0000-00-00T00:00:00.000Z\"" as StaticString).utf8Start, 26)
      memory.storeBytes(of: UInt32(truncatingIfNeeded: date), toByteOffset: 1, as: UInt32.self)
      memory.storeBytes(of: UInt16(truncatingIfNeeded: date >> 32), toByteOffset: 6, as: UInt16.self)
      memory.storeBytes(of: UInt16(truncatingIfNeeded: date >> 48), toByteOffset: 9, as: UInt16.self)
      memory.storeBytes(of: UInt16(truncatingIfNeeded: time), toByteOffset: 12, as: UInt16.self)
      memory.storeBytes(of: UInt16(truncatingIfNeeded: time >> 16), toByteOffset: 15, as: UInt16.self)
      memory.storeBytes(of: UInt16(truncatingIfNeeded: time >> 32), toByteOffset: 18, as: UInt16.self)
      memory.storeBytes(of: UInt16(truncatingIfNeeded: time >> 48), toByteOffset: 21, as: UInt16.self)
      text[23] = 0x30 &+ UInt8(truncatingIfNeeded: thousandths % 10)
    }
  }
}

extension Int64 {
  /// Division that rounds toward the past, for instants before 1970.
  fileprivate func dividedDown(by divisor: Int64) -> Int64 {
    self >= 0 ? self / divisor : (self - divisor + 1) / divisor
  }
}

/// The day that was asked for last: its number since 1970-01-01 in the high half, its date in the low one; no day yet.
private let knownDay = Atomic<UInt64>(.max)

/// The date of a day number since 1970-01-01 as eight digits of four bits, yyyymmdd: nearly all that is asked for is
/// today.
private func dateDigits(_ days: Int64) -> UInt64 {
  let known = knownDay.load(ordering: .relaxed)
  if known >> 32 == UInt64(bitPattern: days) { return known & 0xffff_ffff }
  let date = HostClock.civilDate(day: days)
  let digits = UInt64("\(date.year * 10_000 + date.month * 100 + date.day)", radix: 16) ?? 0
  if days >= 0 { knownDay.store(UInt64(days) << 32 | digits, ordering: .relaxed) }
  return digits
}
