import Leasehold

/// The page of a lock without a script: its holders, its waiters, what happened.
struct PlainLock {
  let key: LockKey
  /// `nil` where there is no such lock now.
  let lock: LockSnapshot?
  let now: MonotonicInstant

  func write(_ history: [LedgerEvent], wallOffset: Int64, into html: inout ResponseBuffer) {
    html.append("<p><a href=\"/\">All locks</a></p><h2>" as StaticString)
    html.append(name: key.text)
    html.append("</h2><p class=\"sentence\"><b>" as StaticString)
    html.append(name: key.text)
    html.append("</b>" as StaticString)
    if let lock {
      lock.isDamaged
        ? html.append(" is damaged: another program wrote its values, so nobody gets it" as StaticString)
        : holding(lock, into: &html)
      waiting(lock, into: &html)
      html.append("</p>" as StaticString)
      if lock.isDamaged { mend(into: &html) }
      holders(lock, into: &html)
      queue(lock, into: &html)
      behind(lock, into: &html)
    } else {
      html.append(" is not there now: nobody has taken it, or it was removed.</p>" as StaticString)
    }
    write(history, wallOffset, into: &html)
  }

  // The sentence.

  private func holding(_ lock: LockSnapshot, into html: inout ResponseBuffer) {
    let held = lock.holders.filter { $0.state == .held }
    if let first = held.min(by: { $0.grantedAt < $1.grantedAt }) {
      html.append(held.allSatisfy { $0.mode == .shared } ? " is read by " : " is held by " as StaticString)
      if lock.holderCount > 1 { html.append("\(lock.holderCount), the longest by ") }
      someone(first, lock, into: &html)
      html.append(", for \((now - first.grantedAt).inWords)")
      if lock.isNative { html.append(", and by a native program" as StaticString) }
    } else if lock.isNative {
      html.append(" is held by a native program" as StaticString)
      if let pid = lock.lastPID {
        html.append(", pid \(pid)")
        program(pid, lock, into: &html)
      }
    } else if let stopping = lock.holders.first(where: { $0.state == .stopping }) {
      html.append(" goes on when the process of its last lease is gone" as StaticString)
      if let owner = stopping.owner {
        html.append(": " as StaticString)
        html.append(name: owner)
      }
    } else if let cooling = lock.holders.first(where: { $0.state == .cooling || $0.state == .kept }),
      let end = cooling.deadline
    {
      html.append(" \(cooling.state == .kept ? "is kept" : "cools down") for \((end - now).inWords)")
      if let owner = cooling.owner {
        html.append(" after " as StaticString)
        html.append(name: owner)
      }
    } else if lock.suspects > 0 {
      html.append(" is in doubt: nobody knows whether it is taken" as StaticString)
    } else if lock.kind.limit == 0 {
      html.append(" is paused: nothing is granted until it gets another limit" as StaticString)
    } else if !lock.queuedFor.isEmpty {
      html.append(" is free, but the first who waits also waits for " as StaticString)
      names(lock.queuedFor, into: &html)
    } else {
      html.append(" is free" as StaticString)
    }
  }

  private func someone(_ holder: LeaseSnapshot, _ lock: LockSnapshot, into html: inout ResponseBuffer) {
    if let owner = holder.owner {
      html.append(name: owner)
    } else {
      html.append("somebody without a name" as StaticString)
    }
    if let pid = holder.peer.pid {
      html.append(", pid \(pid)")
      program(pid, lock, into: &html)
    } else if holder.owner == nil, let address = holder.peer.address {
      html.append(" at " as StaticString)
      html.append(escaped: address)
    }
  }

  private func program(_ pid: Int32, _ lock: LockSnapshot, into html: inout ResponseBuffer) {
    guard let name = lock.programs[pid] else { return }
    html.append(" <code>" as StaticString)
    html.append(escaped: name)
    html.append("</code>" as StaticString)
  }

  private func waiting(_ lock: LockSnapshot, into html: inout ResponseBuffer) {
    guard let first = lock.firstCame else { return html.append("; nobody waits." as StaticString) }
    html.append(lock.waiterCount == 1 ? "; one waits, for " : "; \(lock.waiterCount) wait, the first for ")
    html.append("\((now - first).inWords).")
  }

  private func names(_ keys: [LockKey], into html: inout ResponseBuffer) {
    for (index, key) in keys.enumerated() {
      if index > 0 { html.append(", " as StaticString) }
      html.append(name: key.text)
    }
  }

  // The parts.

  private func mend(into html: inout ResponseBuffer) {
    html.append(
      """
      <h3>How to mend it</h3><p>Look first who wrote to its semaphore, and end what still runs under the lock. Then \
      remove it by force; the next acquire makes it anew. No other lock is touched: <code>DELETE /locks/
      """ as StaticString)
    html.append(percentEncoded: key.text)
    html.append("?force=true</code></p>" as StaticString)
  }

