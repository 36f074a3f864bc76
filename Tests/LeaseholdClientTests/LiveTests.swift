import Glibc
import LeaseholdHost
import Testing

@testable import LeaseholdClient

/// The client against the daemon itself, which is built beside the tests.
@Suite(.serialized) struct LiveTests {
  @Test(arguments: [Keep.process, .stream, .renewal])
  func aLockIsHeldWhileTheBodyRunsAndFreeAfterwards(keep: Keep) async throws {
    let daemon = try Daemon()
    let client = try LeaseholdClient("unix:\(daemon.socket)")
    var wanted = Lock("deploy/web", wait: .seconds(5), client: client)
    wanted.keep = keep
    let lock = wanted
    let fence = try await lock.withLock { lease in
      let holder = try await client.lock("deploy/web").holders.first
      #expect(holder?.ref == lease.ref && lease.isHeld && lease.keep == keep)
      return lease.fence
    }
    let again = try await lock.acquire()
    #expect(again.fence > fence)
    let leases = try await client.leases(prefix: "deploy")
    #expect(leases.map(\.keys) == [["deploy/web"]] && leases.first?.owner == Wish.programOwner)
    let held = try await client.locks(prefix: "deploy").map(\.held)
    #expect(held == [1])
    let sets = try await client.semaphores()
    #expect(sets.contains { $0.isOwn && $0.count > 0 })
    let wasHeld = await (again.release(), again.release())
    #expect(wasHeld == (true, false))
    try await eventually { try await client.leases().isEmpty }
  }

  /// As it stands in the README: Tests/Examples compares the two, line by line.
  @Test func theSnippetOfTheReadmeRuns() async throws {
    let daemon = try Daemon()
    let service = "unix:\(daemon.socket)"
    let client = try LeaseholdClient(service)
    let lock = Lock("deploy", wait: .seconds(10), client: client)
    let fence = try await lock.withLock { lease in
      // The lease is kept meanwhile. When it is lost, this task is canceled.
      lease.fence
    }
    #expect(fence > 0)
    let left = try await client.leases()
    #expect(left.isEmpty)
  }

