import Glibc
import PHPVariables

/// What is read is written so that it is read as the same again; what is refused is refused with a place in the text.
///
/// - Returns: Whether it was accepted.
func checkSerialized(_ bytes: [UInt8]) -> Bool {
  let value: PHPValue
  do throws(PHPUnserializer.Flaw) {
    value = try PHPUnserializer.unserialize(bytes)
  } catch {
    if !(0...bytes.count).contains(error.offset) { fail("\(error) of \(bytes)") }
    return false
  }
  // Where a key stands twice the later value counts, and references count the values that were there.
  if holdsOpaque(value) { return true }
  let text = PHPSerializer.serialize(value)
  guard let again = try? PHPUnserializer.unserialize(text), PHPSerializer.serialize(again) == text else {
    fail("not read back: \(bytes)")
  }
  guard let json = try? Array("\(value.json())".utf8) else { return true }
  let back = json.withUnsafeBufferPointer { try? PHPValue(json: $0) }
  guard let back, PHPSerializer.serialize(back) == text else { fail("JSON is not read back: \(bytes)") }
  return true
}

private func holdsOpaque(_ value: PHPValue) -> Bool {
  switch value {
  case .object, .reference: true
  case .array(let elements): elements.contains { holdsOpaque($0.value) }
  default: false
  }
}

/// JSON that is taken is a value, and its JSON is the same value.
func checkJSON(_ bytes: [UInt8]) -> Bool {
  guard let value = bytes.withUnsafeBufferPointer({ try? PHPValue(json: $0) }) else { return false }
  let text = PHPSerializer.serialize(value)
  guard (try? PHPUnserializer.unserialize(text)) == value else { fail("not read back: \(bytes)") }
  return checkSerialized(text)
}

/// A segment in memory whose neighbours on both sides may not be touched.
struct SegmentCheck {
  private let whole: UnsafeMutableRawPointer
  private let wholeBytes: Int
  private let bytes: UnsafeMutableRawBufferPointer

  /// Puts the bytes at the end of a page, or at the beginning of one: what reads or writes beyond is a fault.
  init(_ content: [UInt8]) {
    let page = Int(getpagesize())
    let inner = max(1, (content.count + page - 1) / page) * page
    wholeBytes = inner + 2 * page
    guard let mapped = mmap(nil, wholeBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), mapped != MAP_FAILED,
      mprotect(mapped + page, inner, PROT_READ | PROT_WRITE) == 0
    else { fail("no memory") }
    whole = mapped
    let isAtEnd = content.count & 1 == content.last.map { Int($0) & 1 } ?? 0
    let start = isAtEnd ? mapped + page + inner - content.count : mapped + page
    bytes = UnsafeMutableRawBufferPointer(start: start, count: content.count)
    bytes.copyBytes(from: content)
  }

  /// Reads, stores and removes; after each step the segment is whole, or no byte has changed.
  func run(_ random: inout Source) -> Bool {
    defer { munmap(whole, wholeBytes) }
    guard var segment = try? VariableSegment(bytes) else { return false }
    for _ in 0..<4 {
      let before = Array(bytes)
      let key = Int64(random.below(4)) - 1
      switch random.below(3) {
      case 0: list(segment)
      case 1:
        let text = [UInt8](repeating: 0x4e, count: random.below(40))
        if (try? segment.put(key, text)) != nil {
          if (try? VariableSegment(bytes).text(of: key)) != text { fail("lost what was put: \(before)") }
        } else if Array(bytes) != before {
          fail("a put that failed changed something: \(before)")
        }
      default:
        if (try? segment.remove(key)) == nil, Array(bytes) != before {
          fail("a removal of nothing changed something: \(before)")
        }
      }
      guard (try? VariableSegment(bytes)) != nil else { fail("not whole any more: \(before)") }
    }
    return true
  }

  private func list(_ segment: borrowing VariableSegment) {
    var count = 0
    try? segment.forEach { chunk in
      count += 1
      return chunk.text.upperBound <= bytes.count && count <= bytes.count
    }
    if count > bytes.count { fail("a walk without an end: \(Array(bytes))") }
  }
}
