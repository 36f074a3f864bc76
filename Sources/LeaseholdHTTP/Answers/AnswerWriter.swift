import Leasehold

/// A writer of leases and locks as they look on the wire.
struct AnswerWriter {
  /// CLOCK_MONOTONIC at the entrance of the request.
  let now: MonotonicInstant
  /// CLOCK_REALTIME less CLOCK_MONOTONIC, for what is displayed.
  let wallOffset: Int64
  /// The time that a lease may go on after its end; zero where it does not.
  var expiryPrecision = TimeSpan.zero
  /// The time in which a lease whose connection ended with the service can be bound again; zero for none.
  var recoveryGrace = TimeSpan.zero

  /// The whole of a lease, with its id, left open: only for its holder.
  func lease(_ lease: LeaseSnapshot, into json: inout ResponseBuffer) {
    json.append("{\"lease\":\"" as StaticString)
    json.append(lease.id)
    json.append("\",\"ref\":\"" as StaticString)
    json.append(hex: lease.id.high >> 24, digits: 10)
    json.append(UInt8(ascii: "\""))
    describe(lease, into: &json)
    renewal(lease, into: &json)
    json.append(",\"waited_ms\":", milliseconds: lease.waited)
    json.append(lease.replayed ? ",\"replayed\":true" : ",\"replayed\":false" as StaticString)
    json.append(",\"cooldown_ms\":", milliseconds: lease.cooldown)
    since(lease, into: &json)
    if binding(lease.binding, adjusts: lease.adjusts, into: &json) {
      json.append(",\"units\":", decimal: lease.units)
      json.append(UInt8(ascii: "}"))
    }
    if lease.isBreaking { breaking(lease, into: &json) }
    if lease.bindsConnection, recoveryGrace > .zero {
      json.member("recovery_grace_ms", Int(recoveryGrace.milliseconds))
    }
    if expiryPrecision > .zero { json.member("expiry_precision_ms", Int(expiryPrecision.milliseconds)) }
    remarks(lease, into: &json)
    if let applied = lease.limitApplied { json.member("limit_applied", applied) }
    if !lease.slots.isEmpty { slots(lease.slots, into: &json) }
    if !lease.parts.isEmpty { parts(lease, into: &json) }
    // Apache::Session documents NSems as a power of two; others work as long as all programs use the same.
    if let binding = lease.binding, binding.companion != nil, binding.semaphoreCount.nonzeroBitCount > 1,
      case .apache = lease.key.native
    {
      json.append(",\"warnings\":[\"nsems-not-power-of-2\"]" as StaticString)
    }
  }

  /// The slots of a lease on a lock whose slots have names: the first, and all.
  func slots(_ names: [String], into json: inout ResponseBuffer) {
    json.member("slot", names.first)
    json.list("slots", names)
  }

  /// When a holder must renew.
  @inline(__always)
  private func renewal(_ lease: LeaseSnapshot, into json: inout ResponseBuffer) {
    if lease.ttl > .zero, !lease.isBreaking {
      json.append(",\"renew_after_ms\":", decimal: Int(lease.ttl.milliseconds / 3))
    } else {
      json.append(",\"renew_after_ms\":null" as StaticString)
    }
    if let deadline = lease.deadline {
      json.append(",\"deadline_monotonic_ns\":", decimal: Int(deadline.nanoseconds))
    } else {
      json.append(",\"deadline_monotonic_ns\":null" as StaticString)
    }
  }

  /// One of many that were renewed: what its holder does not know already.
  func renewed(_ lease: LeaseSnapshot, into json: inout ResponseBuffer) {
    json.append("{\"lease\":\"" as StaticString)
    json.append(lease.id)
    json.append(UInt8(ascii: "\""))
    json.member("key", lease.key.text)
    json.member("ttl_ms", Int(lease.ttl.milliseconds))
    expiry(lease, into: &json)
    renewal(lease, into: &json)
    if lease.remarks?.isAskedToYield == true { json.append(",\"yield\":true" as StaticString) }
    json.append(UInt8(ascii: "}"))
  }

