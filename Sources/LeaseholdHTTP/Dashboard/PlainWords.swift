import Leasehold

// What the page says without a script; `list.js` and `lock.js` say the same.

extension ResponseBuffer {
  /// Appends a text so that HTML takes it for nothing but text, in an element as in a quoted attribute, and a reader
  /// sees all of it: what does not show, such as a mark of direction, is there by its number.
  mutating func append(escaped text: String) {
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": append("&amp;" as StaticString)
      case "<": append("&lt;" as StaticString)
      case ">": append("&gt;" as StaticString)
      case "\"": append("&quot;" as StaticString)
      case "'": append("&#39;" as StaticString)
      case _ where scalar.isHidden: append("\\u{\(String(scalar.value, radix: 16))}")
      default: for byte in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter { append(byte) }
      }
    }
  }

  /// Appends a text as one segment of a path or one value of a query.
  mutating func append(percentEncoded text: String) {
    for byte in text.utf8 {
      switch byte {
      case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
        append(byte)
      default:
        append(UInt8(ascii: "%"))
        append(hex: UInt64(byte), digits: 2)
      }
    }
  }

  /// Appends a caller's text, set apart from what is around it.
  mutating func append(name text: String) {
    append("<bdi>" as StaticString)
    append(escaped: text)
    append("</bdi>" as StaticString)
  }

  /// Appends a name that is cut in its middle where it has no room; beginnings and ends tell names apart.
  mutating func append(cut text: String) {
    let endShown = 14
    guard text.count > 2 * endShown else { return append(name: text) }
    append("<bdi class=\"cut\" title=\"" as StaticString)
    append(escaped: text)
    append("\"><span class=\"start\">" as StaticString)
    append(escaped: String(text.dropLast(endShown)))
    append("</span><span class=\"end\">" as StaticString)
    append(escaped: String(text.suffix(endShown)))
    append("</span></bdi>" as StaticString)
  }

  /// Appends a link to the page of a lock.
  mutating func append(linkTo lock: LockSnapshot) {
    append("<a href=\"/ui/locks/" as StaticString)
    append(percentEncoded: lock.key.text)
    // Some names say only with the numbers of their semaphores which lock is meant.
    if let binding = lock.binding, let dialect = lock.key.native?.dialect {
      if dialect == "apache", let companion = binding.companion {
        append("?semaphore_key=\(binding.key)&amp;nsems=\(2 * (companion - binding.semaphore))")
      } else if dialect == "path" {
        append("?project=\(binding.key >> 24 & 0xff)&amp;sem=\(binding.semaphore)")
      }
    }
    append("\">" as StaticString)
    append(cut: lock.key.text)
    append("</a>" as StaticString)
  }

  /// Appends the owner, which leads to all that it holds, or the place of the peer.
  mutating func append(who owner: String?, at peer: Peer) {
    guard let owner else { return append(escaped: peer.inBrief) }
    append("<a href=\"/ui/owners/" as StaticString)
    append(percentEncoded: owner)
    append("\">" as StaticString)
    append(cut: owner)
    append("</a>" as StaticString)
  }

  /// Appends a cell of a table.
  mutating func cell(_ text: String) {
    append("<td>" as StaticString)
    append(escaped: text)
    append("</td>" as StaticString)
  }
}

extension Peer {
  /// The place of a peer, as far as it is known.
  var inBrief: String { pid.map { "pid \($0)" } ?? address ?? "no name" }
}

extension TimeSpan {
  /// The time in its largest unit, and below ten of that in the next one too.
  var inWords: String {
    let seconds = max(0, milliseconds / 1000)
    switch seconds {
    case ..<60: return "\(seconds) s"
    case ..<600: return "\(seconds / 60) min \(seconds % 60) s"
    case ..<3600: return "\(seconds / 60) min"
    case ..<(10 * 3600): return "\(seconds / 3600) h \(seconds / 60 % 60) min"
    case ..<(48 * 3600): return "\(seconds / 3600) h"
    default: return "\(seconds / 86_400) days"
    }
  }
}

extension LockMode {
  /// The words for how a holder has it, or a waiter wants it.
  func inWords(_ count: Int) -> String {
    (self == .shared ? "reads" : "alone") + (count > 1 ? ", \(count) slots" : "")
  }
}

extension LockSnapshot {
  /// True when programs that do not ask this service hold some of it.
  var isNative: Bool { nativeUnits.map { $0 > 0 } ?? (available == 0 && holderCount == 0) }

  /// The use that is made of it, in a word.
  var stateInWords: String {
    if isDamaged { return "damaged" }
    if waiterCount > 0 { return "waited for" }
    if holderCount > 0 || isNative { return "held" }
    return coolingCount > 0 ? "cools down" : "free"
  }

  /// The room that it has, in words.
  var slotsInWords: String {
    guard let limit = kind.limit else { return kind == .readersWriter ? "readers and writer" : "" }
    if limit == 0 { return "paused" }
    return limit == 1 ? "one at a time" : "\(limit - (available ?? limit)) of \(limit) slots"
  }
}
