import Leasehold
import Testing

@Suite struct UntrustedTests {
  @Test(arguments: [0, 1, 7, 1 << 62, 1 << 63, .max] as [UInt64])
  func aNumberIsGivenWithinARangeAndNowhereElse(_ number: UInt64) {
    #expect(Untrusted(number).within(0...7) == (number <= 7 ? Int(clamping: number) : nil))
    #expect(Untrusted(number).clamped(to: 1...7) == Int(clamping: min(max(number, 1), 7)))
    #expect(Untrusted(number).clamped(to: 0...Int64.max) == Int64(clamping: number))
  }

  @Test(arguments: [.min, -1, 0, 1, .max] as [Int64])
  func aNumberWithASignIsHeldToTheRangeOfAnotherType(_ number: Int64) {
    #expect(Untrusted(number).within(0...UInt8.max) == UInt8(exactly: number))
    #expect(Untrusted(number).clamped(to: 0...UInt32.max) == UInt32(clamping: number))
  }
}
