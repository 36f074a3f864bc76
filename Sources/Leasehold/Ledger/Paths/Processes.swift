// Leases that end with a process.
//
// The ledger opens nothing: the caller of an acquire brings the process, already held, and its watcher says
// when it is over. A process that ends between the two is noticed by ``BoundProcess/hasEnded`` just before the grant
// and, as both come through the ledger's lock, by ``Ledger/processEnded(_:at:)`` after it.

extension Ledger {
  /// Ends what is bound to a process that ended.
  public func processEnded(_ process: any BoundProcess, at moment: Moment) {
    for lease in leaseTable.bound(to: process) { endWithProcess(lease, at: moment) }
  }

  /// Ends a lease whose process is over; of one that was stopped, the slots go on.
  private func endWithProcess(_ lease: Lease, at moment: Moment) {
    if lease.isHeld { return end(lease, .processExited, at: moment) }
    if let past = lease.past { end(lease, past.reason, at: moment) }
  }

  /// Binds a lease to a process.
  func bind(_ lease: Lease, to process: ProcessBinding) {
    forgetGrace(of: lease)
    leaseTable.bind(lease, to: process)
  }

  /// Binds a lease again to a process that was lost in a restart, as a retry names it.
  ///
  /// Answers a refusal when it has ended.
  func rebind(_ lease: Lease, with process: ProcessBinding, at moment: Moment) -> LeaseholdError? {
    if process.process.hasEnded { return Self.processEnded(process) }
    guard lease.hasLostBinding, let recorded = lease.bond?.recorded.stamp else { return nil }
    guard recorded == process.process.stamp || !recorded.isFindable else {
      // The next daemon will look for the process of the record, so no other can take its place.
      if !lose(lease, at: moment) { end(lease, .processLost, at: moment) }
      return Self.over(lease)
    }
    bind(lease, to: process)
    return nil
  }

  /// The processes that leases of the last daemon are bound to: to be found again, once, right after the recovery.
  public var lostProcesses: [ProcessStamp] {
    let stamps = leaseTable.byCell.all.compactMap { $0.isWithProcess ? $0.bond?.recorded.stamp : nil }
    return Set(stamps).sorted { ($0.namespace, $0.pid, $0.started) < ($1.namespace, $1.pid, $1.started) }
  }

  /// Says what became of processes that leases of the last daemon are bound to.
  ///
  /// Leases of those that are gone end; those of which nothing is known keep the grace of the recovery, in which a
  /// retry with the Idempotency-Key binds them anew. What is to be stopped keeps its slots even after that.
  public func foundProcesses(_ findings: [ProcessStamp: ProcessFinding], at moment: Moment) {
    guard !findings.isEmpty else { return }
    for lease in Array(leaseTable.byCell.all) where lease.isWithProcess && lease.hasLostBinding {
      guard let recorded = lease.bond?.recorded, let finding = findings[recorded.stamp] else { continue }
      switch finding {
      case .found(let process):
        bind(lease, to: ProcessBinding(process, name: recorded.name))
        if lease.bond?.stop != nil { stopAnew(lease, at: moment) }
      case .gone: endWithProcess(lease, at: moment)
      case .unknown: break
      }
    }
  }

  /// The processes of leases, and what they had used before; of those that are known.
  public func uses(of leases: [LeaseID]) -> [LeaseID: BondUse] {
    var uses: [LeaseID: BondUse] = [:]
    for id in leases {
      guard let bond = leaseTable[id]?.bond, bond.process != nil, let before = bond.cpuTime else { continue }
      uses[id] = BondUse(stamp: bond.recorded.stamp, before: before)
    }
    return uses
  }

  static func processEnded(_ process: ProcessBinding) -> LeaseholdError {
    let subject =
      switch process.name {
      case 0: "The process that made this connection has ended"
      case ProcessBinding.cgroup: "The cgroup is empty"
      default: "Process \(process.name) has ended"
      }
    return LeaseholdError(
      .noSuchProcess, subject + ", so no lease can be bound to it.",
      facts: [("parameter", .text("bind")), ("value", .text(ProcessBinding.text(of: process.name)))])
  }
}

extension ProcessBinding {
  /// The words of a name: `pid:N`, `peer` or `cgroup`.
  public static func text(of name: Int32) -> String {
    switch name {
    case 0: "peer"
    case cgroup: "cgroup"
    default: "pid:\(name)"
    }
  }
}

/// The tie of a lease to a process.
final class ProcessBond {
  let recorded: RecordedProcess
  /// `nil` when that was lost in a restart, or when the lease is over.
  var process: (any BoundProcess)?
  /// The CPU time that the process had used when the lease was asked for; `nil` when that was lost in a restart.
  var cpuTime: TimeSpan?
  /// The way it is stopped before the slots go on; `nil` when it is not.
  var stop: Stop?

  init(_ binding: ProcessBinding) {
    recorded = RecordedProcess(binding)
    stop = binding.stopGrace.map { Stop(grace: $0) }
  }

  /// Reads a record; whatever the bytes are, they are no more than a process that is not found.
  init(of record: LeaseRecord, bytes: some Sequence<UInt8>) {
    recorded = RecordedProcess(recordBytes: Array(bytes.prefix(RecordedProcess.bytes)))
    if record.stops { stop = Stop(grace: min(record.cooldown, Limits.deadlineAhead)) }
  }
}

/// A process as it stands in a lease's record: namespace, number and name in four bytes each, start in eight, low byte
/// first.
struct RecordedProcess: Hashable {
  var stamp: ProcessStamp
  var name: Int32

  static let bytes = 20

  init(_ binding: ProcessBinding) {
    stamp = binding.process.stamp
    name = binding.name
  }

  init(recordBytes bytes: [UInt8]) {
    stamp = ProcessStamp(
      namespace: UInt32(bytes.number(at: 0, bytes: 4)), pid: Int32(truncatingIfNeeded: bytes.number(at: 4, bytes: 4)),
      started: bytes.number(at: 12, bytes: 8))
    name = Int32(truncatingIfNeeded: bytes.number(at: 8, bytes: 4))
  }

  var recordBytes: [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(stamp.namespace, bytes: 4)
    bytes.append(stamp.pid, bytes: 4)
    bytes.append(name, bytes: 4)
    bytes.append(stamp.started, bytes: 8)
    return bytes
  }
}
