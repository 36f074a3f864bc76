import Leasehold
import Testing

@Suite struct TimeTests {
  @Test(
    arguments: [
      (-1_500_000, -1, -1), (-1, 0, 0), (0, 0, 0), (1, 0, 1), (999_999, 0, 1), (1_000_000, 1, 1), (1_000_001, 1, 2),
      (Int64.max, 9_223_372_036_854, 9_223_372_036_855),
    ] as [(Int64, Int64, Int64)])
  func millisecondsAreRoundedAsTheirNameSays(_ nanoseconds: Int64, _ down: Int64, _ up: Int64) {
    let span = TimeSpan(nanoseconds: nanoseconds)
    #expect(span.milliseconds == down)
    #expect(span.millisecondsRoundedUp == up)
  }

  @Test(
    arguments: [
      (-1, 0), (0, 0), (1, 1), (1_000_000_000, 1), (1_000_000_001, 2), (Int64.max, 9_223_372_037),
    ] as [(Int64, Int64)])
  func secondsAreRoundedUp(_ nanoseconds: Int64, _ seconds: Int64) {
    #expect(TimeSpan(nanoseconds: nanoseconds).secondsRoundedUp == seconds)
  }

  @Test func spansSaturate() {
    #expect(TimeSpan.milliseconds(.max).nanoseconds == .max)
    #expect(TimeSpan.seconds(.max).nanoseconds == .max)
    #expect(TimeSpan.seconds(2) == .milliseconds(2000))
    #expect(MonotonicInstant(nanoseconds: .max - 1) + .seconds(1) == MonotonicInstant(nanoseconds: .max))
  }

  @Test func instantsCompareAndSubtract() {
    let early = MonotonicInstant(nanoseconds: 5)
    let late = early + .milliseconds(1)
    #expect(early < late)
    #expect(late - early == .milliseconds(1))
    #expect(early - late < .zero)
  }

  @Test func theWallClockOfAMomentIsItsOffsetAway() {
    let moment = Moment(monotonic: MonotonicInstant(nanoseconds: 3_000), wallOffset: 1_700_000_000_000_000_000)
    #expect(moment.wallMicroseconds == 1_700_000_000_000_003)
  }
}
