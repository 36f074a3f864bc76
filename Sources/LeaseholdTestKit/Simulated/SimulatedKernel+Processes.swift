import Leasehold
package import SysVTypes

// What processes other than the daemon do, and what only the tests may see.

extension SimulatedKernel {
  /// A native process takes units, without waiting.
  ///
  /// False when they are not free.
  package func take(_ units: Int, set: Int32, semaphore: Int, process: Int32, undoes: Bool) -> Bool {
    let operation = undoes ? SemaphoreOperation.addUndone(-units, to: semaphore) : .add(-units, to: semaphore)
    guard perform([operation], set: set, process: process) == .done else { return false }
    state.sets[set]?.held[process, default: [:]][semaphore, default: 0] += units
    return true
  }

  /// A native process gives back units that it took, with the SEM_UNDO flag as when it took them.
  package func give(_ units: Int, set: Int32, semaphore: Int, process: Int32, undoes: Bool) {
    guard let held = state.sets[set]?.held[process]?[semaphore], held >= units else { return }
    state.sets[set]?.held[process]?[semaphore] = held == units ? nil : held - units
    _ = perform([undoes ? .addUndone(units, to: semaphore) : .add(units, to: semaphore)], set: set, process: process)
  }

  /// A process goes to sleep until it has units; the answer names the sleep.
  ///
  /// `nil` when the set is gone.
  package func sleep(_ units: Int, set: Int32, semaphore: Int, process: Int32, undoes: Bool = true) -> Int? {
    let operation = SemaphoreOperation(
      semaphore: UInt16(semaphore), delta: Int16(-units), flags: undoes ? .undo : [])
    return sleep([operation], set: set, process: process)
  }

  /// A process goes to sleep until all of its operations are possible at once; the answer names the sleep.
  ///
  /// `nil` when the set is gone.
  package func sleep(_ operations: [SemaphoreOperation], set: Int32, process: Int32) -> Int? {
    guard state.sets[set] != nil else { return nil }
    let token = state.nextToken
    state.nextToken += 1
    state.sleeps[token] = .asleep
    state.sets[set]?.sleepers.append(Sleeper(token: token, process: process, operations: operations))
    wake(set)
    return token
  }

  /// The state of a sleep.
  package func sleep(_ token: Int) -> Sleep { state.sleeps[token] ?? .removed }

  /// Ends a sleep by a signal.
  ///
  /// False when it had ended already.
  package func interrupt(_ token: Int) -> Bool {
    guard state.sleeps[token] == .asleep else { return false }
    state.sleeps[token] = nil
    for set in state.sets.keys { state.sets[set]?.sleepers.removeAll { $0.token == token } }
    return true
  }

  /// A process dies: the kernel undoes what it marked so.
  package func kill(_ process: Int32) {
    for set in state.sets.keys.sorted() {
      state.sets[set]?.exit(process)
      wake(set)
    }
  }

  /// Removes a set, as another program does; its sleepers wake up (EIDRM).
  package func removeSet(_ set: Int32) {
    guard let gone = state.sets.removeValue(forKey: set) else { return }
    for sleeper in gone.sleepers { state.sleeps[sleeper.token] = .removed }
  }

  /// A process writes a value (SETVAL): every adjustment of that semaphore is forgotten.
  ///
  /// - Parameter process: That of an administrator outside this PID namespace, unless it is given.
  package func setValue(_ value: Int, set: Int32, semaphore: Int, process: Int32 = 0) {
    guard let found = state.sets[set] else { return }
    state.sets[set]?.values[semaphore] = value
    state.sets[set]?.lastProcess[semaphore] = process
    state.sets[set]?.noteWrite()
    for process in found.adjustments.keys { state.sets[set]?.adjustments[process]?[semaphore] = nil }
    wake(set)
  }

  /// An administrator changes a set's mode (IPC_SET).
  package func setMode(_ mode: UInt32, set: Int32) {
    state.sets[set]?.mode = mode
    state.sets[set]?.noteWrite()
  }

  /// Units of a semaphore that native processes hold, or took to their graves.
  package func nativeUnits(_ set: Int32, _ semaphore: Int) -> Int {
    guard let set = state.sets[set] else { return 0 }
    return set.held.values.reduce(set.abandoned[semaphore] ?? 0) { $0 + ($1[semaphore] ?? 0) }
  }

  /// Units that one process holds and may give back.
  package func units(of process: Int32, set: Int32, semaphore: Int) -> Int {
    state.sets[set]?.held[process]?[semaphore] ?? 0
  }

  /// Units that the kernel would add back if a process died now.
  package func adjustment(of process: Int32, set: Int32, semaphore: Int) -> Int {
    state.sets[set]?.adjustments[process]?[semaphore] ?? 0
  }
}
