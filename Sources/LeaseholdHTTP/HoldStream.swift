import Leasehold
import Synchronization

/// The open answer of a hold: one line with the lease, a line for each heartbeat, a last line when the lease ends.
final class HoldStream: Sendable {
  let stream = StreamBody()
  let lease: LeaseID
  private let asText: Bool
  private let beats = Atomic(0)

  init(_ lease: LeaseSnapshot, asText: Bool) {
    self.lease = lease.id
    self.asText = asText
  }

  /// Writes the first line.
  func begin(_ lease: LeaseSnapshot, writer: AnswerWriter) {
    var line = ResponseBuffer(capacity: 704)
    if asText {
      line.append(lease.id)
      line.append(UInt8(ascii: "\n"))
    } else {
      writer.lease(lease, into: &line)
    }
    stream.write(line)
  }

  /// Writes a heartbeat: it tells the caller that the lease lives, and the service that the caller reads.
  func beat(at now: MonotonicInstant, deadline: MonotonicInstant?) {
    let number = beats.add(1, ordering: .relaxed).newValue
    var line = ResponseBuffer(capacity: 64)
    if asText {
      line.append(UInt8(ascii: "\n"))
    } else {
      line.open("heartbeat")
      line.append(decimal: number)
      line.member("expires_in_ms", deadline.map { Int(max(0, ($0 - now).milliseconds)) })
      line.closeAnswer()
    }
    stream.write(line)
  }

  /// Writes that an operator ends the lease.
  func breaking(at end: MonotonicInstant, _ note: BreakNote, writer: AnswerWriter) {
    guard !asText else { return }
    var line = ResponseBuffer(capacity: 96)
    line.open("breaking_in_ms")
    line.append(decimal: Int(max(0, (end - writer.now).milliseconds)))
    line.member("break_reason", note.reason)
    line.member("broken_by", note.by)
    line.closeAnswer()
    stream.write(line)
  }

  /// Writes the last line and ends the answer.
  func end(_ reason: EndReason, at instant: MonotonicInstant, writer: AnswerWriter) {
    if !asText {
      var line = ResponseBuffer(capacity: 96)
      line.open("ended")
      line.append(json: reason == .expired ? "expired" : reason.name)
      line.next("at")
      line.append(rfc3339: instant.nanoseconds &+ writer.wallOffset)
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

  /// Writes a heartbeat to all whose lease lives: with its deadline as it is by now, for leases are renewed.
  func beat(at now: MonotonicInstant, asking service: any LockService) {
    for hold in open.withLock({ Array($0.values) }) {
      guard let lease = try? service.lease(hold.lease, at: now) else { continue }
      hold.beat(at: now, deadline: lease.deadline)
    }
  }

  /// Ends all answers without a word about the leases, which stay in the ledger.
  func finishAll() {
    for hold in open.withLock({ Array($0.values) }) { hold.stream.finish() }
  }

  var count: Int { open.withLock { $0.count } }
}
