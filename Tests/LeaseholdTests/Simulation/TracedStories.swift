import Leasehold
import LeaseholdTestKit
import SysVTypes

/// Stories whose stores and semops are written down, besides those that are crashed at every step.
extension CrashScript {
  private static let foreignKey: Int32 = 77

  /// What only native sets, several locks at once, operators and a kernel that refuses make the ledger do.
  static let traced = [
    CrashScript(
      description: "raw operations on a lease",
      before: { _ = $0.kernel.makeForeignSet(key: foreignKey, [5, 0, 3]) },
      steps: [
        { $0.operate([(0, -2), (1, 3)]) }, { $0.release("ops") }, { $0.operate([(0, 30_000)], ttl: .seconds(1)) },
        { _ = $0.kernel.perform([.add(-29_000, to: 0)], set: $0.set(foreignKey), process: 100) },
        { $0.pass(.seconds(2)) },
        {
          $0.operate([(1, 1)]); $0.breakLeases(foreignKey)
        },
      ]),
    CrashScript(
      description: "several locks of every kind", limits: small,
      before: { _ = $0.kernel.makeForeignSet(key: foreignKey, [2]) },
      steps: [
        { scene in
          scene.acquire("ann", several: ["a", "php:1234", "apache:x", "path:/tmp/x", "sysv"]) { wants in
            (wants[1].native, wants[1].limit) = (Scene.php, 2)
            (wants[2].native, wants[2].mode) = (Scene.apache("x"), .shared)
            wants[3].native = Scene.path([3])
            wants[4].native = Scene.semaphore(scene.set(foreignKey), 0)
          }
        },
        {
          $0.acquire("bob", several: ["b", "apache:x"]) {
            $0[1].native = Scene.apache("x"); $0[0].wait = .seconds(60)
          }
        }, { $0.release("ann") }, { $0.transfer("bob", to: "eve", owner: "eve") }, { $0.release("eve") },
      ]),
    CrashScript(
      description: "a part of several locks goes with its set", limits: small,
      steps: [
        { $0.acquire("ann", several: ["a", "php:1234", "b"]) { $0[1].native = Scene.php } },
        {
          $0.kernel.removeSet($0.set()); $0.keepHouse()
        }, { $0.acquire("bob", several: ["a", "php:1234"]) { $0[1].native = Scene.php } },
        { $0.breaks("bob", after: .seconds(1)) }, { $0.pass(.seconds(2)) },
      ]),
    CrashScript(
      description: "an apache session is read, written and waited for",
      steps: [
        {
          $0.acquire("ann", "apache:a") {
            $0.native = Scene.apache("a"); $0.mode = .shared
          }
        }, { $0.convert("ann", to: .exclusive) { $0.lock.native = Scene.apache("a") } },
        {
          $0.queue("bob", "apache:a") {
            $0.native = Scene.apache("a"); $0.mode = .shared
          }
        }, { $0.convert("ann", to: .shared) { $0.lock.native = Scene.apache("a") } },
        { $0.convert("bob", to: .exclusive, for: .seconds(60)) { $0.lock.native = Scene.apache("a") } },
        { $0.release("ann") }, { $0.release("bob") },
      ]),
    CrashScript(
      description: "a native program is waited for under php",
      steps: [
        {
          let php = PHPProcess($0, pid: 100)
          _ = php.acquire()
          $0.queue("ann", "php:1234") { $0.native = Scene.php }
          php.release()
        }, { $0.queue("bob", "php:1234") { $0.native = Scene.php } }, { $0.cancel("bob") }, { $0.release("ann") },
      ]),
    CrashScript(
      description: "values are written, found and mended", limits: small,
      steps: [
        { $0.acquire("ann") { $0.limit = 3 } }, { $0.acquire("bob", "b") { $0.limit = 3 } }, { $0.write(7) },
        { $0.keepHouse() }, { $0.write(9, "b", 1) }, { $0.keepHouse() }, { $0.remove("b", force: true) },
        { $0.acquire("cat", "b") }, { $0.release("ann") },
        {
          $0.acquire("dan", "php:1234") { $0.native = Scene.php }
          $0.kernel.setValue(1, set: $0.set(), semaphore: 1)
          $0.keepHouse()
        },
      ]),
    CrashScript(
      description: "the kernel refuses what must go back",
      steps: [
        { $0.acquire("ann") }, { $0.queue("bob") },
        {
          $0.kernel.failure = { _, _ in .failed(KernelFailure(.noMemory)) }
          $0.release("ann")
          $0.acquire("cat", "c")
          $0.kernel.failure = nil
        }, { $0.pass(.milliseconds(10)) }, { $0.release("bob") },
      ]),
    CrashScript(
      description: "retries, an answer that is lost, and a drain",
      steps: [
        {
          $0.acquire("ann") {
            $0.idempotencyKey = "ann"; $0.bindsConnection = true
          }
        },
        {
          $0.acquire("ann") {
            $0.idempotencyKey = "ann"; $0.bindsConnection = true; $0.caller = $0.caller.with(connection: 2)
          }
        }, { $0.queue("bob") { $0.idempotencyKey = "bob" } }, { $0.queue("bob") { $0.idempotencyKey = "bob" } },
        { $0.release("ann") }, { scene in scene.lose("bob") }, { $0.acquire("cat") }, { $0.ledger.drain() },
        { $0.release("cat") },
      ]),
  ]
}

extension Scene {
  /// The daemon does operations with SEM_UNDO, then puts them on a lease of "ops".
  fileprivate func operate(_ steps: [(semaphore: UInt16, delta: Int16)], ttl: TimeSpan = .seconds(30)) {
    let set = set(77)
    let list = steps.map { SemaphoreOperation.addUndone(Int($0.delta), to: Int($0.semaphore)) }
    guard kernel.operate(set, list: list) == .done else { return }
    var request = OperationRequest(
      address: .id(set),
      steps: steps.map { SemaphoreOperation(semaphore: $0.semaphore, delta: $0.delta, flags: .undo) },
      wait: .zero, caller: Caller(connection: 1, peer: .unknown))
    request.ttl = ttl
    request.owner = "somebody with a name that does not fit into the record"
    let asked = request
    _ = attempt { () throws(LeaseholdError) in
      let lease = try ledger.lease(
        asked, on: BankID(set: set, key: 77), count: values(77).count, waited: .zero, at: daemon.moment)
      note(lease, of: "ops")
    }
  }

  /// An operator writes all values of a set, and ends what stands on it before.
  fileprivate func breakLeases(_ key: Int32) {
    _ = ledger.breakLeases(on: nil, of: set(key), at: daemon.moment)
    hear()
  }

  /// Another program writes a value of an own lock's place.
  fileprivate func write(_ value: Int, _ key: String = "a", _ column: Int = 0) {
    guard let place = place(key) else { return }
    kernel.setValue(value, set: place.set, semaphore: place.semaphore + column * NamedDialect.locksPerBank)
  }

  /// The answer with somebody's grant could not be handed over.
  fileprivate func lose(_ who: String) {
    guard let lease = leases[who] else { return }
    history.letGo(lease.id)
    ledger.withdraw(.grant(lease.grant), at: daemon.moment)
    hear()
  }
}
