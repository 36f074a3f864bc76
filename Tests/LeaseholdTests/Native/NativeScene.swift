import Leasehold
import LeaseholdTestKit
import SysVTypes

/// Native programs and callers who meet them, on simulated sets.
extension Scene {
  /// `php:1234`.
  static let php = NativeRequest(.php, at: .key(1234), semaphore: 0, count: 3, permissions: 0o666)

  /// A session of `apache:` in a set of 32.
  static func apache(_ session: String) -> NativeRequest {
    NativeRequest(
      .apache, at: .key(31_818), semaphore: ApacheDialect.number(of: session.utf8, halfOf: 32), count: 32,
      permissions: 0o700)
  }

  /// `path:/tmp/x` with these values.
  static func path(_ values: [UInt16], sem: Int = 0, endless: Bool = false) -> NativeRequest {
    NativeRequest(
      .path, at: .path("/tmp/x", project: 0), semaphore: sem, count: values.count, permissions: 0o666, values: values,
      touches: true, isEndless: endless)
  }

  /// `sysv:` on a set that exists.
  static func semaphore(_ id: Int32, _ number: Int) -> NativeRequest {
    NativeRequest(.sysv, at: .id(id), semaphore: number, count: 0, permissions: 0)
  }

  /// `sysv:1234.N` on a set that is made where there is none, with `value` in each of its semaphores.
  static func madeSemaphore(_ number: Int, value: UInt16 = 1) -> NativeRequest {
    NativeRequest(
      .sysv, at: .key(1234), semaphore: number, count: number + 1, permissions: 0o600,
      values: Array(repeating: value, count: number + 1))
  }

  /// The values of the set under a key.
  func values(_ key: Int32 = 1234) -> [Int] {
    let request = NativeRequest(.sysv, at: .key(key), semaphore: 0, count: 0, permissions: 0)
    guard let bound = try? kernel.bind(request, creating: false, access: nil),
      case .values(let values) = kernel.read(bound.id.set)
    else { return [] }
    return values.map(Int.init)
  }

  /// The set under a key; 0 when there is none.
  func set(_ key: Int32 = 1234) -> Int32 {
    let request = NativeRequest(.sysv, at: .key(key), semaphore: 0, count: 0, permissions: 0)
    return (try? kernel.bind(request, creating: false, access: nil).id.set) ?? 0
  }
}

/// What PHP's sysvsem does, call by call (ext/sysvsem/sysvsem.c).
struct PHPProcess {
  let scene: Scene
  let pid: Int32
  let set: Int32

  /// `sem_get(1234, max)`: guard and count, look, set, let the guard go.
  init(_ scene: Scene, pid: Int32, max: Int = 1) {
    self.scene = scene
    self.pid = pid
    var found = scene.set()
    if found == 0 { found = scene.kernel.makeForeignSet(key: 1234, [0, 0, 0]) }
    set = found
    _ = operate([.expectZero(2), .addUndone(1, to: 2), .addUndone(1, to: 1)])
    if scene.values()[1] == 1 { scene.kernel.setValue(max, set: set, semaphore: 0) }
    _ = operate([.addUndone(-1, to: 2)])
  }

  private func operate(_ operations: [SemaphoreOperation]) -> Bool {
    scene.kernel.perform(operations, set: set, process: pid) == .done
  }

  /// `sem_acquire(h, true)`.
  func acquire() -> Bool { operate([.addUndone(-1, to: 0)]) }

  /// `sem_acquire(h)`: the answer names the sleep.
  func wait() -> Int? { scene.kernel.sleep([.awaitUndone(-1, on: 0)], set: set, process: pid) }

  /// `sem_release(h)`.
  func release() {
    _ = operate([.addUndone(1, to: 0)])
    scene.hear()
  }

  /// The handle is freed, holding nothing.
  func free() {
    _ = operate([.addUndone(-1, to: 1)])
    scene.hear()
  }

  /// `kill -9`.
  func die() {
    scene.kernel.kill(pid)
    scene.hear()
  }
}
