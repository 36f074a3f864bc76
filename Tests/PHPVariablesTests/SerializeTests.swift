import JSONText
import Testing

@testable import PHPVariables

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

@Suite struct SerializeTests {
  /// Values and what PHP 8.2 makes of them.
  private static let corpus: [(PHPValue, String)] = [
    (.null, "N;"), (.bool(true), "b:1;"), (.bool(false), "b:0;"), (.int(0), "i:0;"),
    (.int(.min), "i:-9223372036854775808;"), (.int(.max), "i:9223372036854775807;"),
    (.double(0), "d:0;"), (.double(-0.0), "d:-0;"), (.double(1), "d:1;"), (.double(-1.5), "d:-1.5;"),
    (.double(0.1), "d:0.1;"), (.double(1e-4), "d:0.0001;"), (.double(1e-5), "d:1.0E-5;"),
    (.double(0.00012345), "d:0.00012345;"), (.double(1e15), "d:1000000000000000;"),
    (.double(1e16), "d:10000000000000000;"), (.double(1e17), "d:1.0E+17;"), (.double(1e22), "d:1.0E+22;"),
    (.double(1e25), "d:1.0E+25;"), (.double(1.5e300), "d:1.5E+300;"), (.double(.leastNonzeroMagnitude), "d:5.0E-324;"),
    (.double(2.2250738585072014e-308), "d:2.2250738585072014E-308;"),
    (.double(.greatestFiniteMagnitude), "d:1.7976931348623157E+308;"), (.double(123_456_789.125), "d:123456789.125;"),
    (.double(1.0 / 3), "d:0.3333333333333333;"), (.double(123_456_789_012_345_680), "d:1.2345678901234568E+17;"),
    (.double(.infinity), "d:INF;"), (.double(-.infinity), "d:-INF;"),
    (.string([]), "s:0:\"\";"), (.string([0, 0x22, 0x27]), "s:3:\"\0\"'\";"),
    (.string(bytes("Grüße")), "s:7:\"Grüße\";"),
    (.array([]), "a:0:{}"),
    (
      .array([PHPElement(.int(0), .int(1)), PHPElement(.string(bytes("a")), .array([PHPElement(.int(-3), .null)]))]),
      "a:2:{i:0;i:1;s:1:\"a\";a:1:{i:-3;N;}}"
    ),
  ]

  @Test(arguments: corpus) func aValueIsWrittenAsPHPWritesItAndReadBack(_ value: PHPValue, _ text: String) throws {
    #expect(String(decoding: PHPSerializer.serialize(value), as: UTF8.self) == text)
    #expect(try PHPUnserializer.unserialize(bytes(text)) == value)
  }

  @Test func notANumberIsWrittenAndReadBack() throws {
    #expect(PHPSerializer.serialize(.double(.nan)) == bytes("d:NAN;"))
    guard case .double(let number) = try PHPUnserializer.unserialize(bytes("d:NAN;")) else {
      Issue.record("no float")
      return
    }
    #expect(number.isNaN)
  }

