import LeaseholdHost
import Testing

@testable import LeaseholdEtcd

@Suite struct PaceTests {
  private var pace = WatchPace()
  private let ms: Int64 = 1_000_000

  /// An open watch that has told of all up to revision 4.
  private mutating func follow(at now: Int64) {
    pace.turn(isOpen: true, at: now)
    pace.begin(at: 4, seen: 4)
  }

  @Test mutating func aWatchThatDoesNotTellOfAWriteIsSilent() {
    follow(at: 0)
    pace.wrote(5, seen: 4, at: 0)
    let silent = [300, 500, 600].map { pace.isSilent(seen: 4, at: $0 * ms) }
    #expect(silent == [false, true, false])
    let afterNews = pace.isSilent(seen: 5, at: 9_000 * ms)
    pace.wrote(5, seen: 5, at: 9_000 * ms)
    let afterOldNews = pace.isSilent(seen: 5, at: 10_000 * ms)
    #expect(!afterNews && !afterOldNews)
  }

  @Test mutating func aRestIsNoSilenceAndTheNextWatchHasItsTime() {
    follow(at: 0)
    pace.turn(isOpen: false, at: 1 * ms)
    pace.wrote(5, seen: 4, at: 2 * ms)
    let inRest = pace.isSilent(seen: 4, at: 900 * ms)
    pace.turn(isOpen: true, at: 1_000 * ms)
    let silent = [1_300, 1_500].map { pace.isSilent(seen: 4, at: $0 * ms) }
    #expect(!inRest && silent == [false, true])
  }

  @Test mutating func changesAreHurriedForASecondAfterTheLastWhoWaited() {
    let before = pace.isWanted(at: 0)
    pace.want(at: 5 * ms)
    #expect(!before && pace.isWanted(at: 1_004 * ms) && !pace.isWanted(at: 1_005 * ms))
  }

  @Test mutating func tenMessagesInASecondAreHeardOneByOneAndNoMore() {
    follow(at: 0)
    for second in [Int64(5_000), 6_000] {
      let busy = (Int64(1)...12).map { count in
        pace.hear(upTo: 4, at: (second + count) * ms)
        return pace.isBusy
      }
      #expect(busy == [Bool](repeating: false, count: 10) + [true, true])
    }
    pace.hear(upTo: 4, at: 7_500 * ms)
    #expect(!pace.isBusy)
  }

  @Test mutating func itHasCaughtUpWhenTheWatchToldOfEverythingBeforeIt() {
    #expect(pace.settles(seen: 4) == nil, "without a watch that is not known")
    pace.turn(isOpen: true, at: 10 * ms)
    pace.begin(at: 9, seen: 4)
    #expect(pace.settles(seen: 4) == 160 * ms, "what was written may belong to others: then nothing comes")
    pace.hear(upTo: 9, at: 15 * ms)
    #expect(pace.settles(seen: 9) == 0)
    pace.wrote(10, seen: 9, at: 20 * ms)
    #expect(pace.settles(seen: 9) == nil, "a write of ours will be told")
    pace.hear(upTo: 10, at: 25 * ms)
    #expect(pace.settles(seen: 10) == 0)
    pace.turn(isOpen: false, at: 30 * ms)
    #expect(pace.settles(seen: 10) == nil)
  }

  @Test mutating func aWatchThatMissedNothingIsCurrentAtOnce() {
    follow(at: 0)
    #expect(pace.settles(seen: 4) == 0)
  }

  @Test mutating func sleepersAreWokenWhenItCatchesUp() {
    let sleeper = Alarm()
    pace.add(sleeper)
    follow(at: 0)
    // Rings already: this does not sleep.
    sleeper.sleep()
    pace.remove(sleeper)
  }
}
