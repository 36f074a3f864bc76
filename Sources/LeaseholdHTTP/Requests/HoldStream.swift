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
    write(text: lease.id.text) { writer.lease(lease, into: &$0) }
  }

  /// Writes a heartbeat: it tells the caller that the lease lives, and the service that the caller reads.
  func beat(at now: MonotonicInstant) {
    let number = beats.add(1, ordering: .relaxed).newValue
    let deadline = deadline.load(ordering: .relaxed)
    let left = (MonotonicInstant(nanoseconds: deadline) - now).milliseconds
    write(text: "") { line in
      line.open("heartbeat", number)
      line.member("expires_in_ms", deadline == 0 ? nil : Int(max(0, left)))
    }
  }

  /// Writes that an operator ends the lease.
  func breaking(at end: MonotonicInstant, _ note: BreakNote, writer: AnswerWriter) {
    renewed(until: end)
    write { line in
      line.open("breaking_in_ms", Int(max(0, (end - writer.now).milliseconds)))
      line.member("break_reason", note.reason)
      line.member("broken_by", note.by)
    }
  }

  /// Writes that a newer request of the holder's group waits.
  func yield() { write { $0.open("yield", true) } }

  /// Writes the last line and ends the answer.
  ///
  /// - Parameter note: An operator's, where that is the reason.
  func end(_ reason: EndReason, _ note: BreakNote?, at instant: MonotonicInstant, writer: AnswerWriter) {
    write { line in
      line.open("ended", reason == .expired ? "expired" : reason.name)
      line.next("at")
      line.append(rfc3339: instant.nanoseconds &+ writer.wallOffset)
      if let note {
        line.member("break_reason", note.reason)
        line.member("broken_by", note.by)
      }
    }
    stream.finish()
  }

  /// Writes a line: JSON, or for a caller that asked for text the text, where there is one for it.
  private func write(text: String? = nil, _ json: (inout ResponseBuffer) -> Void) {
    var line = ResponseBuffer(capacity: 128)
    if !asText {
      json(&line)
      line.closeAnswer()
    } else if let text {
      line.append(text)
      line.append(UInt8(ascii: "\n"))
    } else {
      return
    }
    stream.write(line)
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
