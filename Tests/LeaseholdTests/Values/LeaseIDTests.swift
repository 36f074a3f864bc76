import Leasehold
import LeaseholdTestKit
import Testing

@Suite struct LeaseIDTests {
  @Test func thirtyTwoDigitsInLowerCaseNameALease() {
    let id = LeaseID(hexadecimal: "0123456789abcdeffedcba9876543210".utf8)
    #expect(id == LeaseID(high: 0x0123_4567_89ab_cdef, low: 0xfedc_ba98_7654_3210))
    #expect(id?.text == "0123456789abcdeffedcba9876543210")
  }

  @Test(arguments: [
    "", "0123456789abcdef0123456789abcde", "0123456789abcdef0123456789abcdef0", "0123456789abcdef0123456789abcdeg",
    "0123456789abcdef0123456789abcde ", "0123456789ABCDEF0123456789abcdef", "0x23456789abcdef0123456789abcdef",
    "0123456789abcdef012345678é",
  ])
  func anythingElseNamesNone(_ text: String) { #expect(LeaseID(hexadecimal: text.utf8) == nil) }

  @Test func aRandomIdentifierSurvivesItsText() {
    var random = SeededRandom(seed: 1)
    for _ in 0..<1000 {
      let id = LeaseID(high: random.next(), low: random.next())
      #expect(LeaseID(hexadecimal: id.text.utf8) == id)
      #expect(id.text.hasPrefix(id.ref) && id.ref.count == 10)
    }
  }

  @Test func noByteButADigitIsTakenInAnyPlace() {
    let digits = Array("0123456789abcdeffedcba9876543210".utf8)
    for place in digits.indices {
      for byte in UInt8.min...UInt8.max {
        var changed = digits
        changed[place] = byte
        let isDigit = (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte)
        let id = LeaseID(hexadecimal: changed)
        #expect((id != nil) == isDigit)
        if let id { #expect(Array(id.text.utf8) == changed) }
      }
    }
  }

  @Test func leadingZerosAreWritten() { #expect(LeaseID(high: 1, low: 2).text == "00000000000000010000000000000002") }
}