  @Test func slotsHaveNames() async throws {
    let daemon = try Daemon()
    let client = try LeaseholdClient("unix:\(daemon.socket)")
    let names = ["gpu0", "gpu1", "gpu2"]
    let one = try await Lock([.slots("gpus", named: names, slot: ["gpu1"])], client: client).acquire()
    #expect(one.slot == "gpu1" && one.slots == ["gpu1"] && one.environment["LEASEHOLD_SLOT"] == "gpu1")
    let error = await #expect(throws: ClientError.self) {
      try await Lock([.slots("gpus", named: names, slot: ["gpu1"])], wait: .zero, client: client).acquire()
    }
    #expect(error?.isBusy == true)
    let rest = try await Lock([.slots("gpus", named: names, count: 2), "other"], client: client).acquire()
    #expect(rest.slots.sorted() == ["gpu0", "gpu2"] && rest.slot == rest.slots.first)
    let plain = try await Lock("plain", slots: 2, client: client).acquire()
    #expect(plain.slot == nil && plain.environment["LEASEHOLD_SLOT"] == nil)
  }

  @Test func severalLocksAndSlotsAreOneLease() async throws {
    let daemon = try Daemon()
    let client = try LeaseholdClient("unix:\(daemon.socket)")
    let wants: [Want] = ["accounts", .shared("report"), .slots("downloads", 5, count: 2)]
    try await Lock(wants, wait: .seconds(5), client: client).withLock { lease in
      #expect(lease.keys == ["accounts", "report", "downloads"])
      let (free, limit) = try await { ($0.available, $0.limit) }(client.lock("downloads"))
      #expect((free, limit) == (3, 5))
      // Beside it: the rest of the slots, and another reader.
      try await Lock("downloads", wait: .zero, slots: 5, count: 3, client: client).withLock { _ in }
      try await Lock("report", wait: .zero, shared: true, client: client).withLock { _ in }
    }
  }

  @Test func whoWaitsGetsTheLockInTurnAndWhoIsCanceledLeavesTheQueue() async throws {
    let daemon = try Daemon()
    let client = try LeaseholdClient("unix:\(daemon.socket)")
    let lock = Lock("a", client: client)
    let first = try await lock.acquire()
    let canceled = Task { try await lock.acquire() }
    try await eventually { try await client.lock("a").waiting == 1 }
    let second = Task { try await lock.acquire() }
    try await eventually { try await client.lock("a").waiting == 2 }
    canceled.cancel()
    await #expect(throws: ClientError.canceled) { try await canceled.value }
    try await eventually { try await client.lock("a").waiting == 1 }
    await first.release()
    let granted = try await second.value
    #expect(granted.fence > first.fence)
  }

  @Test func whoWaitsNeedsNoThread() async throws {
    let daemon = try Daemon()
    let client = try LeaseholdClient("unix:\(daemon.socket)")
    let lock = Lock("a", client: client)
    let first = try await lock.acquire()
    let before = threads()
    let waiting = (0..<100).map { _ in Task { try await lock.withLock { _ in } } }
    try await eventually { try await client.lock("a").waiting == 100 }
    // Other tests have threads, too.
    #expect(threads() - before < 50)
    await first.release()
    for task in waiting { try await task.value }
  }

  @Test func aLockIsNotReentrant() async throws {
    let daemon = try Daemon()
    let client = try LeaseholdClient("unix:\(daemon.socket)")
    let lock = Lock("a", client: client)
    try await lock.withLock { lease in
      for wait in [nil, Duration.zero] {
        let error = await #expect(throws: ClientError.self) {
          try await Lock("a", wait: wait, client: client).acquire()
        }
        #expect(error?.kind == .alreadyHeld)
      }
      // A task that knows nothing of the block is somebody else.
      let error = await Task.detached { await #expect(throws: ClientError.self) { try await lock.tried() } }.value
      #expect(error?.kind == .locked)
    }
  }

  @Test func aDaemonThatIsKilledAndBackInTimeDoesNotMatter() async throws {
    let daemon = try Daemon()
    let client = try LeaseholdClient("unix:\(daemon.socket)")
    let renewed = try await Lock("a", ttl: .seconds(6), client: client).withLock { lease in
      let begun = HostClock.monotonic()
      daemon.kill()
      try daemon.start()
      // Past the first deadline.
      try await eventually { HostClock.monotonic() > begun + 6_500_000_000 }
      return try await client.lock("a").holders.first?.ref == lease.ref
    }
    #expect(renewed)
  }

  @Test(arguments: [Keep.process, .stream, .renewal])
  func aLeaseThatAnOperatorEndsCancelsTheBody(keep: Keep) async throws {
    let daemon = try Daemon()
    let client = try LeaseholdClient("unix:\(daemon.socket)")
    var wanted = Lock("a", ttl: keep == .renewal ? .milliseconds(600) : nil, client: client)
    wanted.keep = keep
    let lock = wanted
    let error = await #expect(throws: ClientError.self) {
      try await lock.withLock { lease in
        try await client.end(lease: lease.ref, because: "host goes down")
        try await Task.sleep(for: .seconds(60))
      }
    }
    guard case .leaseLost(let loss)? = error else { throw error ?? .canceled }
    #expect((loss.reason, loss.breakReason) == ("broken", "host goes down"))
  }

  @Test func aStreamIsOpenedAgainWithinTheGraceOfARestart() async throws {
    let daemon = try Daemon(["--port", "0", "--recovery-grace", "20s"])
    let client = try LeaseholdClient("unix:\(daemon.socket)")
    var lock = Lock("a", client: client)
    lock.keep = .stream
    let lease = try await lock.acquire()
    for _ in 1...2 {
      daemon.kill()
      try await eventually { lease.remaining != nil }
      #expect(lease.isHeld && lease.remaining ?? .zero <= .seconds(20))
      try daemon.start()
      try await eventually { lease.remaining == nil }
    }
    try await client.end(lease: lease.ref, because: "maintenance")
    let loss = await lease.whenLost()
    #expect((loss?.reason, loss?.breakReason) == ("broken", "maintenance"))
  }

  @Test(arguments: ["0s", "1s"]) func aStreamWhoseServiceStaysAwayIsLostWithTheGrace(grace: String) async throws {
    let daemon = try Daemon(["--port", "0", "--recovery-grace", grace])
    var lock = Lock("a", client: try LeaseholdClient("unix:\(daemon.socket)"))
    lock.keep = .stream
    let lease = try await lock.acquire()
    daemon.kill()
    let loss = await lease.whenLost()
    #expect(loss?.reason == "connection-closed")
  }

  @Test func anOperatorWhoWaitsIsToldInTimeAndTheLeaseIsHeldUntilThen() async throws {
    let daemon = try Daemon()
    let client = try LeaseholdClient("unix:\(daemon.socket)")
    let lease = try await Lock("a", ttl: .seconds(2), client: client).acquire()
    try await client.end(lease: lease.ref, because: "soon", after: .seconds(3))
    try? await lease.renew()
    #expect(lease.isHeld)
    let loss = await lease.whenLost()
    #expect((loss?.reason, loss?.breakReason) == ("broken", "soon"))
  }

  @Test func eventsComeOneByOne() async throws {
    let daemon = try Daemon()
    let client = try LeaseholdClient("unix:\(daemon.socket)")
    try await Lock("jobs/1", client: client).withLock { _ in }
    try await Lock("other", client: client).withLock { _ in }
    try await Lock("jobs/2", client: client).withLock { _ in }
    var seen: [String] = []
    for try await event in client.events([.granted], ofLocks: "jobs/*", since: "oldest") {
      #expect(event.kind == .granted && event.ref != nil && event.at != nil && !event.id.isEmpty)
      seen.append(event.key ?? "")
      if seen.count == 2 { break }
    }
    #expect(seen == ["jobs/1", "jobs/2"])
  }

  @Test func whoReadsEventsMayBeCanceled() async throws {
    let daemon = try Daemon()
    let client = try LeaseholdClient("unix:\(daemon.socket)")
    let reading = Task {
      for try await _ in client.events() {}
    }
    reading.cancel()
    await #expect(throws: ClientError.canceled) { try await reading.value }
  }

  private func threads() -> Int {
    guard let folder = opendir("/proc/self/task") else { return 0 }
    defer { closedir(folder) }
    var count = 0
    while readdir(folder) != nil { count += 1 }
    return count
  }
}

