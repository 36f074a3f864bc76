/// The forms that the caller wants back (RFC 9110, 12.5.1), as far as this service has a choice.
struct Accept {
  /// True when JSON is welcome: no header, a wildcard, or its name.
  private(set) var takesJSON = true
  /// True when plain text is asked for before JSON.
  private(set) var prefersText = false
  /// True when the text of `serialize()` is asked for before JSON.
  private(set) var prefersSerialized = false
  /// True when a page is asked for before JSON, as browsers do.
  private(set) var prefersHTML = false

  @inline(__always)
  init(_ exchange: Exchange) {
    if let header = exchange.header(.accept), !equalsAny(header) { weigh(header) }
  }

  @inline(never)
  private mutating func weigh(_ header: UnsafeBufferPointer<UInt8>) {
    var json = 0
    var text = 0
    var serialized = 0
    var html = 0
    for part in header.split(separator: UInt8(ascii: ",")) {
      let pieces = part.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
      let quality = pieces.dropFirst().compactMap(Self.quality).first ?? 1000
      switch Self.word(pieces[0]) {
      case "*/*", "application/*", "application/json", "application/problem+json", "application/x-ndjson":
        json = max(json, quality)
      case "application/vnd.php.serialized": serialized = max(serialized, quality)
      case "text/html": html = max(html, quality)
      case "text/plain", "text/*": text = max(text, quality)
      default: break
      }
    }
    takesJSON = json > 0
    // JSON wins a draw that names both, unless text was named alone.
    prefersText = text > json
    prefersHTML = html > json
    prefersSerialized = serialized > 0 && serialized >= json
  }

  private static func word(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) -> String {
    String(decoding: bytes, as: UTF8.self).lowercased().filter { $0 != " " && $0 != "\t" }
  }

  /// The weight of `q=0.5` in thousandths; `nil` for any other parameter.
  private static func quality(_ piece: Slice<UnsafeBufferPointer<UInt8>>) -> Int? {
    let text = word(piece)
    guard text.hasPrefix("q="), let value = Double(text.dropFirst(2)), (0...1).contains(value) else { return nil }
    return Int(value * 1000)
  }
}

/// The usual headers of curl and of most libraries, without taking them apart.
private func equalsAny(_ header: UnsafeBufferPointer<UInt8>) -> Bool {
  equalsIgnoringCase(header, "*/*") || equalsIgnoringCase(header, "application/json")
}

/// The type of a body.
enum MediaType {
  case json, form, serialized, bytes, other

  private static let names: [(name: StaticString, type: MediaType)] = [
    ("application/json", .json), ("application/x-www-form-urlencoded", .form),
    ("application/vnd.php.serialized", .serialized), ("application/octet-stream", .bytes),
  ]

  init(_ header: UnsafeBufferPointer<UInt8>?) {
    guard let header else {
      self = .json
      return
    }
    var end = header.firstIndex(of: UInt8(ascii: ";")) ?? header.count
    while end > 0, header[end - 1] == 0x20 || header[end - 1] == 0x09 { end -= 1 }
    let name = UnsafeBufferPointer(rebasing: header[..<end])
    self = Self.names.first { equalsIgnoringCase(name, $0.name) }?.type ?? .other
  }
}
