import Leasehold

/// `GET /` for browsers: one page that shows what the service knows.
///
/// Everything that a script may add it reads from the API. Without one the page is a plain table of locks.
enum Dashboard {
  /// The most locks in the plain table.
  private static let lockMaximum = 1000

  static func page(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let parts = DashboardParts.shared
    var body = ResponseBuffer(capacity: parts.head.utf8.count + parts.tail.utf8.count + 4096)
    body.append(parts.head)
    // The page is given to everybody, what it shows is not; a browser has no token to send before it has the page.
    if call.server.guardian.asksForToken(call.exchange) || call.exchange.context.token != nil {
      body.append("<p>The locks are shown to who has a token: a read of /locks with it lists them.</p>" as StaticString)
    } else {
      var filter = ListFilter()
      filter.limit = lockMaximum
      let asked = filter
      let page = try call.server.engine.locks.locks(asked)
      table(page, into: &body)
    }
    body.append(parts.tail)
    var response = Response(status: 200, contentType: "text/html; charset=utf-8", body: body)
    response.add("Content-Security-Policy", parts.policy ?? "default-src 'none'; frame-ancestors 'none'")
    response.add("Referrer-Policy", "no-referrer" as StaticString)
    response.add("Vary", "Accept" as StaticString)
    response.add("Link", "</docs>; rel=\"service-doc\"" as StaticString)
    return .respond(response)
  }

  static func table(_ page: Page<LockSnapshot>, into html: inout ResponseBuffer) {
    guard !page.entries.isEmpty else {
      return html.append("<p>No locks are known now.</p>" as StaticString)
    }
    html.append(
      """
      <div class="scroll" tabindex="0" role="group" aria-label="Locks"><table><caption>Locks</caption><thead><tr>\
      <th scope="col">Lock</th><th scope="col">Limit</th><th scope="col">Available</th><th scope="col">Holders</th>\
      <th scope="col">Waiters</th><th scope="col">Native</th></tr></thead><tbody>
      """ as StaticString)
    for lock in page.entries {
      html.append("\n<tr><th scope=\"row\"><bdi>" as StaticString)
      html.append(escaped: lock.key.text)
      html.append("</bdi>" as StaticString)
      if lock.isDamaged { html.append(" (damaged)" as StaticString) }
      if lock.coolingCount > 0 { html.append(" (cools down)" as StaticString) }
      html.append("</th>" as StaticString)
      // A readers-writer lock has no limit: one writer, or many readers.
      if let limit = lock.kind.limit { cell(limit, into: &html) } else { html.append("<td>rw</td>" as StaticString) }
      cell(lock.available, into: &html)
      cell(lock.holderCount, into: &html)
      cell(lock.waiterCount, into: &html)
      cell(lock.nativeUnits, into: &html)
      html.append("</tr>" as StaticString)
    }
    html.append("</tbody></table></div>" as StaticString)
    if page.nextCursor != nil { html.append("<p>There are more: see /locks.</p>" as StaticString) }
  }

  private static func cell(_ number: Int?, into html: inout ResponseBuffer) {
    html.append("<td>" as StaticString)
    if let number { html.append(decimal: number) } else { html.append("–" as StaticString) }
    html.append("</td>" as StaticString)
  }
}

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
}
