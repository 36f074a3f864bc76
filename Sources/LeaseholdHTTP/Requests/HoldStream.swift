import Leasehold
import Synchronization

/// The open answer of a hold: one line with the lease, a line for each heartbeat, a last line when the lease ends.
final class HoldStream: Sendable {
  let stream = StreamBody()
  private let asText: Bool
  private let beats = Atomic(0)
  /// In nanoseconds of CLOCK_MONOTONIC; 0 for none.
  private let deadline: Atomic<Int64>

  init(_ lease: LeaseSnapshot, asText: Bool) {
    self.asText = asText
    deadline = Atomic(lease.deadline?.nanoseconds ?? 0)
  }

  /// The lease has another deadline, or none.
  func renewed(until deadline: MonotonicInstant?) {
    self.deadline.store(deadline?.nanoseconds ?? 0, ordering: .relaxed)
  }

  /// Writes the first line.
  func begin(_ lease: LeaseSnapshot, writer: AnswerWriter) {
    var line = ResponseBuffer(capacity: 704)
    if asText {
      line.append(lease.id)
      line.append(UInt8(ascii: "\n"))
    } else {
      writer.lease(lease, into: &line)
      line.closeAnswer()
    }
    stream.write(line)
  }

  /// Writes a heartbeat: it tells the caller that the lease lives, and the service that the caller reads.
  func beat(at now: MonotonicInstant) {
    let number = beats.add(1, ordering: .relaxed).newValue
    var line = ResponseBuffer(capacity: 64)
    if asText {
      line.append(UInt8(ascii: "\n"))
    } else {
      line.open("heartbeat")
      line.append(decimal: number)
      let deadline = deadline.load(ordering: .relaxed)
      let left = (MonotonicInstant(nanoseconds: deadline) - now).milliseconds
      line.member("expires_in_ms", deadline == 0 ? nil : Int(max(0, left)))
      line.closeAnswer()
    }
    stream.write(line)
  }

  /// Writes that an operator ends the lease.
  func breaking(at end: MonotonicInstant, _ note: BreakNote, writer: AnswerWriter) {
    renewed(until: end)
    guard !asText else { return }
    var line = ResponseBuffer(capacity: 96)
    line.open("breaking_in_ms")
    line.append(decimal: Int(max(0, (end - writer.now).milliseconds)))
    line.member("break_reason", note.reason)
    line.member("broken_by", note.by)
    line.closeAnswer()
    stream.write(line)
  }

  /// Writes that a newer request of the holder's group waits.
  func yield() {
    guard !asText else { return }
    var line = ResponseBuffer(capacity: 32)
    line.append("{\"yield\":true" as StaticString)
    line.closeAnswer()
    stream.write(line)
  }

  /// Writes the last line and ends the answer.
  ///
  /// - Parameter note: An operator's, where that is the reason.
  func end(_ reason: EndReason, _ note: BreakNote?, at instant: MonotonicInstant, writer: AnswerWriter) {
    if !asText {
      var line = ResponseBuffer(capacity: 96)
      line.open("ended")
      line.append(json: reason == .expired ? "expired" : reason.name)
      line.next("at")
      line.append(rfc3339: instant.nanoseconds &+ writer.wallOffset)
      if let note {
        line.member("break_reason", note.reason)
        line.member("broken_by", note.by)
      }
      line.closeAnswer()
      stream.write(line)
    }
    stream.finish()
  }
}

/// The holds that are open.
final class Holds: Sendable {
  private let open = Mutex<[ObjectIdentifier: HoldStream]>([:])

  func add(_ hold: HoldStream) { open.withLock { $0[ObjectIdentifier(hold)] = hold } }

  func remove(_ hold: HoldStream) { open.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(hold)) } }

  /// Writes a heartbeat to all.
  func beat(at now: MonotonicInstant) { for hold in open.withLock({ Array($0.values) }) { hold.beat(at: now) } }

  /// Ends all answers without a word about the leases, which stay in the ledger.
  func finishAll() {
    for hold in open.withLock({ Array($0.values) }) { hold.stream.finish() }
  }

  var count: Int { open.withLock { $0.count } }
}
