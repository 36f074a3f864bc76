import CDashboard

/// The page as it lies in the program: everything but what happens now, and the policy that goes with it.
struct DashboardParts: Sendable {
  /// Up to where what the server knows now stands.
  let head: String
  /// From there on.
  let tail: String
  /// The value of Content-Security-Policy; `nil` where the library has no SHA-256.
  let policy: String?

  /// Cut once, when the page is first asked for.
  static let shared = DashboardParts()

  private init() {
    let style = Self.text(leasehold_dashboard_style())
    let script = Self.text(leasehold_dashboard_script())
    let pieces = Self.text(leasehold_dashboard_page()).split(separator: "@", omittingEmptySubsequences: false)
    var (head, tail, isBehind) = ("", "", false)
    for piece in pieces {
      switch piece {
      case "PLAIN": isBehind = true
      case "STYLE": head += style
      case "SCRIPT": tail += script
      default: if isBehind { tail += piece } else { head += piece }
      }
    }
    self.head = head
    self.tail = tail
    policy = Self.policy(style: style, script: script)
  }

  /// Nothing but these two texts runs or paints, nothing is fetched from elsewhere, and the icon is in the page.
  private static func policy(style: String, script: String) -> String? {
    guard let style = digest(style), let script = digest(script) else { return nil }
    return "default-src 'none'; script-src 'sha256-\(script)'; style-src 'sha256-\(style)'; img-src data:; "
      + "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
  }

  private static func digest(_ text: String) -> String? {
    var text = text
    return text.withUTF8 { SHA256(UnsafeRawBufferPointer($0)) }?.base64
  }

  private static func text(_ text: leasehold_text) -> String {
    String(decoding: UnsafeRawBufferPointer(start: text.bytes, count: text.size), as: UTF8.self)
  }
}

extension SHA256 {
  /// As a Content-Security-Policy names it (RFC 4648, 4).
  fileprivate var base64: String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var text: [UInt8] = []
    withBytes { bytes in
      for start in stride(from: 0, to: bytes.count, by: 3) {
        let group = (0..<3).reduce(0) { $0 << 8 | (start + $1 < bytes.count ? Int(bytes[start + $1]) : 0) }
        for place in 0..<4 {
          let isPadding = start + place > bytes.count
          text.append(isPadding ? UInt8(ascii: "=") : alphabet[group >> (18 - 6 * place) & 63])
        }
      }
    }
    return String(decoding: text, as: UTF8.self)
  }
}
