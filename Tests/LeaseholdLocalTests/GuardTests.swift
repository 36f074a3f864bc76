import Glibc
import HostTestKit
import LeaseholdHost
import Synchronization
import SysV
import SystemPackage
import Testing

@testable import Leasehold
@testable import LeaseholdLocal

@Suite struct GuardTests {
  private let scene = Scene()

  @Test func aSecondServiceIsToldWhoServes() throws {
    scene.options.description = "http://127.0.0.1:31818"
    _ = try scene.start()
    let error = #expect(throws: LocalServiceError.self) { try scene.start() }
    guard case .alreadyServed(let pid, let description)? = error else { throw NeverHappened() }
    #expect(pid == getpid())
    #expect(description == "http://127.0.0.1:31818")
    #expect("\(error.map(\.description) ?? "")".contains("--standby"))
  }

  @Test func aServiceInAnotherProcessIsNamedByItsProcess() throws {
    scene.stop(try scene.start())
    let child = try ChildProcess(perl: Self.holdTheGuard(of: scene.key))
    let control = try #require(scene.control)
    try eventually { try control.value(of: 0) == 1 }
    guard case .alreadyServed(let pid, _)? = #expect(throws: LocalServiceError.self, performing: { try scene.start() })
    else { throw NeverHappened() }
    #expect(pid == child.id)
    child.end()
    try eventually { (try? scene.start()) != nil }
  }

  /// What a daemon does first, as another program would write it.
  private static func holdTheGuard(of key: Int32) -> String {
    """
    my $set = semget(\(key), 3, 0600); defined $set or die;
    semop($set, pack("s!6", 0, 0, 0, 0, 1, 010000)) or die;
    sleep 1 while 1;
    """
  }

  @Test func aStandbyTakesOverTheLeasesOfTheServiceThatStops() throws {
    let first = try scene.start()
    let lease = try first.take("a")
    let options = scene.options
    let second = Mutex<LocalLockService?>(nil)
    let box = Shared(second)
    let waiting = HostThread { box.set(try? LocalLockService(options, standby: true)) }
    let control = try #require(scene.control)
    try eventually { try control.zeroWaiterCount(of: 0) == 1 }
    scene.stop(first)
    waiting?.join()
    let service = try #require(box.get())
    defer { service.stop() }
    #expect(try service.lease(lease.id, at: HostClock.now()).fence == lease.fence)
    #expect(try service.refusal("a")?.code == .locked)
  }

  private final class Shared: Sendable {
    private let value: Mutex<LocalLockService?>
    init(_ value: consuming Mutex<LocalLockService?>) { self.value = value }
    func set(_ service: LocalLockService?) { value.withLock { $0 = service } }
    func get() -> LocalLockService? { value.withLock { $0 } }
  }

  @Test func aStandbyThatIsToldToStopGivesUp() throws {
    _ = try scene.start()
    var asked = 0
    let error = #expect(throws: LocalServiceError.self) {
      try scene.start(standby: true) {
        asked += 1
        return asked < 2
      }
    }
    guard case .canceled? = error else { throw NeverHappened() }
  }

  @Test func aSetOfAnotherProgramUnderTheControlKeyIsRefused() throws {
    let foreign = try SemaphoreSet.create(key: IPCKey(rawValue: scene.key), count: 5)
    let error = #expect(throws: LocalServiceError.self) { try scene.start() }
    guard case .foreignControlSet(let key, let id, let count)? = error else { throw NeverHappened() }
    #expect((key, id, count) == (scene.key, foreign.id, 5))
    #expect(try foreign.values() == [0, 0, 0, 0, 0])
  }

  @Test func aGuardThatSomebodyRemovedIsMadeAnew() throws {
    let first = try scene.start()
    try first.controlSet.remove()
    try eventually { scene.control.map { (try? $0.value(of: 0)) == 1 } ?? false }
    #expect(throws: LocalServiceError.self) { try scene.start() }
    #expect(first.status().state == .ready)
  }

  @Test func aServiceWhoseGuardWentToAnotherDaemonGrantsNothingMore() throws {
    let first = try scene.start()
    try first.controlSet.remove()
    let child = try ChildProcess(perl: Self.makeAndHoldTheGuard(of: scene.key))
    try eventually { first.status().state == .draining || scene.control.map { (try? $0.value(of: 0)) == 1 } ?? false }
    // Whoever was faster has it: never both.
    let holder = try #require(scene.control).lastProcessID(of: 0)
    if holder == child.id { try eventually { first.status().state == .draining } }
    #expect(holder == child.id || first.status().state == .ready)
    child.end()
  }

  /// What another daemon does first, as another program would write it; ends when the guard is held.
  private static func makeAndHoldTheGuard(of key: Int32) -> String {
    """
    my $set = semget(\(key), 3, 0600 | 001000); defined $set or die;
    semop($set, pack("s!6", 0, 0, 0, 0, 1, 010000)) or die;
    sleep 1 while 1;
    """
  }

  @Test func aServiceThatCannotBeginLetsTheGuardGo() throws {
    let foreign = try SharedMemorySegment.create(key: IPCKey(rawValue: scene.key), byteCount: 100)
    #expect(throws: LocalServiceError.self) { try scene.start() }
    try foreign.remove()
    #expect(try scene.start().status().state == .ready)
  }

  @Test(.enabled(if: AnotherUser.isAvailable, "needs root and a second user"))
  func theGuardOfAnotherUserIsRefusedWithItsOwner() throws {
    _ = try scene.start()
    let key = scene.key
    let error = AnotherUser.run { () -> LocalServiceError? in
      do throws(LocalServiceError) {
        _ = try DaemonGuard(key: key)
        return nil
      } catch {
        return error
      }
    }
    guard case .notPermitted(.guard, key, let owner, let errno)?? = error else { throw NeverHappened() }
    #expect(owner == getuid())
    #expect(errno == .permissionDenied)
  }

  @Test(.enabled(if: AnotherUser.isAvailable, "needs root and a second user"))
  func aGuardThatAnotherUserMadeIsRefusedAlsoWhenItWasGivenAway() throws {
    let key = IPCKey(rawValue: scene.key)
    let set = try #require(
      AnotherUser.run { try? SemaphoreSet.create(key: key, count: 3, mode: .ownerReadWrite) } ?? nil)
    try expectRefused(scene, .guard, owner: AnotherUser.id, creator: AnotherUser.id, mode: 0o600)
    let isGiven = AnotherUser.run {
      guard var permissions = try? set.status().permissions else { return false }
      permissions.owner = 0
      return (try? set.setPermissions(permissions)) != nil
    }
    #expect(isGiven == true)
    try expectRefused(scene, .guard, owner: 0, creator: AnotherUser.id, mode: 0o600)
    #expect(try set.values() == [0, 0, 0], "nothing was done with it")
  }

  @Test func aGuardThatOthersMayUseIsRefused() throws {
    scene.stop(try scene.start())
    try #require(scene.control).setMode([.ownerReadWrite, .otherReadWrite])
    try expectRefused(scene, .guard, owner: getuid(), creator: getuid(), mode: 0o606)
  }

  private func expectRefused(
    _ scene: Scene, _ object: OwnObject, owner: UInt32, creator: UInt32, mode: UInt32
  ) throws {
    let error = #expect(throws: LocalServiceError.self) { try scene.start() }
    guard case .notOurs(object, scene.key, owner, creator, mode)? = error else { throw NeverHappened() }
    let words = "\(error.map(\.description) ?? "")"
    #expect(words.contains("uid \(creator)") && words.contains(object.removal(scene.key)))
  }
}
