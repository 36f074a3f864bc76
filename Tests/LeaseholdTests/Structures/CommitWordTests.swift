import Testing

@testable import Leasehold

@Suite struct CommitWordTests {
  @Test(
    arguments: [CommitWord.State.live, .preparing, .retiring, .cooling, .arming, .suspect],
    [CommitWord.Kind.lease, .lock, .text])
  func aWordSaysWhatItWasMadeOf(_ state: CommitWord.State, _ kind: CommitWord.Kind) {
    let word = CommitWord(state, kind, check: 0xdead_beef)
    #expect(word.state == state && word.kind == kind && word.check == 0xdead_beef && word.reason == nil)
    #expect(!word.isDisposable)
  }

  @Test(arguments: EndReason.allCases) func anEndCarriesItsReason(_ reason: EndReason) {
    let word = CommitWord(.ended, .lease, check: 1, reason: reason)
    #expect(word.state == .ended && word.reason == reason && word.isDisposable)
  }

  @Test(arguments: EndReason.allCases) func anEndUnderWayCarriesItsReason(_ reason: EndReason) {
    let word = CommitWord(.disarming, .lease, check: 1, reason: reason)
    #expect(word.state == .disarming && word.reason == reason && !word.isDisposable)
  }

  @Test(arguments: EndReason.allCases) func whatIsKeptCarriesTheReasonOfItsEnd(_ reason: EndReason) {
    let word = CommitWord(.kept, .lease, check: 1, reason: reason)
    #expect(word.state == .kept && word.reason == reason && !word.isDisposable)
  }

  @Test func aFreeRecordIsNothing() {
    #expect(CommitWord.free.rawValue == 0 && CommitWord.free.state == .free && CommitWord.free.kind == nil)
    #expect(CommitWord.free.isDisposable)
  }

  @Test func statesAndKindsOfOthersAreNone() {
    let reasons = UInt64(EndReason.allCases.count)
    let unknown: [Range<UInt64>] = [
      8..<16, (16 + reasons)..<32, (32 + reasons)..<48, (48 + reasons)..<64, 64..<256,
    ]
    for range in unknown {
      for state in range { #expect(CommitWord(rawValue: state).state == nil, "\(state)") }
    }
    for kind in UInt64(4)...255 { #expect(CommitWord(rawValue: kind << 8).kind == nil) }
  }
}
