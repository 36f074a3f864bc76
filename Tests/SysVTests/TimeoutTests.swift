import SysV
import Testing

@Suite("A timeout for the kernel")
struct TimeoutTests {
  static let timeouts: [(Duration, Int64, Int64)] = [
    (.zero, 0, 0),
    (.seconds(-1), 0, 0),
    (.nanoseconds(1), 0, 1),
    (Duration(secondsComponent: 0, attosecondsComponent: 1), 0, 1),
    (Duration(secondsComponent: 0, attosecondsComponent: 1_000_000_001), 0, 2),
    (Duration(secondsComponent: 4, attosecondsComponent: 999_999_999_999_999_999), 5, 0),
    (.milliseconds(1500), 1, 500_000_000),
    (.seconds(Int64.max), .max, 0),
    (
      .seconds(Int64.max) + .nanoseconds(999_999_999) + Duration(secondsComponent: 0, attosecondsComponent: 1),
      .max, 999_999_999
    ),
  ]

  @Test(arguments: timeouts)
  func isRoundedUpToNanoseconds(timeout: Duration, seconds: Int64, nanoseconds: Int64) {
    #expect(timeout.nonNegativeComponents == (seconds, nanoseconds))
  }
}
