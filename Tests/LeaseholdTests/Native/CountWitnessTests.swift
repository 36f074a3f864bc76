import Testing

@testable import Leasehold

@Suite struct CountWitnessTests {
  @Test(arguments: [(1, 0, nil), (4_194_303, 32_767, 32_767), (77, 1100, 0)] as [(Int32, Int, Int?)])
  func aWordSaysWhatItWasMadeOf(_ process: Int32, _ count: Int, _ free: Int?) {
    for (hasWaits, isBreaking) in [(false, false), (true, false), (false, true), (true, true)] {
      let witness = CountWitness(
        process: process, count: count, free: free, hasWaits: hasWaits, isOfEnd: hasWaits != isBreaking)
      let word = witness.word(isBreaking: isBreaking)
      #expect(CountWitness(word: word) == witness && (Int64(bitPattern: word) < 0) == isBreaking)
    }
  }

  @Test(arguments: [0, 1, UInt64.max, 1 << 62, 1 << 63, 0x0fff_ffff_ffff_ffff])
  func anInstantIsNone(_ word: UInt64) { #expect(CountWitness(word: word) == nil) }
}
