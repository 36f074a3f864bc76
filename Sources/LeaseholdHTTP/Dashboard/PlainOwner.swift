import Leasehold

/// The page of an owner without a script: all that it holds.
struct PlainOwner {
  let owner: String
  let leases: Page<LeaseSnapshot>
  let now: MonotonicInstant

  var html: HTML {
    let count = leases.entries.count
    var html: HTML = """
      <p><a href="/">All locks</a></p><h2>\(name: owner)</h2><p class="sentence"><b>\(name: owner)</b> holds \
      \(count == 0 ? "nothing now" : "\(count) \(count == 1 ? "lease" : "leases")").</p>
      """
    guard count > 0 else { return html }
    let rows = leases.entries.map { lease -> HTML in
      var locks: HTML = ""
      for (index, key) in (lease.parts.isEmpty ? [lease.key] : lease.parts.map(\.key)).enumerated() {
        locks += "\(index > 0 ? ", " : "")<a href=\"/ui/locks/\(encoded: key.text)\">\(name: key.text)</a>"
      }
      return """
        <td>\(locks)</td>\(cell: lease.mode.inWords(lease.count))\(cell: (now - lease.grantedAt).inWords)\
        \(cell: lease.deadline.map { ($0 - now).inWords } ?? "no deadline")\
        <td><code>leasehold break \(lease.ref)</code></td>
        """
    }
    html += .queue(["Lock", "Has it", "Held for", "Ends in", "To end it"], rows)
    if leases.nextCursor != nil { html += "<p>There are more: see /leases.</p>" }
    return html
  }
}
