import Leasehold

/// The page of an owner without a script: all that it holds.
struct PlainOwner {
  let owner: String
  let leases: Page<LeaseSnapshot>
  let now: MonotonicInstant

  func write(into html: inout ResponseBuffer) {
    html.append("<p><a href=\"/\">All locks</a></p><h2>" as StaticString)
    html.append(name: owner)
    html.append("</h2><p class=\"sentence\"><b>" as StaticString)
    html.append(name: owner)
    let count = leases.entries.count
    html.append(
      count == 0 ? "</b> holds nothing now.</p>" : "</b> holds \(count) \(count == 1 ? "lease" : "leases").</p>")
    guard count > 0 else { return }
    html.append(
      """
      <table class="queue"><thead><tr><th scope="col">Lock</th><th scope="col">Has it</th><th scope="col">Held for</th>\
      <th scope="col">Ends in</th><th scope="col">To end it</th></tr></thead><tbody>
      """ as StaticString)
    for lease in leases.entries {
      html.append("<tr><td>" as StaticString)
      for (index, key) in (lease.parts.isEmpty ? [lease.key] : lease.parts.map(\.key)).enumerated() {
        html.append(index > 0 ? ", <a href=\"/ui/locks/" : "<a href=\"/ui/locks/" as StaticString)
        html.append(percentEncoded: key.text)
        html.append("\">" as StaticString)
        html.append(name: key.text)
        html.append("</a>" as StaticString)
      }
      html.append("</td>" as StaticString)
      html.cell(lease.mode.inWords(lease.count))
      html.cell((now - lease.grantedAt).inWords)
      html.cell(lease.deadline.map { ($0 - now).inWords } ?? "no deadline")
      html.append("<td><code>leasehold break \(lease.ref)</code></td></tr>")
    }
    html.append("</tbody></table>" as StaticString)
    if leases.nextCursor != nil { html.append("<p>There are more: see /leases.</p>" as StaticString) }
  }
}