  /// One of many that could not be renewed, and why: as the problem of a single one.
  func lost(_ lease: LeaseID, _ error: LeaseholdError, into json: inout ResponseBuffer) {
    json.append("{\"lease\":\"" as StaticString)
    json.append(lease)
    json.append(UInt8(ascii: "\""))
    json.member("code", error.code.rawValue)
    if !error.facts.contains(where: { $0.name == "reason" }) { json.member("reason", error.code.rawValue) }
    for fact in error.facts { self.fact(fact, into: &json) }
    json.member("detail", error.sentence)
    json.append(UInt8(ascii: "}"))
  }

  /// A lease in a list of leases, as every caller may see it.
  func listed(_ lease: LeaseSnapshot, into json: inout ResponseBuffer) {
    json.append("{\"ref\":\"" as StaticString)
    json.append(hex: lease.refNumber, digits: 10)
    json.append(UInt8(ascii: "\""))
    describe(lease, into: &json)
    if !lease.parts.isEmpty { json.list("locks", lease.parts.map(\.key.text)) }
    person(lease, into: &json)
  }

  /// A holder of a lock.
  func holder(_ holder: Holder, into json: inout ResponseBuffer) {
    json.append("{\"ref\":\"" as StaticString)
    json.append(hex: holder.refNumber, digits: 10)
    switch holder.state {
    case .held: json.append("\",\"state\":\"held\",\"mode\":\"" as StaticString)
    case .cooling: json.append("\",\"state\":\"cooling\",\"mode\":\"" as StaticString)
    case .kept: json.append("\",\"state\":\"kept\",\"mode\":\"" as StaticString)
    case .stopping: json.append("\",\"state\":\"stopping\",\"mode\":\"" as StaticString)
    case .suspect: json.append("\",\"state\":\"suspect\",\"mode\":\"" as StaticString)
    }
    shares(holder, into: &json)
    json.append(",\"fence\":" as StaticString)
    tenure(holder, into: &json)
    person(holder, into: &json)
  }

  /// The end of both forms: since when, and who has it.
  @inline(__always)
  private func person(_ holder: Holder, into json: inout ResponseBuffer) {
    since(holder, into: &json)
    if !holder.slots.isEmpty { json.list("slots", holder.slots) }
    peer(holder.peer, into: &json)
    if holder.isBreaking { breaking(holder, into: &json) }
    remarks(holder, into: &json)
    json.append(UInt8(ascii: "}"))
  }

  /// The middle of both forms, with few appends: it is written for every acquire.
  private func describe(_ lease: LeaseSnapshot, into json: inout ResponseBuffer) {
    json.append(",\"key\":\"" as StaticString)
    json.append(inJSON: lease.key.text)
    switch lease.kind {
    case .readersWriter: json.append("\",\"kind\":\"rw\",\"mode\":\"" as StaticString)
    case .counting, .slots: json.append("\",\"kind\":\"counting\",\"mode\":\"" as StaticString)
    }
    shares(lease, into: &json)
    if let limit = lease.kind.limit {
      json.append(",\"limit\":", decimal: limit)
      json.append(",\"fence\":" as StaticString)
    } else {
      json.append(",\"limit\":null,\"fence\":" as StaticString)
    }
    tenure(lease, into: &json)
  }

  @inline(__always)
  private func shares(_ holder: Holder, into json: inout ResponseBuffer) {
    json.append(holder.mode == .exclusive ? "exclusive\",\"count\":" : "shared\",\"count\":", decimal: holder.count)
  }

  /// From the fence to the deadline.
  private func tenure(_ holder: Holder, into json: inout ResponseBuffer) {
    json.append(decimal: Int(holder.fence))
    if let owner = holder.owner {
      json.append(",\"owner\":\"" as StaticString)
      json.append(inJSON: owner)
      json.append(UInt8(ascii: "\""))
    } else {
      json.append(",\"owner\":null" as StaticString)
    }
    bind(holder, into: &json)
    json.append(",\"ttl_ms\":", milliseconds: holder.ttl)
    expiry(holder, into: &json)
  }

