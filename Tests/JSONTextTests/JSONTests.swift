import JSONText
import Testing

@Suite struct JSONTests {
  private func parse(_ text: String, depthMax: Int = 64, refusesTwins: Bool = false) throws(JSONScanner.Flaw) -> JSON {
    try JSON(parsing: Array(text.utf8), depthMax: depthMax, refusesTwins: refusesTwins)
  }

  private func flaw(_ text: String, depthMax: Int = 64, refusesTwins: Bool = false) -> JSONScanner.Flaw? {
    #expect(throws: JSONScanner.Flaw.self, "\(text)") {
      try parse(text, depthMax: depthMax, refusesTwins: refusesTwins)
    }
  }

  @Test func valuesKeepTheirDigitsTheirOrderAndTheirPlace() throws {
    let value = try parse(#" {"b": 1.0, "a": [true, null, "\u00e9\n"], "b": -0} "#)
    guard case .object(let members) = value else {
      Issue.record("it is an object")
      return
    }
    #expect(members.map(\.name) == ["b", "a", "b"])
    #expect(members.map(\.offset) == [2, 12, 43])
    #expect(value["b"] == .number("1.0") && value["a"].elements == [.bool(true), .null, .string("é\n")])
    #expect(value.description == #"{"b":1.0,"a":[true,null,"é\n"],"b":-0}"#)
  }

  @Test func aNameThatStandsTwiceIsAFlawWhereItIsUnwanted() {
    #expect(flaw(#"{"a": 1, "a": 2}"#, refusesTwins: true)?.offset == 9)
  }

  @Test func valuesNestOnlySoDeep() throws {
    #expect(try parse("[[]]", depthMax: 2) == .array([.array([])]))
    #expect(flaw("[[[]]]", depthMax: 2)?.offset == 2)
    #expect(flaw(String(repeating: "[", count: 100_000))?.offset == 64)
  }

  @Test(arguments: [
    ("", 0), ("{", 1), ("[1,]", 3), ("[1 2]", 3), ("{\"a\" 1}", 5), ("{\"a\":1,}", 7), ("nul", 3), ("1 x", 2),
    ("\"a", 2), ("\"\\q\"", 3), ("01", 2), ("1.", 2), ("\"\u{1}\"", 1), ("\"\\ud800\"", 7), ("[1 # a\n]", 3),
    ("// a\n1", 0),
  ])
  func aFlawIsToldWithItsOffset(_ text: String, _ offset: Int) {
    #expect(flaw(text)?.offset == offset, "\(text)")
  }

  @Test func anyTextIsReadAsItWasWritten() throws {
    let all = String(String.UnicodeScalarView((0..<0x250).compactMap { Unicode.Scalar(UInt32($0)) })) + "\u{2028}😀"
    let written = JSON.string(all).description
    #expect(try parse(written) == .string(all))
    #expect(written.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7f })
    #expect(JSON.string("\u{0}\u{f}\u{1f}\u{7f}\n\"\\").description == #""\u0000\u000f\u001f\u007f\n\"\\""#)
  }

  @Test func bytesThatAreNotUTF8AreAFlawWithAndWithoutEscapes() {
    for text in [[0xff], [0xff, 0x5c, 0x6e], [0x5c, 0x6e, 0xff]] as [[UInt8]] {
      #expect(JSON([0x22] + text + [0x22]) == nil)
    }
  }
}
