import Glibc
import LeaseholdClient
import LeaseholdHost
import Testing

/// The client against the daemon itself, which is built beside the tests.
@Suite(.serialized) struct LiveTests {
  @Test func aLockIsHeldWhileTheBodyRunsAndFreeAfterwards() async throws {
    let daemon = try Daemon()
    let client = try LeaseholdClient("unix:\(daemon.socket)")
    let fence = try await client.withLease("deploy/web", wait: .seconds(5)) { lease in
      let holder = try await client.lock("deploy/web").json["holders"].elements.first
      #expect(holder?["ref"].string == lease.ref)
      await #expect(throws: ClientError.self) { try await client.acquire("deploy/web") }
      return lease.fence
    }
    let again = try await client.acquire("deploy/web")
    #expect(again.fence > fence)
    #expect(again.keys == ["deploy/web"])
    let leases = try await client.leases()
    #expect(leases.count == 1)
    let held = try await client.locks(prefix: "deploy").map(\.held)
    #expect(held == [1])
    let sets = try await client.semaphores()
    #expect(!sets.isEmpty)
    try await client.release(again)
    try await client.release(again)
    let left = try await client.leases()
    #expect(left.isEmpty)
  }

  /// As it stands in the README: Tests/Examples compares the two, line by line.
  @Test func theSnippetOfTheReadmeRuns() async throws {
    let daemon = try Daemon()
    let service = "unix:\(daemon.socket)"
    let client = try LeaseholdClient(service)
    let fence = try await client.withLease("deploy", wait: .seconds(10)) { lease in
      // The lease is renewed meanwhile. When it is lost, this task is canceled.
      lease.fence
    }
    #expect(fence > 0)
    let left = try await client.leases()
    #expect(left.isEmpty)
  }

  @Test func whoWaitsGetsTheLockInTurnAndWhoIsCanceledLeavesTheQueue() async throws {
    let daemon = try Daemon()
    let client = try LeaseholdClient("unix:\(daemon.socket)")
    let first = try await client.acquire("a")
    var options = LeaseOptions()
    options.wait = .seconds(30)
    let waiting = options
    let canceled = Task { try await client.acquire("a", waiting) }
    try await eventually { try await client.lock("a").waiting == 1 }
    let second = Task { try await client.acquire("a", waiting) }
    try await eventually { try await client.lock("a").waiting == 2 }
    canceled.cancel()
    await #expect(throws: ClientError.canceled) { try await canceled.value }
    try await eventually { try await client.lock("a").waiting == 1 }
    try await client.release(first)
    let granted = try await second.value
    #expect(granted.fence > first.fence)
  }

  @Test func aDaemonThatIsKilledAndBackInTimeDoesNotMatter() async throws {
    let daemon = try Daemon()
    let client = try LeaseholdClient("unix:\(daemon.socket)")
    var options = LeaseOptions()
    options.ttl = .seconds(6)
    let renewed = try await client.withLease("a", options) { lease in
      daemon.kill()
      try daemon.start()
      // Past the first deadline.
      try await eventually { lease.deadline.map { HostClock.monotonic() > $0 + 500_000_000 } ?? true }
      return try await client.lock("a").json["holders"].elements.first?["ref"].string == lease.ref
    }
    #expect(renewed)
  }

  @Test func aLeaseThatSomebodyReleasesCancelsTheBody() async throws {
    let daemon = try Daemon()
    let client = try LeaseholdClient("unix:\(daemon.socket)")
    var options = LeaseOptions()
    options.ttl = .milliseconds(600)
    let wanted = options
    let error = await #expect(throws: ClientError.self) {
      try await client.withLease("a", wanted) { lease in
        try await client.release(lease)
        try await Task.sleep(for: .seconds(60))
      }
    }
    guard case .leaseLost(let reason)? = error else {
      Issue.record("not lost: \(error as Any)")
      return
    }
    #expect(reason.contains("released"))
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