  private func breaking(_ holder: Holder, into json: inout ResponseBuffer) {
    json.member("breaking_in_ms", holder.deadline.map { Int(max(0, ($0 - now).milliseconds)) })
    json.member("break_reason", holder.breaking?.reason)
    json.member("broken_by", holder.breaking?.by)
  }

  @inline(__always)
  private func remarks(_ holder: Holder, into json: inout ResponseBuffer) {
    if let remarks = holder.remarks { self.remarks(remarks, into: &json) }
    if holder.atLeast > .zero {
      json.append(",\"kept_until\":" as StaticString)
      json.append(rfc3339: (holder.grantedAt + holder.atLeast).nanoseconds &+ wallOffset)
    }
  }

  @inline(never)
  private func remarks(_ remarks: HolderRemarks, into json: inout ResponseBuffer) {
    if let note = remarks.note { json.member("note", note) }
    if let newest = remarks.newest { json.member("newest", newest) }
    if remarks.isAskedToYield { json.append(",\"yield\":true" as StaticString) }
    if let cpuTime = remarks.cpuTime { json.member("cpu_ms", Int(cpuTime.milliseconds)) }
  }

  private func bind(_ holder: Holder, into json: inout ResponseBuffer) {
    guard let process = holder.process else {
      return json.append(holder.bindsConnection ? ",\"bind\":\"connection\"" : ",\"bind\":null" as StaticString)
    }
    json.member("bind", ProcessBinding.text(of: process))
    if let grace = holder.stopGrace {
      json.append(",\"stop\":\"term\"" as StaticString)
      json.member("grace_ms", Int(grace.milliseconds))
      if holder.isStopping { json.append(",\"stopping\":true" as StaticString) }
    }
  }

  private func expiry(_ holder: Holder, into json: inout ResponseBuffer) {
    guard let deadline = holder.deadline else {
      json.append(",\"expires_in_ms\":null,\"expires_at\":null" as StaticString)
      return
    }
    json.append(",\"expires_in_ms\":", milliseconds: max(.zero, deadline - now))
    json.append(",\"expires_at\":" as StaticString)
    json.append(rfc3339: deadline.nanoseconds &+ wallOffset)
  }

  private func since(_ holder: Holder, into json: inout ResponseBuffer) {
    json.append(",\"since\":" as StaticString)
    json.append(rfc3339: holder.grantedAt.nanoseconds &+ wallOffset)
  }

  /// `peer`, `pid` and `uid`, null where they are not known.
  func peer(_ peer: Peer, into json: inout ResponseBuffer) {
    if case .local = peer {
      json.append(",\"peer\":\"unix\",\"pid\":" as StaticString)
    } else {
      json.member("peer", peer.address)
      json.append(",\"pid\":" as StaticString)
    }
    json.append(decimalOrNull: peer.pid.map(Int.init))
    json.append(",\"uid\":" as StaticString)
    json.append(decimalOrNull: peer.uid.map(Int.init))
  }

  /// `sysv`, left open for more members; `null` and false where there are no semaphores.
  func binding(_ binding: SemaphoreBinding?, adjusts: [Int]? = nil, into json: inout ResponseBuffer) -> Bool {
    guard let binding else {
      json.append(",\"sysv\":null" as StaticString)
      return false
    }
    json.append(",\"sysv\":{\"key\":", decimal: Int(binding.key))
    json.append(",\"id\":" as StaticString)
    json.append(decimal: Int(binding.id))
    json.append(",\"nsems\":", decimal: binding.semaphoreCount)
    if let adjusts {
      json.member("semaphores", each: adjusts) { $1.append(decimal: $0) }
      return true
    }
    json.append(",\"semaphores\":[", decimal: binding.semaphore)
    if let companion = binding.companion {
      json.append(UInt8(ascii: ","))
      json.append(decimal: companion)
    }
    json.append(UInt8(ascii: "]"))
    return true
  }

