import Glibc
import LeaseholdHost
import Synchronization
import Testing

@Suite struct HostThreadTests {
  @Test func aThreadHasItsNameAndTakesNoSignalButFaults() throws {
    let name = Mutex("")
    let blocked = Mutex<[Int32]>([])
    let thread = try #require(
      HostThread(named: "lh-test-thread") {
        let file = open("/proc/thread-self/comm", O_RDONLY)
        var bytes = [UInt8](repeating: 0, count: 32)
        let count = read(file, &bytes, bytes.count)
        close(file)
        name.withLock { $0 = String(decoding: bytes.prefix(max(0, count - 1)), as: UTF8.self) }
        var mask = sigset_t()
        pthread_sigmask(SIG_BLOCK, nil, &mask)
        blocked.withLock {
          $0 = [SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGSEGV, SIGBUS].filter { sigismember(&mask, $0) == 1 }
        }
      })
    thread.join()
    #expect(name.withLock(\.self) == "lh-test-thread")
    #expect(blocked.withLock(\.self) == [SIGTERM, SIGINT, SIGHUP, SIGPIPE])
  }

  @Test func startingAThreadLeavesTheCallersSignalsAlone() throws {
    var (before, after) = (sigset_t(), sigset_t())
    pthread_sigmask(SIG_BLOCK, nil, &before)
    try #require(HostThread {}).join()
    pthread_sigmask(SIG_BLOCK, nil, &after)
    for signal in Int32(1)...31 { #expect(sigismember(&before, signal) == sigismember(&after, signal)) }
  }
}

@Suite struct HostClockTests {
  @Test func momentsFarAheadSaturate() {
    #expect(HostClock.monotonic(after: .seconds(Int64.max)) > HostClock.monotonic(after: .seconds(3_000_000_000)))
    #expect(Duration.seconds(Int64.max).wholeNanoseconds == 3_153_600_000_000_000_000)
    #expect(Duration.nanoseconds(-1500).wholeNanoseconds == -1500)
  }

  @Test func millisecondsAreRoundedUpAndNeverNegative() {
    let now = HostClock.monotonic()
    #expect(HostClock.milliseconds(until: 0) == 0)
    #expect(HostClock.milliseconds(until: .max) == .max)
    #expect(HostClock.milliseconds(until: now + 3_600_000_000_000) > 3_590_000)
    #expect(HostClock.monotonic() >= now)
  }
}

@Suite struct AlarmTests {
  @Test func aRingBeforeTheSleepEndsIt() {
    let alarm = Alarm()
    alarm.ring()
    alarm.sleep()
    alarm.sleep(until: 0)
  }
}

@Suite struct PollerTests {
  /// A pair of connected sockets.
  private struct Pair: ~Copyable {
    let ours: Int32
    let theirs: Int32

    init() throws {
      var ends: [Int32] = [-1, -1]
      try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
      (ours, theirs) = (ends[0], ends[1])
    }

    func say() { _ = write(theirs, "x", 1) }

    deinit {
      close(ours)
      close(theirs)
    }
  }

  private func reports(_ poller: Poller) -> [UInt64] {
    var tokens: [UInt64] = []
    poller.wait(milliseconds: 0) { tokens.append($0) }
    return tokens
  }

  @Test func aDescriptorIsReportedOnce() throws {
    let poller = try Poller()
    let pair = try Pair()
    try poller.add(pair.ours, for: .reading, as: 7)
    #expect(reports(poller) == [])
    pair.say()
    #expect(reports(poller) == [7])
    #expect(reports(poller) == [])
  }

  @Test func onlyAHangupIsReportedWhereThatIsWaitedFor() throws {
    let poller = try Poller()
    let pair = try Pair()
    try poller.add(pair.ours, for: .hangup, as: 7)
    pair.say()
    #expect(reports(poller) == [])
    shutdown(pair.theirs, Int32(SHUT_WR))
    #expect(reports(poller) == [7])
  }

  @Test func whatWasTakenOutIsNotReported() throws {
    let poller = try Poller()
    let pair = try Pair()
    try poller.add(pair.ours, for: .reading, as: 7)
    poller.remove(pair.ours)
    pair.say()
    #expect(reports(poller) == [])
    try poller.add(pair.ours, for: .reading, as: 8)
    #expect(reports(poller) == [8])
  }

  @Test func wakingEndsAWaitAndReportsNothing() throws {
    let poller = try Poller()
    poller.wake()
    poller.wait { _ in Issue.record("nothing is in the set") }
    #expect(reports(poller) == [])
  }

  @Test func aDescriptorThatIsNoneIsRefused() throws {
    let poller = try Poller()
    #expect(throws: Poller.Failure.self) { try poller.add(-1, for: .reading, as: 1) }
  }
}
