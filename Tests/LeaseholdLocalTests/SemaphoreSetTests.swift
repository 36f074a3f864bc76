import Glibc
import HostTestKit
import LeaseholdHost
import SysV
import SystemPackage
import Testing

@testable import Leasehold
@testable import LeaseholdLocal

/// Sets made, changed and removed for callers.
@Suite struct SemaphoreSetTests {
  private let scene = Scene()

  private static let caller = LocalLockService.caller

  private func request(_ key: Int32, _ count: Int, _ change: (inout SemaphoreSetRequest) -> Void = { _ in })
    -> SemaphoreSetRequest
  {
    var request = SemaphoreSetRequest(
      key: key, semaphoreCount: count, mode: 0o600, values: nil, isExclusive: false, caller: Self.caller)
    change(&request)
    return request
  }

  /// A key that the scene's own are not.
  private func key(_ scene: Scene) -> Int32 { scene.key &+ 0x0100_0000 }

  private func code(_ body: () throws -> Void) -> (LeaseholdError.Code?, errno: String?) {
    do {
      try body()
      return (nil, nil)
    } catch let error as LeaseholdError {
      guard case .text(let errno)? = error.facts.first(where: { $0.name == "errno" })?.value else {
        return (error.code, nil)
      }
      return (error.code, errno)
    } catch {
      return (.internalError, "\(error)")
    }
  }

  @Test func aSetIsMadeOnceAndFoundAfterwards() throws {
    let service = try scene.start()
    let key = key(scene)
    let made = try service.makeSemaphoreSet(request(key, 3) { ($0.values, $0.mode) = ([1, 2, 3], 0o711) })
    let set = SemaphoreSet(id: made.info.id)
    defer { try? set.remove() }
    #expect(made.isNew && made.info.status.permissions.mode.rawValue == 0o711)
    #expect(made.info.status.operatedAtSeconds != nil, "programs wait for that")
    #expect(try set.values() == [1, 2, 3])
    let found = try service.makeSemaphoreSet(request(key, 2) { $0.values = [9, 9] })
    #expect(!found.isNew && found.info.id == set.id && found.info.status.count == 3)
    #expect(try set.values() == [1, 2, 3])
    #expect(try service.makeSemaphoreSet(request(key, 0)).info.id == set.id)
    #expect(code { _ = try service.makeSemaphoreSet(request(key, 3) { $0.isExclusive = true }) } == (.exists, "EEXIST"))
    #expect(code { _ = try service.makeSemaphoreSet(request(key, 4)) } == (.nsemsMismatch, "EINVAL"))
  }

  @Test func aCountThatNoSetHasIsOutOfRange() throws {
    let service = try scene.start()
    let perSetMax = try SemaphoreLimits.current().semaphoresPerSet
    for count in [0, perSetMax + 1, Int(Int32.max)] {
      let request = request(key(scene), count)
      #expect(code { _ = try service.makeSemaphoreSet(request) } == (.outOfRange, "EINVAL"), "\(count)")
    }
  }