  /// A lock in a listing.
  func listed(_ lock: LockSnapshot, into json: inout ResponseBuffer) {
    json.open("key", lock.key.text)
    summary(lock, into: &json)
    semaphore(lock, into: &json)
    json.append(UInt8(ascii: "}"))
  }

  /// The whole of a lock, left open; `limitApplied` where it was just opened.
  func lock(_ lock: LockSnapshot, limitApplied: Bool? = nil, into json: inout ResponseBuffer) {
    json.open("key", lock.key.text)
    summary(lock, into: &json)
    json.member("holders", each: lock.holders) { holder($0, into: &$1) }
    json.member("waiters", each: lock.waiters) { waiter($0, into: &$1) }
    semaphore(lock, into: &json)
    if let limitApplied { json.member("limit_applied", limitApplied) }
    programs(lock, into: &json)
  }

  /// `programs`: by the number of the process, where there is one to name.
  private func programs(_ lock: LockSnapshot, into json: inout ResponseBuffer) {
    guard !lock.programs.isEmpty else { return }
    json.append(",\"programs\":{" as StaticString)
    for (index, (pid, name)) in lock.programs.sorted(by: { $0.key < $1.key }).enumerated() {
      json.append(index == 0 ? "\"" : ",\"" as StaticString)
      json.append(decimal: Int(pid))
      json.append("\":" as StaticString)
      json.append(json: name)
    }
    json.append(UInt8(ascii: "}"))
  }

  /// `sysv` with what the kernel tells of the semaphore.
  private func semaphore(_ lock: LockSnapshot, into json: inout ResponseBuffer) {
    guard binding(lock.binding, into: &json) else { return }
    json.member("value", lock.availableUnits)
    json.member("pid", lock.lastPID.map(Int.init))
    json.member("ncnt", lock.kernelWaiters)
    json.append(UInt8(ascii: "}"))
  }

  private func summary(_ lock: LockSnapshot, into json: inout ResponseBuffer) {
    json.member("dialect", lock.key.native?.dialect ?? "own")
    json.member("kind", lock.kind.name)
    json.member("limit", lock.kind.limit)
    json.member("available", lock.available)
    json.member("native_held", lock.nativeUnits)
    json.member("fence", lock.fence.map(Int.init))
    json.member("suspects", lock.suspects)
    json.member("damaged", lock.isDamaged)
    json.member("held", lock.holderCount)
    json.member("cooling", lock.coolingCount)
    json.member("waiting", lock.waiterCount)
    json.member("longest_wait_ms", lock.firstCame.map { Int(max(0, (now - $0).milliseconds)) })
    json.list("queued_for", lock.queuedFor.map(\.text))
    guard let terms = lock.terms else { return }
    json.member("pinned", terms.isPinned)
    json.member("paused", lock.kind.limit == 0)
    json.member("over_limit", terms.owed)
    guard !terms.slots.isEmpty else { return }
    json.list("slots", terms.slots)
    json.list("free_slots", terms.freeSlots)
  }

  /// One that waits.
  func waiter(_ waiter: WaiterSnapshot, into json: inout ResponseBuffer) {
    json.open("owner", waiter.owner)
    json.member("mode", waiter.mode.name)
    json.member("count", waiter.count)
    json.member("age_ms", Int(max(0, (now - waiter.since).milliseconds)))
    json.member("wait_left_ms", Int(max(0, (waiter.until - now).milliseconds)))
    json.member("detached", waiter.isDetached)
    if !waiter.keys.isEmpty { json.list("locks", waiter.keys.map(\.text)) }
    if !waiter.steps.isEmpty { json.list("ops", waiter.steps.map(\.text)) }
    peer(waiter.peer, into: &json)
    json.append(UInt8(ascii: "}"))
  }
}
