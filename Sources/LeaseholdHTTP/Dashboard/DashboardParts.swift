import CDashboard
import JSONText

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

  /// As a Content-Security-Policy names it.
  private static func digest(_ text: String) -> String? {
    var text = text
    guard let digest = text.withUTF8({ SHA256(UnsafeRawBufferPointer($0)) }) else { return nil }
    return Base64.encode(digest.withBytes { Array($0) })
  }

  private static func text(_ text: leasehold_text) -> String {
    String(decoding: UnsafeRawBufferPointer(start: text.bytes, count: text.size), as: UTF8.self)
  }
}
