import Leasehold
import SysVTypes

/// A process that sleeps in semop.
struct Sleeper {
  let token: Int
  let process: Int32
  /// The operations that it waits for, all or nothing.
  let operations: [SemaphoreOperation]

  /// The units that a native process holds once it is served.
  var taken: [(semaphore: Int, units: Int)] {
    operations.filter { $0.delta < 0 }.map { (Int($0.semaphore), -Int($0.delta)) }
  }
}

/// One semaphore set with the kernel's rules: values 0...32767, all or nothing, SEM_UNDO adjustments by process.
struct SimulatedSet {
  static let valueMax = 32_767
  let key: Int32
  var isSigned = false
  /// True when it was made for own locks.
  var isBank = true
  var values: [Int]
  var lastProcess: [Int32]
  /// The units that the kernel adds back when a process dies (semadj), by process and semaphore.
  var adjustments: [Int32: [Int: Int]] = [:]
  /// Units that native processes hold, by process and semaphore.
  ///
  /// The kernel does not know this; the checks do.
  var held: [Int32: [Int: Int]] = [:]
  /// Units that native processes took to their graves.
  var abandoned: [Int: Int] = [:]
  var sleepers: [Sleeper] = []
  /// Turns with each operation, SETVAL and IPC_SET: what seconds are to the kernel.
  var clock: Int64 = 1
  /// When SETVAL or IPC_SET was last: `sem_ctime`.
  var written: Int64 = 1
  /// When an operation was last: `sem_otime`; 0 for never.
  var operated: Int64 = 0
  var mode: UInt32 = 0o666

  init(key: Int32, count: Int) {
    self.key = key
    values = Array(repeating: 0, count: count)
    lastProcess = Array(repeating: 0, count: count)
  }

  /// Applies all operations in order, or none (semop(2)).
  mutating func perform(_ operations: [SemaphoreOperation], by process: Int32) -> KernelOutcome {
    var values = self.values
    var adjustments = self.adjustments[process] ?? [:]
    for operation in operations {
      let semaphore = Int(operation.semaphore)
      guard values.indices.contains(semaphore) else { return .failed(KernelFailure(.noSuchSemaphore)) }
      let delta = Int(operation.delta)
      if delta == 0, values[semaphore] != 0 { return .wouldBlock }
      let value = values[semaphore] + delta
      if value < 0 { return .wouldBlock }
      if value > Self.valueMax { return .failed(KernelFailure(.outOfRange)) }
      values[semaphore] = value
      guard operation.undoes else { continue }
      let adjustment = (adjustments[semaphore] ?? 0) - delta
      guard abs(adjustment) <= Self.valueMax else { return .failed(KernelFailure(.outOfRange)) }
      adjustments[semaphore] = adjustment == 0 ? nil : adjustment
    }
    self.values = values
    self.adjustments[process] = adjustments.isEmpty ? nil : adjustments
    for operation in operations { lastProcess[Int(operation.semaphore)] = process }
    clock += 1
    operated = clock
    return .done
  }

  /// SETVAL and IPC_SET move the time of the last change.
  mutating func noteWrite() {
    clock += 1
    written = clock
  }

  /// Ends sleeps whose first operation that cannot go must not wait; answers which.
  mutating func turnAway() -> [Int] {
    let tokens = sleepers.filter {
      SemaphoreOperation.firstToWait($0.operations, values)?.refusesToWait == true
    }.map(\.token)
    sleepers.removeAll { tokens.contains($0.token) }
    return tokens
  }

  /// Serves sleepers in order, each that can be; answers which.
  mutating func wake() -> [Sleeper] {
    var woken: [Sleeper] = []
    for sleeper in sleepers where perform(sleeper.operations, by: sleeper.process) == .done { woken.append(sleeper) }
    guard !woken.isEmpty else { return [] }
    sleepers.removeAll { sleeper in woken.contains { $0.token == sleeper.token } }
    return woken
  }

  /// A process died: its sleepers go, its adjustments are applied, clamped to the range of values (exit_sem).
  mutating func exit(_ process: Int32) {
    sleepers.removeAll { $0.process == process }
    let adjustments = self.adjustments.removeValue(forKey: process) ?? [:]
    for (semaphore, adjustment) in adjustments {
      values[semaphore] = min(max(values[semaphore] + adjustment, 0), Self.valueMax)
      lastProcess[semaphore] = process
    }
    for (semaphore, units) in held.removeValue(forKey: process) ?? [:] {
      let kept = units - max(0, adjustments[semaphore] ?? 0)
      if kept > 0 { abandoned[semaphore, default: 0] += kept }
    }
  }
}
