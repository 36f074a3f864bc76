import Glibc
import Leasehold
import Testing

@testable import leasehold

@Suite struct NotifyTests {
  /// Binds a datagram socket like the service manager and hands out what arrives.
  private func received(at name: String, _ body: (Notify) -> Void) throws -> [String] {
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    try #require(Notify.withAddress(of: name) { bind(descriptor, $0, $1) } == 0)
    body(Notify(environment: ["NOTIFY_SOCKET": name]))
    var messages: [String] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while case let count = recv(descriptor, &buffer, buffer.count, 0), count >= 0 {
      messages.append(String(decoding: buffer[..<count], as: UTF8.self))
    }
    return messages
  }

  private let expected = [
    "READY=1\nSTATUS=serving", "STATUS=3 leases 4 waiters", "WATCHDOG=1\nSTATUS=well", "STOPPING=1",
  ]

  private func sayAll(_ notify: Notify) {
    notify.ready(status: "serving")
    notify.status("3 leases\n4 waiters")
    notify.watchdog(status: "well")
    notify.stopping()
  }

  @Test func theServiceManagerHearsEveryMessageAtItsPath() throws {
    let path = "/tmp/leasehold-notify-\(getpid()).sock"
    defer { unlink(path) }
    #expect(try received(at: path, sayAll) == expected)
  }

  @Test func theServiceManagerHearsEveryMessageAtItsAbstractName() throws {
    #expect(try received(at: "@leasehold-notify-\(getpid())", sayAll) == expected)
  }

  @Test func aServiceManagerThatDoesNotReadCostsMessagesAndNothingElse() throws {
    let room = try withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { text in
      let file = open("/proc/sys/net/unix/max_dgram_qlen", O_RDONLY)
      defer { close(file) }
      let count = read(file, text.baseAddress, 31)
      let digits = text.prefix(max(0, count - 1)).map(UInt8.init(bitPattern:))
      return try #require(Int(String(decoding: digits, as: UTF8.self)))
    }
    // It returns, which is all that is asked: the last ones find no room.
    let messages = try received(at: "@leasehold-notify-full-\(getpid())") { notify in
      for number in 0..<room + 3 { notify.status("\(number)") }
    }
    #expect(messages.count < room + 3 && messages.first == "STATUS=0")
  }

  @Test(arguments: [
    [:], ["NOTIFY_SOCKET": ""], ["NOTIFY_SOCKET": "relative"], ["NOTIFY_SOCKET": "/nonexistent/notify"],
    ["NOTIFY_SOCKET": "/" + String(repeating: "n", count: 200)],
  ])
  func withoutASocketNothingHappens(environment: [String: String]) {
    sayAll(Notify(environment: environment))
  }

  @Test func theWatchdogIsDueAtHalfOfWhatIsAllowed() {
    let usec = ["WATCHDOG_USEC": "30000000"]
    #expect(Notify(environment: usec).watchdogInterval == .seconds(15))
    let own = usec.merging(["WATCHDOG_PID": "42"]) { $1 }
    #expect(Notify(environment: own, processID: 42).watchdogInterval == .seconds(15))
    #expect(Notify(environment: own, processID: 43).watchdogInterval == nil)
    #expect(Notify(environment: ["WATCHDOG_USEC": "0"]).watchdogInterval == nil)
    #expect(Notify(environment: [:]).watchdogInterval == nil)
  }
}
