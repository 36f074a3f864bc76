import Leasehold
import LeaseholdTestKit

extension Traffic {
  /// Odd ones take without SEM_UNDO; 104 sleeps for what it wants.
  private static let processes: ClosedRange<Int32> = 100...104

  /// Something that happens between two steps of the daemon.
  func interfere(_ chance: inout SeededRandom) {
    let runnable = daemon.waiting.runnable
    if !runnable.isEmpty, chance.once(in: 2) { return daemon.waiting.run(chance.pick(runnable)) }
    if chance.once(in: 60), let bank = daemon.kernel.banks().first {
      note("  meanwhile set \(bank.set) is removed")
      return daemon.kernel.removeSet(bank.set)
    }
    actNatively(&chance)
  }

  /// A native process does something.
  func actNatively(_ chance: inout SeededRandom) {
    let process = chance.pick(Self.processes)
    let kernel = daemon.kernel
    let places = kernel.banks().flatMap { bank in
      (0..<6).filter { kernel.value(bank.set, NamedDialect(place: $0).live) ?? 0 > 0 }.map { (bank.set, $0) }
    }
    guard !places.isEmpty else { return }
    let (set, place) = chance.pick(places)
    let undoes = process % 2 == 0
    let held = kernel.units(of: process, set: set, semaphore: place)
    switch Int.random(in: 0..<10, using: &chance) {
    case 0:
      note("  process \(process) dies")
      kernel.kill(process)
    case 1 where process == 104 && kernel.waiters(set, place) == 0:
      _ = kernel.sleep(1, set: set, semaphore: place, process: process)
    case 2..<6 where held > 0:
      note("  process \(process) gives \(held) to \(set):\(place)")
      kernel.give(held, set: set, semaphore: place, process: process, undoes: undoes)
    case 2..<10 where held == 0:
      let free = kernel.value(set, place) ?? 0
      let units = chance.once(in: 2) ? 1 : max(1, free)
      guard kernel.take(units, set: set, semaphore: place, process: process, undoes: undoes) else { return }
      note("  process \(process) takes \(units) of \(set):\(place)")
    default: break
    }
  }
}