  @Test func shortestDigitsReadBackForAnyPattern() throws {
    var state: UInt64 = 0x9e37_79b9_7f4a_7c15
    for _ in 0..<20_000 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let number = Double(bitPattern: state ^ state >> 29)
      guard number.isFinite else { continue }
      #expect(Double(PHPSerializer.doubleText(number)) == number)
    }
  }

  /// Opaque texts: objects, enum cases, references, nested ones.
  @Test(arguments: [
    #"O:8:"stdClass":1:{s:1:"a";i:1;}"#, #"O:3:"A\B":0:{}"#, #"C:1:"A":3:{i:}}"#, #"E:6:"Suit:A";"#,
    #"a:2:{i:0;O:8:"stdClass":0:{}i:1;r:2;}"#, "a:2:{i:0;i:5;i:1;R:2;}", #"a:1:{s:1:"o";E:6:"Suit:A";}"#,
    #"O:8:"stdClass":1:{s:4:"self";r:1;}"#, "O:1:\"P\":1:{s:4:\"\0P\0x\";i:1;}",
  ])
  func opaqueValuesKeepTheirText(_ text: String) throws {
    let value = try PHPUnserializer.unserialize(bytes(text))
    #expect(PHPSerializer.serialize(value) == bytes(text))
    #expect(value.holdsObjects == text.contains { "OCE".contains($0) })
    #expect(throws: NotRepresentable.self) { try value.json() }
  }

  @Test(arguments: [
    "", "N", "N:", "b:2;", "b:;", "i:;", "i:1", "i:9223372036854775808;", "i:1.5;", "i:0x1;", "d:;", "d:1,5;",
    "d:0x1p3;",
    "d:nan;", "d:infinity;", "s:3:\"ab\";", "s:99999999999999999999:\"a\";",
    "s:9223372036854775807:\"a\";", "s:-1:\"\";",
    "s:1:\"ab\";", "s:1:'a';", "a:1:{}", "a:-1:{}", "a:1:{i:0;}", "a:99999999:{i:0;i:0;}", "a:9223372036854775807:{}",
    "a:1:{b:1;i:0;}", "a:1:{i:0;i:0;", "a:0:{", "O:1:\"A\":1:{}", "O:0:\"\":0:{}", "O:3:\"A B\":0:{}", "E:1:\"A\";",
    "E:2:\"A:\";", "C:1:\"A\":9:{x}", "r:0;", "r:1;", "R:1;", "r:-1;", "x:1;", "N;N;",
  ])
  func whatIsNotOfTheFormIsRefused(_ text: String) {
    #expect(throws: PHPUnserializer.Flaw.self, "\(text)") { try PHPUnserializer.unserialize(bytes(text)) }
  }

  @Test func everyBeginningOfATextIsRefusedAndNoneIsReadBeyond() throws {
    let text = bytes(#"a:3:{i:0;d:1.5;s:1:"k";a:1:{i:0;s:2:"ab";}i:7;O:1:"A":1:{s:1:"p";N;}}"#)
    #expect(throws: Never.self) { try PHPUnserializer.unserialize(text) }
    for count in 0..<text.count {
      #expect(throws: PHPUnserializer.Flaw.self) { try PHPUnserializer.unserialize(Array(text[..<count])) }
    }
  }

  @Test func depthHasAnEnd() throws {
    func nested(_ depth: Int) -> [UInt8] {
      bytes(String(repeating: "a:1:{i:0;", count: depth) + "N;" + String(repeating: "}", count: depth))
    }
    #expect(throws: Never.self) { try PHPUnserializer.unserialize(nested(511)) }
    let flaw = #expect(throws: PHPUnserializer.Flaw.self) { try PHPUnserializer.unserialize(nested(512)) }
    #expect(flaw?.isTooDeep == true)
  }

  @Test func restIsIgnoredOnlyWhereAskedFor() throws {
    #expect(try PHPUnserializer.unserialize(bytes("i:1;junk"), ignoringRest: true) == .int(1))
  }

  @Test func stringKeysThatAreCanonicalDecimalsBecomeIntegers() throws {
    let value = try PHPUnserializer.unserialize(bytes(#"a:4:{s:1:"7";i:1;s:2:"07";i:2;s:2:"-0";i:3;s:1:"7";i:4;}"#))
    let expected: [PHPElement] = [
      PHPElement(.int(7), .int(4)), PHPElement(.string(bytes("07")), .int(2)),
      PHPElement(.string(bytes("-0")), .int(3)),
    ]
    #expect(value == .array(expected))
    #expect(PHPKey(canonical: bytes("9223372036854775807"), .bits64) == .int(.max))
    #expect(PHPKey(canonical: bytes("-9223372036854775808"), .bits64) == .int(.min))
    #expect(PHPKey(canonical: bytes("9223372036854775808"), .bits64) == .string(bytes("9223372036854775808")))
    #expect(PHPKey(canonical: bytes("2147483648"), .bits32) == .string(bytes("2147483648")))
    for text in ["", "-", "+1", "1 ", "1e3", "--1"] {
      #expect(PHPKey(canonical: bytes(text), .bits64) == .string(bytes(text)))
    }
  }
}

@Suite struct JSONMappingTests {
  private func read(_ text: String, _ word: WordSize = .bits64) throws -> PHPValue {
    try bytes(text).withUnsafeBufferPointer { try PHPValue(json: $0, word) }
  }

  private func json(_ value: PHPValue) throws -> String {
    try value.json().description
  }

  /// JSON, its serialized form, and what is read back where that differs.
  private static let pairs: [(String, String, String?)] = [
    ("null", "N;", nil), ("true", "b:1;", nil), (" false ", "b:0;", "false"), ("0", "i:0;", nil),
    ("-0", "i:0;", "0"),
    ("1.0", "d:1;", nil), ("-0.0", "d:-0;", nil), ("1e2", "d:100;", "100.0"), ("1E400", "", nil),
    ("0.1", "d:0.1;", nil),
    ("9223372036854775807", "i:9223372036854775807;", nil), ("-9223372036854775808", "i:-9223372036854775808;", nil),
    ("1e25", "d:1.0E+25;", "1e+25"), (#""a\u0000\"b\/\u00fc""#, "s:7:\"a\0\"b/ü\";", #""a\u0000\"b/ü""#),
    ("[1,[],{}]", "a:3:{i:0;i:1;i:1;a:0:{}i:2;a:0:{}}", "[1,[],[]]"),
    (#"{"0":1,"1":2}"#, "a:2:{i:0;i:1;i:1;i:2;}", "[1,2]"),
    (#"{"1":1,"0":2}"#, "a:2:{i:1;i:1;i:0;i:2;}", nil),
    (#"{"a":{"07":null}}"#, #"a:1:{s:1:"a";a:1:{s:2:"07";N;}}"#, nil),
  ]

  @Test(arguments: pairs) func aValueGoesInAndOut(_ text: String, _ serialized: String, _ back: String?) throws {
    guard !serialized.isEmpty else {
      #expect(throws: JSONMappingError.outOfRange(text, offset: 0)) { try read(text) }
      return
    }
    let value = try read(text)
    #expect(String(decoding: PHPSerializer.serialize(value), as: UTF8.self) == serialized)
    #expect(try json(value) == back ?? text)
  }

  @Test func integersAreOfTheSegmentsSize() throws {
    #expect(throws: JSONMappingError.outOfRange("9223372036854775808", offset: 1)) { try read("[9223372036854775808]") }
    #expect(throws: JSONMappingError.outOfRange("2147483648", offset: 0)) { try read("2147483648", .bits32) }
    #expect(try read("-2147483648", .bits32) == .int(-2_147_483_648))
    #expect(try read(#"{"2147483648":1}"#, .bits32).fits(.bits32))
    #expect(try !read(#"{"2147483648":1}"#).fits(.bits32))
  }

  @Test(arguments: [
    "", "{", "[1,]", "{\"a\":1,}", "{\"a\":1,\"a\":2}", "{\"7\":1,\"7\":2}", "[1 2]", "1 2", "nul", "01", "\"\u{1}\"",
    "[1",
    "NaN", "{1:2}", "'a'", "\"\\ud800\"",
  ])
  func whatIsNotJSONIsRefusedWithItsPlace(_ text: String) {
    let error = #expect(throws: JSONMappingError.self, "\(text)") { try read(text) }
    guard case .flaw(let flaw)? = error else {
      Issue.record("\(text): \(String(describing: error))")
      return
    }
    #expect((0...text.utf8.count).contains(flaw.offset))
  }

  @Test func depthHasAnEnd() throws {
    #expect(throws: Never.self) { try read(String(repeating: "[", count: 512) + String(repeating: "]", count: 512)) }
    #expect(throws: JSONMappingError.self) {
      try read(String(repeating: "[", count: 513) + String(repeating: "]", count: 513))
    }
  }

  @Test(arguments: [
    (PHPValue.double(.infinity), "INF"), (.double(.nan), "NAN"), (.string([0xff]), "a string that is not UTF-8"),
    (.array([PHPElement(.string([0xc3]), .null)]), "a string that is not UTF-8"), (.reference(text: []), "a reference"),
  ])
  func whatJSONCannotSayIsNamed(_ value: PHPValue, _ what: String) {
    #expect(throws: NotRepresentable(what: what)) { try json(value) }
  }
}
