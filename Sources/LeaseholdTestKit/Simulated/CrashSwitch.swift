/// Stops the world between two steps of a daemon.
///
/// Every effect that outlives the daemon (a store, a commit, a semop) is a step. At the chosen one, whatever outlives
/// is frozen as it is; the dying daemon runs on in a world of its own that is thrown away when ``thaw()`` is called.
package final class CrashSwitch {
  /// Steps since the beginning.
  package private(set) var steps = 0
  /// True when the daemon is dead: its effects count no more.
  package private(set) var hasCrashed = false
  /// Called before each step of a daemon that lives: what other processes do in between.
  package var interference: (() -> Void)?
  /// Hears of each step of a daemon that lives, in a few characters, in order.
  package var witness: ((String) -> Void)?
  private var crashStep: Int?
  private var isInterfering = false
  /// Each freezes something that outlives daemons, and answers what thaws it.
  private var worlds: [() -> () -> Void] = []
  private var thaws: [() -> Void] = []

  package init() {}

  /// Lets `count` more steps happen, and no other.
  package func crash(afterStep count: Int) { crashStep = steps + count }

  /// Stops the world here.
  package func crashNow() {
    guard !hasCrashed else { return }
    hasCrashed = true
    thaws = worlds.map { $0() }
  }

  /// Puts the frozen world in the place of the one the dying daemon ran on in, and unsets the switch.
  package func thaw() {
    crashStep = nil
    guard hasCrashed else { return }
    for thaw in thaws { thaw() }
    hasCrashed = false
  }

  /// Lets no crash happen that did not happen yet.
  package func disarm() { crashStep = nil }

  func add(_ freeze: @escaping () -> () -> Void) { worlds.append(freeze) }

  /// To be called before each effect; `effect` is what it is.
  func step(_ effect: @autoclosure () -> String) {
    if let crashStep, steps >= crashStep { crashNow() }
    steps += 1
    if let witness, !hasCrashed { witness(effect()) }
    guard !hasCrashed, !isInterfering, let interference else { return }
    isInterfering = true
    interference()
    isInterfering = false
  }
}
