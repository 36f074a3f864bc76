/// What the caller wants back (RFC 9110, 12.5.1), as far as this service has a choice.
struct Accept {
  /// Whether JSON is welcome: no header, a wildcard, or its name.
  private(set) var takesJSON = true
  /// Whether plain text is asked for before JSON.
  private(set) var prefersText = false

  init(_ exchange: Exchange) {
    guard let header = exchange.header(.accept), !equalsAny(header) else { return }
    takesJSON = false
    for part in header.split(separator: UInt8(ascii: ",")) {
      let pieces = part.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
      let name = String(decoding: pieces[0], as: UTF8.self).lowercased().filter { $0 != " " && $0 != "\t" }
      if pieces.dropFirst().contains(where: Self.isZeroQuality) { continue }
      switch name {
      case "*/*", "application/*", "application/json", "application/problem+json", "application/x-ndjson":
        takesJSON = true
      case "text/plain", "text/*": if !takesJSON { prefersText = true }
      default: break
      }
    }
  }

  private static func isZeroQuality(_ piece: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
    let text = String(decoding: piece, as: UTF8.self).filter { $0 != " " && $0 != "\t" }
    return text.hasPrefix("q=0") && text.dropFirst(3).allSatisfy { $0 == "." || $0 == "0" }
  }
}

/// The usual headers of curl and of most libraries, without taking them apart.
private func equalsAny(_ header: UnsafeBufferPointer<UInt8>) -> Bool {
  equalsIgnoringCase(header, "*/*") || equalsIgnoringCase(header, "application/json")
}

/// The type of a body.
enum MediaType {
  case json, form, other

  init(_ header: UnsafeBufferPointer<UInt8>?) {
    guard let header else {
      self = .json
      return
    }
    var end = header.firstIndex(of: UInt8(ascii: ";")) ?? header.count
    while end > 0, header[end - 1] == 0x20 || header[end - 1] == 0x09 { end -= 1 }
    let name = UnsafeBufferPointer(rebasing: header[..<end])
    if equalsIgnoringCase(name, "application/json") {
      self = .json
    } else if equalsIgnoringCase(name, "application/x-www-form-urlencoded") {
      self = .form
    } else {
      self = .other
    }
  }
}