  private func holders(_ lock: LockSnapshot, into html: inout ResponseBuffer) {
    html.append("<h3>Held by</h3>" as StaticString)
    guard !lock.holders.isEmpty else { return html.append("<p>No lease.</p>" as StaticString) }
    html.append(
      """
      <table class="queue"><thead><tr><th scope="col">Who</th><th scope="col">Has it</th><th scope="col">Held for</th>\
      <th scope="col">Ends in</th><th scope="col">Fence</th><th scope="col">To end it</th></tr></thead><tbody>
      """ as StaticString)
    for holder in lock.holders {
      html.append("<tr><td>" as StaticString)
      html.append(who: holder.owner, at: holder.peer)
      if let note = holder.remarks?.note {
        html.append(": " as StaticString)
        html.append(name: note)
      }
      if holder.remarks?.isAskedToYield == true { html.append(", asked to yield to a newer one" as StaticString) }
      html.append("</td>" as StaticString)
      html.cell(holder.state == .held ? holder.mode.inWords(holder.count) : "\(holder.state)")
      let cpuTime = holder.remarks?.cpuTime.map { ", \($0.inWords) of CPU" } ?? ""
      html.cell((now - holder.grantedAt).inWords + cpuTime)
      html.cell(holder.deadline.map { ($0 - now).inWords } ?? "no deadline")
      html.cell("\(holder.fence)")
      html.append("<td><code>leasehold break \(holder.ref)</code></td></tr>")
    }
    html.append("</tbody></table>" as StaticString)
  }

  private func queue(_ lock: LockSnapshot, into html: inout ResponseBuffer) {
    guard !lock.waiters.isEmpty else { return }
    html.append(
      """
      <h3>Waiting, the next one first</h3><table class="queue"><thead><tr><th scope="col">Place</th><th scope="col">Who\
      </th><th scope="col">Wants</th><th scope="col">Waits for</th><th scope="col">Gives up in</th>\
      <th scope="col">Also waits for</th></tr></thead><tbody>
      """ as StaticString)
    for (index, waiter) in lock.waiters.enumerated() {
      html.append("<tr><td>\(index + 1)</td><td>")
      html.append(who: waiter.owner, at: waiter.peer)
      html.append("</td>" as StaticString)
      html.cell(waiter.mode.inWords(waiter.count))
      html.cell((now - waiter.since).inWords)
      html.cell((waiter.until - now).inWords)
      html.append("<td>" as StaticString)
      names(waiter.keys.filter { $0 != key }, into: &html)
      html.append("</td></tr>" as StaticString)
    }
    html.append("</tbody></table>" as StaticString)
    if lock.waiterCount > lock.waiters.count { html.append("<p>and \(lock.waiterCount - lock.waiters.count) more</p>") }
  }

  private func behind(_ lock: LockSnapshot, into html: inout ResponseBuffer) {
    html.append("<h3>Behind it</h3><p>" as StaticString)
    html.append(escaped: lock.slotsInWords)
    if let fence = lock.fence { html.append("; the last fence is \(fence)") }
    if let binding = lock.binding {
      let value = lock.availableUnits.map { "\($0)" } ?? "unknown"
      html.append("; semaphore \(binding.semaphore) of \(binding.semaphoreCount) in set 0x" as String)
      html.append(hex: UInt64(UInt32(bitPattern: binding.key)), digits: 8)
      html.append(", id \(binding.id); its value is \(value)")
    }
    html.append(".</p>" as StaticString)
  }

  private func write(_ history: [LedgerEvent], _ wallOffset: Int64, into html: inout ResponseBuffer) {
    guard !history.isEmpty else { return }
    html.append("<h3>Its last events</h3><ol class=\"events\">" as StaticString)
    for event in history {
      html.append("<li><time>" as StaticString)
      var quoted = ResponseBuffer(capacity: 32)
      quoted.append(rfc3339: event.at &+ wallOffset)
      quoted.withBytes { html.append(contentsOf: UnsafeRawBufferPointer(rebasing: $0[1..<($0.count - 1)])) }
      html.append("</time><span>" as StaticString)
      html.append(event.kind.name)
      html.append("</span><span>" as StaticString)
      if let text = event.text { html.append(name: text) }
      if let note = event.breaking {
        html.append(escaped: note.by.map { " by \($0)" } ?? "")
        html.append(escaped: note.reason.map { ": \($0)" } ?? "")
      }
      html.append("</span></li>" as StaticString)
    }
    html.append("</ol>" as StaticString)
  }
}
