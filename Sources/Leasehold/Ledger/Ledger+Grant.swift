/// A lease whose record is written and not committed.
struct PreparedLease {
  var record: LeaseRecord
  var body: CellBody
  var cell: Int
}

extension Ledger {
  /// Step one of a grant: reserves and writes the record.
  ///
  /// A crash from here to the semop leaves nothing behind.
  func prepare(
    _ request: AcquireRequest, lock: Lock, units: Int, caller: Caller, waited: TimeSpan, at moment: Moment
  ) throws(LeaseholdError) -> PreparedLease {
    guard liveLeases < limits.leases else { throw Self.ledgerFull(limits.leases) }
    let cell = try takeCell()
    let deadline = request.ttl > .zero ? (moment.monotonic + request.ttl).nanoseconds : 0
    var record = LeaseRecord(
      id: makeID(), fence: nextFence(at: moment), grantedAt: moment.monotonic, deadline: deadline, lockCell: lock.cell,
      units: units, ttl: request.ttl, cooldown: request.cooldown, count: request.count, mode: request.mode,
      bindsConnection: request.bindsConnection, fingerprint: request.fingerprintIfKeyed, waited: waited,
      peer: caller.peer, ownerLength: request.owner?.utf8.count, keyLength: request.idempotencyKey?.utf8.count ?? 0,
      textCell: TextRecord.none)
    guard record.textLength > 0 else {
      let body = record.body
      storage.write(body, at: cell)
      return PreparedLease(record: record, body: body, cell: cell)
    }
    let text = Array((request.owner ?? "").utf8) + Array((request.idempotencyKey ?? "").utf8)
    if text.count > LeaseRecord.inlineBytes {
      do {
        record.textCell = try writeText(text)
      } catch {
        giveCell(cell)
        throw error
      }
    }
    var body = record.body
    if text.count <= LeaseRecord.inlineBytes { body.put(text, from: LeaseRecord.inlineWord) }
    storage.write(body, at: cell)
    return PreparedLease(record: record, body: body, cell: cell)
  }

  /// Forgets a prepared lease whose semop did not happen.
  func discard(_ prepared: PreparedLease) {
    freeText(prepared.record.textCell)
    giveCell(prepared.cell)
  }

  /// Step three of a grant, after the semop: commits the record.
  ///
  /// A crash from here on finds the lease standing.
  func commit(_ prepared: PreparedLease, for request: AcquireRequest, on lock: Lock, caller: Caller) -> Lease {
    storage.setHeader(.lastFence, UInt64(prepared.record.fence))
    storage.commit(CommitWord(.live, .lease, check: prepared.body.check), at: prepared.cell)
    let lease = Lease(
      prepared.record, cell: prepared.cell, lock: lock, owner: request.owner, idempotencyKey: request.idempotencyKey)
    attach(lease, to: lock)
    leasesByID[lease.id] = lease
    leasesByCell[lease.cell] = lease
    if lease.deadline > 0 { leaseDeadlines.insert(lease) }
    if lease.bindsConnection { bind(lease, to: caller.connection) }
    if let key = lease.idempotencyKey {
      idempotency[IdempotencyScope(lock: lease.key.text, key: key)] = .lease(lease)
    }
    counters.granted += 1
    return lease
  }

  /// Puts a lease among its lock's holders.
  func attach(_ lease: Lease, to lock: Lock) {
    lease.holderIndex = lock.holders.count
    lock.holders.append(lease)
    lock.unitsOut += lease.units
    lock.lastFence = max(lock.lastFence ?? 0, lease.fence)
    liveLeases += 1
  }

  /// Takes a lease out of its lock's holders.
  func detach(_ lease: Lease) {
    guard let lock = lease.lock else { return }
    let last = lock.holders.removeLast()
    if last !== lease {
      lock.holders[lease.holderIndex] = last
      last.holderIndex = lease.holderIndex
    }
    lease.holderIndex = -1
    lease.lock = nil
    lock.unitsOut -= lease.units
    liveLeases -= 1
  }

  /// Binds a lease to a connection, in place of the one it was bound to.
  func bind(_ lease: Lease, to connection: ConnectionID) {
    unbind(lease)
    lease.connection = connection
    boundLeases[connection, default: []].append(lease)
    leaseDeadlines.remove(lease)
    lease.due = lease.deadline
    if lease.deadline > 0 { leaseDeadlines.insert(lease) }
  }

  /// Lets a lease's connection go.
  func unbind(_ lease: Lease) {
    guard lease.connection != 0 else { return }
    boundLeases[lease.connection]?.removeAll { $0 === lease }
    if boundLeases[lease.connection]?.isEmpty == true { boundLeases[lease.connection] = nil }
    lease.connection = 0
  }

  /// Hands free units to waiters in order, until the first that cannot have what it wants.
  func serve(_ lock: Lock, at moment: Moment) {
    while let waiter = lock.queue.first, state == .ready, !lock.isDamaged {
      guard lock.unitsOut + waiter.units <= lock.capacity else { break }
      let prepared: PreparedLease
      do {
        prepared = try prepare(waiter, on: lock, at: moment)
      } catch {
        dismiss(waiter, error)
        continue
      }
      switch kernel.operate(lock.bank.id.set, lock.dialect.take(waiter.units)) {
      case .done:
        grant(waiter, prepared, on: lock)
      case .wouldBlock:
        discard(prepared)
        return arrangeKernelWait(lock)
      case .failed(let failure):
        discard(prepared)
        dismiss(waiter, Self.kernelRefused(failure, doing: "take the lock"))
      case .removed:
        discard(prepared)
        return bankVanished(lock.bank, at: moment)
      }
    }
    arrangeKernelWait(lock)
  }

  /// Step one of a grant to a waiter.
  func prepare(_ waiter: Waiter, on lock: Lock, at moment: Moment) throws(LeaseholdError) -> PreparedLease {
    try prepare(
      waiter.request, lock: lock, units: waiter.units, caller: waiter.caller, waited: moment.monotonic - waiter.since,
      at: moment)
  }

  /// Step three of a grant to a waiter.
  func grant(_ waiter: Waiter, _ prepared: PreparedLease, on lock: Lock) {
    leave(waiter)
    let lease = commit(prepared, for: waiter.request, on: lock, caller: waiter.caller)
    notices.append(.granted(waiter.client, snapshot(lease)))
  }

  /// Takes a waiter out of everything.
  func leave(_ waiter: Waiter) {
    waiter.lock?.queue.remove(waiter)
    waiter.lock = nil
    waiterDeadlines.remove(waiter)
    waiters[waiter.id] = nil
    if let key = waiter.request.idempotencyKey {
      let scope = IdempotencyScope(lock: waiter.request.key.text, key: key)
      if case .waiter(let known)? = idempotency[scope], known === waiter { idempotency[scope] = nil }
    }
  }

  /// Sends a waiter away.
  func dismiss(_ waiter: Waiter, _ error: LeaseholdError) {
    leave(waiter)
    counters.refused += 1
    notices.append(.refused(waiter.client, error))
  }
}

extension AcquireRequest {
  /// The fingerprint, where a retry may ask for it.
  var fingerprintIfKeyed: UInt64 { idempotencyKey == nil ? 0 : fingerprint }
}
