import Leasehold
import SysVTypes
import Testing

/// Where native names lead when nothing else is said, and when it is.
@Suite struct BindingTests {
  private let caller = Caller(connection: 1, peer: .local(pid: 9, uid: 7, gid: 8), groups: [10, 11])

  private func place(_ request: NativeRequest) -> String {
    let place =
      switch request.place {
      case .key(let key): "\(key)"
      case .id(let id): "id:\(id)"
      case .path(let path, let project): "\(path) \(project)"
      }
    return "\(place), \(request.semaphore) of \(request.count), \(String(request.permissions, radix: 8))"
  }

  @Test func namesLeadWhereTheirProgramsLook() {
    #expect(place(.php(1234, for: caller)) == "1234, 0 of 3, 666")
    #expect(place(.sharelite(1971, for: caller)) == "1971, 1 of 3, 666")
    #expect(place(.php(1234, permissions: 0o600, for: caller)) == "1234, 0 of 3, 600")
    #expect(place(.sharelite(1971, permissions: 0o640, for: caller)) == "1971, 1 of 3, 640")
    #expect(NativeRequest.sharelite(1971, for: caller).dialect == .apache)
  }

  @Test func aSessionHasTheModulesNumber() {
    // "ab" is 31 * 97 + 98: 1 modulo 16, and 5 modulo 10.
    #expect(place(.apache(ExactText("ab"), for: caller)) == "31818, 1 of 32, 700")
    let other = NativeRequest.apache(ExactText("ab"), count: 20, key: 7, permissions: 0o666, for: caller)
    #expect(place(other) == "7, 5 of 20, 666")
  }

  @Test func aSetIsMadeOnlyWhereThatIsAskedFor() {
    let found = NativeRequest.semaphore(2, of: .key(5), isEndless: true, for: caller)
    #expect(place(found) == "5, 2 of 0, 0" && found.values.isEmpty && found.isEndless)
    let named = NativeRequest.semaphore(2, of: .id(5), isEndless: false, for: caller)
    #expect(place(named) == "id:5, 2 of 0, 0")
    let made = NativeRequest.madeSemaphore(
      2, of: 5, count: nil, value: nil, permissions: nil, isEndless: false, for: caller)
    #expect(place(made) == "5, 2 of 3, 600" && made.values == [1, 1, 1])
    let larger = NativeRequest.madeSemaphore(
      2, of: 5, count: 4, value: 6, permissions: 0o644, isEndless: false, for: caller)
    #expect(place(larger) == "5, 2 of 4, 644" && larger.values == [6, 6, 6, 6])
  }

  @Test func thePathIsLeftToFtok() {
    let request = NativeRequest.path(
      ExactText("/tmp/x"), project: 3, semaphore: 1, count: 2, permissions: nil, values: [4, 5], touches: true,
      isEndless: false, for: caller)
    #expect(place(request) == "/tmp/x 3, 1 of 2, 666" && request.values == [4, 5] && request.touches)
    #expect(request.peer == caller.peer && request.groups == [10, 11])
  }

  @Test func variablesAreGuardedByTheSemaphoreOfTheirKey() throws {
    #expect(LockKey(guardingVariablesAt: 0x5afe).native == .php(0x5afe))
    #expect(LockKey(guardingVariablesAt: -2).text == "php:0xfffffffe")
    #expect(LockKey(guardingVariablesAt: -2).native == .php(-2))
    let scene = Scene()
    _ = scene.acquire("ann", "php:1234") { $0.native = .php(1234, for: caller) }
    _ = scene.acquire("bob", "plain")
    let (ann, bob) = (try #require(scene.leases["ann"]), try #require(scene.leases["bob"]))
    #expect(ann.guardsVariables(at: 1234) && !ann.guardsVariables(at: 1235) && !bob.guardsVariables(at: 1234))
  }
}
