import JSONText
import Leasehold

// What the page says without a script; `list.js` and `lock.js` say the same.

/// A piece of a page: what is put into it is text and nothing but text, unless it is a piece itself.
struct HTML: ExpressibleByStringInterpolation {
  private(set) var text: String

  init(stringLiteral text: String) { self.text = text }
  init(stringInterpolation pieces: Interpolation) { text = pieces.text }

  static func += (page: inout HTML, piece: HTML) { page.text += piece.text }

  struct Interpolation: StringInterpolationProtocol {
    fileprivate var text = ""

    init(literalCapacity: Int, interpolationCount: Int) {}

    mutating func appendLiteral(_ literal: String) { text += literal }
    mutating func appendInterpolation(_ piece: HTML) { text += piece.text }
    mutating func appendInterpolation(_ number: some BinaryInteger) { text += "\(number)" }

    /// Appends a text so that HTML takes it for nothing but text, in an element as in a quoted attribute, and a reader
    /// sees all of it: what does not show, such as a mark of direction, is there by its number.
    mutating func appendInterpolation(_ shown: String) {
      for scalar in shown.unicodeScalars {
        switch scalar {
        case "&": text += "&amp;"
        case "<": text += "&lt;"
        case ">": text += "&gt;"
        case "\"": text += "&quot;"
        case "'": text += "&#39;"
        case _ where scalar.isHidden: text += "\\u{\(String(scalar.value, radix: 16))}"
        default: text.unicodeScalars.append(scalar)
        }
      }
    }

    /// Appends a text as one segment of a path or one value of a query.
    mutating func appendInterpolation(encoded name: String) {
      text += name.percentEncoded(keeping: "-._")
    }

    /// Appends a caller's text, set apart from what is around it.
    mutating func appendInterpolation(name: String) { appendInterpolation("<bdi>\(name)</bdi>" as HTML) }

    /// Appends a name that is cut in its middle where it has no room; beginnings and ends tell names apart.
    mutating func appendInterpolation(cut name: String) {
      let endShown = 14
      guard name.count > 2 * endShown else { return appendInterpolation(name: name) }
      appendInterpolation(
        """
        <bdi class="cut" title="\(name)"><span class="start">\(String(name.dropLast(endShown)))</span>\
        <span class="end">\(String(name.suffix(endShown)))</span></bdi>
        """ as HTML)
    }

    /// Appends the owner, which leads to all that it holds, or the place of the peer.
    mutating func appendInterpolation(who owner: String?, at peer: Peer) {
      guard let owner else { return appendInterpolation(peer.inBrief) }
      appendInterpolation("<a href=\"/ui/owners/\(encoded: owner)\">\(cut: owner)</a>" as HTML)
    }

    /// Appends a cell of a table.
    mutating func appendInterpolation(cell: String) { appendInterpolation("<td>\(cell)</td>" as HTML) }
  }

  /// A table of holders or waiters: the heads of its columns, and the cells of each row.
  static func queue(_ heads: [String], _ rows: [HTML]) -> HTML {
    var html: HTML = "<table class=\"queue\"><thead><tr>"
    for head in heads { html += "<th scope=\"col\">\(head)</th>" }
    html += "</tr></thead><tbody>"
    for row in rows { html += "<tr>\(row)</tr>" }
    html += "</tbody></table>"
    return html
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
  /// A link to the page of the lock.
  var link: HTML {
    var numbers: HTML = ""
    // Some names say only with the numbers of their semaphores which lock is meant.
    if let binding, let dialect = key.native?.dialect {
      if dialect == "apache", let companion = binding.companion {
        numbers = "?semaphore_key=\(binding.key)&amp;nsems=\(2 * (companion - binding.semaphore))"
      } else if dialect == "path" {
        numbers = "?project=\(binding.key >> 24 & 0xff)&amp;sem=\(binding.semaphore)"
      }
    }
    return "<a href=\"/ui/locks/\(encoded: key.text)\(numbers)\">\(cut: key.text)</a>"
  }

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
    guard let limit = kind.limit else {
      if kind == .readersWriter { return "readers and writer" }
      return available.map { "\($0) to be had" } ?? "slots"
    }
    if limit == 0 { return "paused" }
    return limit == 1 ? "one at a time" : "\(limit - (available ?? limit)) of \(limit) slots"
  }
}