extension Lock {
  /// Takes it, or does not.
  fileprivate func tried() async throws(ClientError) -> Lease {
    var once = self
    once.wait = .zero
    return try await once.acquire()
  }
}

/// Waits until the condition holds; twenty seconds at most.
func eventually(_ condition: () async throws -> Bool) async throws {
  let end = HostClock.monotonic(after: .seconds(20))
  while try await !condition() {
    try #require(HostClock.monotonic() < end)
    try await Task.sleep(for: .milliseconds(5))
  }
}

/// A daemon of our own, on a Unix socket, in the IPC namespace that the tests run in.
final class Daemon: @unchecked Sendable {
  // Used by one test at a time.
  let socket: String
  private let key: UInt32
  private let options: [String]
  private var processID: pid_t = 0

  init(_ options: [String] = ["--port", "0"]) throws {
    self.options = options
    key = UInt32.random(in: 1...0xffff)
    socket = "/tmp/leasehold-live-\(getpid())-\(key)"
    try start()
  }

  deinit {
    kill()
    unlink(socket)
  }

  /// Kills it with -9.
  func kill() {
    guard processID > 0 else { return }
    _ = Glibc.kill(processID, SIGKILL)
    while waitpid(processID, nil, 0) < 0, errno == EINTR {}
    processID = 0
  }

  /// Starts it and waits until it is ready.
  func start() throws {
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = bytes.withUnsafeMutableBytes { buffer in
      buffer.baseAddress.map { readlink("/proc/self/exe", $0.assumingMemoryBound(to: CChar.self), buffer.count) } ?? 0
    }
    let own = String(decoding: bytes[..<max(count, 0)], as: UTF8.self)
    let program = own.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 } + "/leasehold"
    try #require(access(program, X_OK) == 0, "\(program) is not built")
    let digits = String(0x4c50_0000 + key, radix: 16)
    let words =
      [
        program, "serve", "--unix", socket, "--control-key", "0x" + digits, "--log-level", "error",
      ] + options
    var arguments = words.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    try #require(posix_spawn(&processID, program, nil, nil, &arguments, environ) == 0)
    let connection = LeaseholdConnection(ServiceEndpoint(.unix(path: socket)))
    let end = HostClock.monotonic(after: .seconds(20))
    while (try? connection.send(Request("GET", ["readyz"])).status) != 200 {
      try #require(HostClock.monotonic() < end)
      usleep(5000)
    }
  }
}
