package import Leasehold
package import SysVTypes

/// The semaphores of a host that exists in memory only, with the kernel's rules.
///
/// The daemon is process ``daemon``; native processes have any other number.
package final class SimulatedKernel: SemaphoreKernel {
  /// The state of a sleep in the kernel.
  package enum Sleep: Equatable {
    /// It goes on.
    case asleep
    /// It ended with the units.
    case granted
    /// It ended because the set was removed.
    case removed
    /// It did not begin: the first operation that could not go must not wait.
    case refused
  }

  struct State {
    var sets: [Int32: SimulatedSet] = [:]
    var nextSet: Int32 = 1
    var nextToken = 1
    var sleeps: [Int: Sleep] = [:]
  }

  /// The process number of the daemon.
  package static let daemon: Int32 = 1
  /// SEMMNI: sets that the host may have.
  package var setLimit = 32_000
  /// Asked before each operation of the daemon: an answer other than `nil` is given instead of doing it.
  package var failure: ((Int32, [SemaphoreOperation]) -> KernelOutcome?)?
  var state = State()
  private let crash: CrashSwitch

  package init(crash: CrashSwitch) {
    self.crash = crash
    crash.add { [unowned self] in
      let frozen = state
      return { [unowned self] in state = frozen }
    }
  }

  package func operate(_ set: Int32, _ operations: OpList) -> KernelOutcome {
    operate(set, list: operations.all)
  }

  package func operate(_ set: Int32, list operations: [SemaphoreOperation]) -> KernelOutcome {
    // What is added to which semaphore, with SEM_UNDO where that is so.
    crash.step("semop \(set)" + operations.map { " \($0.semaphore):\($0.delta)\($0.undoes ? "u" : "")" }.joined())
    if let forced = failure?(set, operations) { return forced }
    return perform(operations, set: set, process: Self.daemon)
  }

  package func write(_ value: Int, to semaphore: Int, of set: Int32) -> KernelOutcome {
    crash.step("SETVAL \(set) \(semaphore):\(value)")
    guard state.sets[set] != nil else { return .removed }
    setValue(value, set: set, semaphore: semaphore)
    return .done
  }

  /// A process does several operations at once, without waiting; what a native one holds by them is its own affair.
  package func perform(_ operations: [SemaphoreOperation], set: Int32, process: Int32) -> KernelOutcome {
    let outcome = state.sets[set]?.perform(operations, by: process) ?? .removed
    if outcome == .done { wake(set) }
    return outcome
  }

  func wake(_ set: Int32) {
    for token in state.sets[set]?.turnAway() ?? [] { state.sleeps[token] = .refused }
    for sleeper in state.sets[set]?.wake() ?? [] {
      state.sleeps[sleeper.token] = .granted
      if sleeper.process != Self.daemon {
        for (semaphore, units) in sleeper.taken {
          state.sets[set]?.held[sleeper.process, default: [:]][semaphore, default: 0] += units
        }
      }
    }
  }

  /// Makes a bank, in two steps: a set without a signature may be left behind.
  package func makeBank() throws(KernelFailure) -> BankID {
    guard state.sets.count < setLimit else {
      throw KernelFailure(.noSpace, limit: KernelLimit(.sets, setLimit))
    }
    crash.step("make a bank")
    let id = state.nextSet
    state.nextSet += 1
    state.sets[id] = SimulatedSet(key: 0x4c49_0000 + id, count: NamedDialect.semaphoresPerBank)
    crash.step("sign \(id)")
    state.sets[id]?.isSigned = true
    state.sets[id]?.values[NamedDialect.trailer] = Int(NamedDialect.signature)
    return BankID(set: id, key: 0x4c49_0000 + id)
  }

  /// All values of a bank; `nil` when it is gone or was never finished.
  package func bankValues(_ set: Int32) -> [UInt16]? {
    guard let found = state.sets[set], found.isBank, found.isSigned else { return nil }
    return found.values.map { UInt16($0) }
  }

  /// The banks, those that were never finished included.
  package func banks() -> [BankID] {
    state.sets.filter { $0.value.isBank }.map { BankID(set: $0.key, key: $0.value.key) }.sorted { $0.set < $1.set }
  }

  package func removeBank(_ set: Int32) {
    crash.step("remove \(set)")
    removeSet(set)
  }

  package func value(_ set: Int32, _ semaphore: Int) -> Int? {
    guard let values = state.sets[set]?.values, values.indices.contains(semaphore) else { return nil }
    return values[semaphore]
  }

  package func lastProcess(_ set: Int32, _ semaphore: Int) -> Int32? {
    state.sets[set].map { $0.lastProcess[semaphore] }.flatMap { $0 == 0 ? nil : $0 }
  }

  /// When a set was written and operated on, by a clock that turns with each of both.
  package func trace(_ set: Int32) -> SetTrace? {
    state.sets[set].map {
      SetTrace(changed: $0.written, operated: $0.operated, owner: 0, group: 0, mode: $0.mode, read: $0.clock + 1)
    }
  }

  package var process: Int32 { Self.daemon }

  package func waiters(_ set: Int32, _ semaphore: Int) -> Int? {
    state.sets[set].map { $0.sleepers.count { $0.taken.contains { $0.semaphore == semaphore } } }
  }
}