  @Test(.enabled(if: AnotherUser.isAvailable, "needs root and a second user"))
  func aNewSetBelongsToTheUserOnTheSocket() throws {
    let service = try scene.start()
    let someone = Caller(connection: 1, peer: .local(pid: 1, uid: 1234, gid: 567))
    let made = try service.makeSemaphoreSet(request(0, 1) { $0.caller = someone })
    defer { try? SemaphoreSet(id: made.info.id).remove() }
    let permissions = made.info.status.permissions
    #expect((permissions.owner, permissions.group, permissions.mode) == (1234, 567, .ownerReadWrite))
    let stranger = Caller(connection: 1, peer: .local(pid: 1, uid: 1235, gid: 567))
    let address = IPCAddress.id(made.info.id)
    #expect(code { _ = try service.semaphoreSet(address, for: stranger) } == (.permissionDenied, "EACCES"))
    #expect(code { _ = try service.semaphore(0, of: address, for: stranger) } == (.permissionDenied, "EACCES"))
    #expect(
      code {
        _ = try service.removeSemaphoreSet(address, force: true, caller: stranger, at: HostClock.now())
      } == (.permissionDenied, "EPERM"))
    #expect(
      code {
        _ = try service.writeSemaphores(
          address, .one(0, 1), force: true, caller: stranger, at: HostClock.now())
      } == (.permissionDenied, "EACCES"))
    #expect(
      code {
        _ = try service.operate(
          OperationRequest(
            address: address, steps: [SemaphoreOperation(semaphore: 0, delta: 1)], wait: .zero, caller: stranger),
          client: nil, at: HostClock.now())
      } == (.permissionDenied, "EACCES"))
    #expect(
      code {
        _ = try service.changeSemaphoreSet(
          address, uid: nil, gid: nil, mode: 0o666, caller: stranger)
      } == (.permissionDenied, "EPERM"))
    #expect(try service.semaphoreSet(address, for: someone).semaphores.map(\.value) == [0])
  }

  @Test(.enabled(if: AnotherUser.isAvailable, "needs root and a second user"))
  func ownerGroupAndModeChangeAlone() throws {
    let service = try scene.start()
    let set = try SemaphoreSet.create(count: 1, mode: .ownerReadWrite)
    defer { try? set.remove() }
    let info = try service.changeSemaphoreSet(
      .id(set.id), uid: nil, gid: 7, mode: nil, caller: Self.caller
    ).status.permissions
    #expect((info.owner, info.group, info.mode) == (getuid(), 7, .ownerReadWrite))
    let again = try service.changeSemaphoreSet(
      .id(set.id), uid: 9, gid: nil, mode: 0o777, caller: Self.caller
    ).status.permissions
    #expect((again.owner, again.group, again.mode.rawValue, again.creator) == (9, 7, 0o777, getuid()))
  }

  @Test func valuesAreWrittenOneOrAll() throws {
    let service = try scene.start()
    let set = try SemaphoreSet.create(count: 3)
    defer { try? set.remove() }
    func write(_ values: SemaphoreValues) throws {
      _ = try service.writeSemaphores(
        .id(set.id), values, force: false, caller: Self.caller, at: HostClock.now())
    }
    try write(.all([1, 32_767, 0]))
    try write(.one(2, 5))
    #expect(try set.values() == [1, 32_767, 5])
    #expect(code { try write(.all([1, 2])) } == (.nsemsMismatch, "EINVAL"))
    #expect(code { try write(.one(3, 1)) } == (.noSuchSemaphore, "EINVAL"))
    #expect(try set.values() == [1, 32_767, 5])
  }

  @Test func ownSetsAreNeverChanged() throws {
    let service = try scene.start()
    let lease = try service.take("a")
    let control = try #require(scene.control)
    for set in [lease.bank, control] {
      let address = IPCAddress.id(set.id)
      let values = try set.values()
      let codes = [
        code { _ = try service.removeSemaphoreSet(address, force: true, caller: Self.caller, at: HostClock.now()) },
        code {
          _ = try service.writeSemaphores(
            address, .one(0, 0), force: true, caller: Self.caller, at: HostClock.now())
        },
        code {
          _ = try service.writeSemaphores(
            address, .all(values.map { _ in 0 }), force: true, caller: Self.caller, at: HostClock.now())
        },
        code {
          _ = try service.changeSemaphoreSet(
            address, uid: nil, gid: nil, mode: 0o666, caller: Self.caller)
        },
        code {
          _ = try service.operate(
            OperationRequest(
              address: address, steps: [SemaphoreOperation(semaphore: 0, delta: 1)], wait: .zero, caller: Self.caller),
            client: nil, at: HostClock.now())
        },
      ]
      #expect(codes.allSatisfy { $0.0 == .ownSet })
      #expect(try set.values() == values)
    }
    #expect(service.end(of: lease) == nil)
  }
}
