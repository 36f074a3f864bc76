import Leasehold
import SysVTypes

/// The page of a lock without a script: its holders, its waiters, what happened.
struct PlainLock {
  let key: LockKey
  /// `nil` where there is no such lock now.
  let lock: LockSnapshot?
  let now: MonotonicInstant

  func html(_ history: [LedgerEvent], wallOffset: Int64) -> HTML {
    let head: HTML =
      "<p><a href=\"/\">All locks</a></p><h2>\(name: key.text)</h2><p class=\"sentence\"><b>\(name: key.text)</b>"
    guard let lock else {
      return "\(head) is not there now: nobody has taken it, or it was removed.</p>\(events(history, wallOffset))"
    }
    let state: HTML =
      lock.isDamaged ? " is damaged: another program wrote its values, so nobody gets it" : holding(lock)
    return """
      \(head)\(state)\(waiting(lock))</p>\(lock.isDamaged ? mending : "")\(holders(lock))\(queue(lock))\(behind(lock))\
      \(events(history, wallOffset))
      """
  }

  // The sentence.

  private func holding(_ lock: LockSnapshot) -> HTML {
    let held = lock.holders.filter { $0.state == .held }
    if let first = held.min(by: { $0.grantedAt < $1.grantedAt }) {
      return """
         is \(held.allSatisfy { $0.mode == .shared } ? "read" : "held") by \
        \(lock.holderCount > 1 ? "\(lock.holderCount), the longest by " : "")\(someone(first, lock)), for \
        \((now - first.grantedAt).inWords)\(lock.isNative ? ", and by a native program" : "")
        """
    }
    if lock.isNative { return " is held by a native program\(lock.lastPID.map { process($0, lock) } ?? "")" }
    if let stopping = lock.holders.first(where: { $0.state == .stopping }) {
      return " goes on when the process of its last lease is gone\(named(stopping.owner, after: ": "))"
    }
    if let cooling = lock.holders.first(where: { $0.state == .cooling || $0.state == .kept }),
      let end = cooling.deadline
    {
      let state = cooling.state == .kept ? "is kept" : "cools down"
      return " \(state) for \((end - now).inWords)\(named(cooling.owner, after: " after "))"
    }
    if lock.suspects > 0 { return " is in doubt: nobody knows whether it is taken" }
    if lock.kind.limit == 0 { return " is paused: nothing is granted until it gets another limit" }
    if !lock.queuedFor.isEmpty {
      return " is free, but the first who waits also waits for \(names(lock.queuedFor))"
    }
    return " is free"
  }

  private func named(_ owner: String?, after words: String) -> HTML { owner.map { "\(words)\(name: $0)" } ?? "" }

  private func someone(_ holder: LeaseSnapshot, _ lock: LockSnapshot) -> HTML {
    let owner: HTML = holder.owner.map { "\(name: $0)" } ?? "somebody without a name"
    if let pid = holder.peer.pid { return "\(owner)\(process(pid, lock))" }
    guard holder.owner == nil, let address = holder.peer.address else { return owner }
    return "\(owner) at \(address)"
  }

  private func process(_ pid: Int32, _ lock: LockSnapshot) -> HTML {
    guard let program = lock.programs[pid] else { return ", pid \(pid)" }
    return ", pid \(pid) <code>\(program)</code>"
  }

  private func waiting(_ lock: LockSnapshot) -> HTML {
    guard let first = lock.firstCame else { return "; nobody waits." }
    let count = lock.waiterCount
    return "; \(count == 1 ? "one waits, for" : "\(count) wait, the first for") \((now - first).inWords)."
  }

  private func names(_ keys: [LockKey]) -> HTML {
    var names: HTML = ""
    for (index, key) in keys.enumerated() { names += "\(index > 0 ? ", " : "")\(name: key.text)" }
    return names
  }

  // The parts.

  private var mending: HTML {
    """
    <h3>How to mend it</h3><p>Look first who wrote to its semaphore, and end what still runs under the lock. Then \
    remove it by force; the next acquire makes it anew. No other lock is touched: <code>DELETE /locks/\
    \(encoded: key.text)?force=true</code></p>
    """
  }

  private func holders(_ lock: LockSnapshot) -> HTML {
    guard !lock.holders.isEmpty else { return "<h3>Held by</h3><p>No lease.</p>" }
    let rows = lock.holders.map { holder -> HTML in
      let cpuTime = holder.remarks?.cpuTime.map { ", \($0.inWords) of CPU" } ?? ""
      return """
        <td>\(who: holder.owner, at: holder.peer)\(named(holder.remarks?.note, after: ": "))\
        \(holder.remarks?.isAskedToYield == true ? ", asked to yield to a newer one" : "")</td>\
        \(cell: holder.state == .held ? holder.mode.inWords(holder.count) : "\(holder.state)")\
        \(cell: (now - holder.grantedAt).inWords + cpuTime)\
        \(cell: holder.deadline.map { ($0 - now).inWords } ?? "no deadline")\(cell: "\(holder.fence)")\
        <td><code>leasehold break \(holder.ref)</code></td>
        """
    }
    return "<h3>Held by</h3>\(HTML.queue(["Who", "Has it", "Held for", "Ends in", "Fence", "To end it"], rows))"
  }

  private func queue(_ lock: LockSnapshot) -> HTML {
    guard !lock.waiters.isEmpty else { return "" }
    let heads = ["Place", "Who", "Wants", "Waits for", "Gives up in", "Also waits for"]
    let rows = lock.waiters.enumerated().map { index, waiter -> HTML in
      """
      <td>\(index + 1)</td><td>\(who: waiter.owner, at: waiter.peer)</td>\
      \(cell: waiter.mode.inWords(waiter.count))\(cell: (now - waiter.since).inWords)\
      \(cell: (waiter.until - now).inWords)<td>\(names(waiter.keys.filter { $0 != key }))</td>
      """
    }
    var html: HTML = "<h3>Waiting, the next one first</h3>\(HTML.queue(heads, rows))"
    if lock.waiterCount > lock.waiters.count { html += "<p>and \(lock.waiterCount - lock.waiters.count) more</p>" }
    return html
  }

  private func behind(_ lock: LockSnapshot) -> HTML {
    var html: HTML = "<h3>Behind it</h3><p>\(lock.slotsInWords)"
    if let fence = lock.fence { html += "; the last fence is \(fence)" }
    if let binding = lock.binding {
      let key = IPCKey(rawValue: binding.key)
      html += "; semaphore \(binding.semaphore) of \(binding.semaphoreCount) in set \(key.hexadecimal)"
      html += ", id \(binding.id); its value is \(lock.availableUnits.map { "\($0)" } ?? "unknown")"
    }
    html += ".</p>"
    return html
  }

  private func events(_ history: [LedgerEvent], _ wallOffset: Int64) -> HTML {
    guard !history.isEmpty else { return "" }
    var html: HTML = "<h3>Its last events</h3><ol class=\"events\">"
    for event in history {
      var quoted = ResponseBuffer(capacity: 32)
      quoted.append(rfc3339: event.at &+ wallOffset)
      let instant = quoted.withBytes { String(decoding: $0.dropFirst().dropLast(), as: UTF8.self) }
      let text: HTML = event.text.map { "\(name: $0)" } ?? ""
      let note = event.breaking
      html += """
        <li><time>\(instant)</time><span>\(event.kind.name)</span><span>\(text)\(note?.by.map { " by \($0)" } ?? "")\
        \(note?.reason.map { ": \($0)" } ?? "")</span></li>
        """
    }
    html += "</ol>"
    return html
  }
}
