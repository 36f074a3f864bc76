import Leasehold
import JSONText
import LeaseholdTestKit
import Testing

@testable import LeaseholdHTTP

@Suite struct JSONMemberReaderTests {
  /// Members as `name=kind:value`.
  private func read(_ bytes: [UInt8]) throws(JSONMemberReader.Flaw) -> [String] {
    try bytes.withUnsafeBufferPointer { bytes throws(JSONMemberReader.Flaw) in
      var reader = JSONMemberReader(bytes)
      var members: [String] = []
      while let name = try reader.next() {
        switch try reader.value() {
        case .string(let text): members.append("\(name)=text:\(text)")
        case .number(let text): members.append("\(name)=number:\(JSON.whole(text))")
        case .bool(let flag): members.append("\(name)=flag:\(flag)")
        case .null: members.append("\(name)=null")
        case .array, .object: members.append("\(name)=nested")
        }
      }
      return members
    }
  }

  @Test(arguments: [
    ("{}", []), (" \t\r\n{ \n} ", []), (#"{"a":1}"#, ["a=number:1"]), (#"{"":""}"#, ["=text:"]),
    (#"{"a":true,"b":false,"c":null}"#, ["a=flag:true", "b=flag:false", "c=null"]),
    (#"{"a":{}}"#, ["a=nested"]), (#"{"a":[1]}"#, ["a=nested"]),
    (#"{ "a" : "b" , "a" : "c" }"#, ["a=text:b", "a=text:c"]),
    (#"{"a":"\"\\\/\b\f\n\r\t"}"#, ["a=text:\"\\/\u{8}\u{c}\n\r\t"]),
    (#"{"a":"\u00e9\u20AC\ud83d\ude00"}"#, ["a=text:é€😀"]), (#"{"\u0061":"é"}"#, ["a=text:é"]),
  ])
  func readsMembers(_ text: String, _ members: [String]) throws {
    #expect(try read(Array(text.utf8)) == members)
  }

  @Test(arguments: [
    ("0", "0"), ("-0", "-0"), ("9.0", "9"), ("0.9e1", "9"), ("90E-1", "9"), ("9e+0", "9"), ("1.5", "1.5"),
    ("-1.5e1", "-15"), ("1e400", "\(Int64.max)"), ("-1e400", "\(Int64.min)"), ("1e18", "1000000000000000000"),
    ("9223372036854775808.0", "\(Int64.max)"), ("123456789012345678901234567890", "123456789012345678901234567890"),
    ("2.5e-1", "0.25"), ("-2.5E-3", "-0.0025"), ("123.456e1", "1234.56"), ("6.103515625e-05", "0.00006103515625"),
    ("12.5e+0", "12.5"), ("1e-3", "0.001"),
  ])
  func wholeNumbersAreWrittenWithoutFractionAndNoneWithExponent(_ text: String, _ value: String) throws {
    #expect(try read(Array("{\"a\":\(text)}".utf8)) == ["a=number:\(value)"])
  }

  @Test(arguments: ["{}", "[]", " [ ] ", "null", "\tnull\n"])
  func noMembersHaveThreeForms(_ text: String) throws { #expect(try read(Array(text.utf8)) == []) }

  @Test(arguments: [
    ("", 0), ("1", 0), ("[1]", 0), ("[]x", 2), ("nul", 3), ("null 1", 5), (" x", 1),
    ("{", 1), (#"{a:1}"#, 1), (#"{'a':1}"#, 1), (#"{"a"}"#, 4),
    (#"{"a"=1}"#, 4), (#"{"a":}"#, 5), (#"{"a":1,}"#, 7), (#"{"a":1;"b":2}"#, 6), (#"{"a":1}x"#, 7), ("{}{}", 2),
    (#"{"a":tru}"#, 8), (#"{"a":nul"#, 8), (#"{"a":True}"#, 5), (#"{"a":+1}"#, 5), (#"{"a":.5}"#, 5), (#"{"a":01}"#, 7),
    (#"{"a":-}"#, 6), (#"{"a":1.}"#, 7), (#"{"a":1e}"#, 7), (#"{"a":1e+}"#, 8), (#"{"a":NaN}"#, 5),
    (#"{"a":0x1}"#, 6), (#"{"a":"b"#, 7), (#"{"a":"\"#, 7), (#"{"a":"\x"}"#, 8), (#"{"a":"\u12"}"#, 10),
    (#"{"a":"\u12g4"}"#, 10), (#"{"a":"\ud800"}"#, 12), (#"{"a":"\udc00"}"#, 12), (#"{"a":"\ud800\n"}"#, 13),
    (#"{"a":"\ud800\ud800"}"#, 18), ("{\"a\":\"\u{1}\"}", 6), ("{\"a\":\"\n\"}", 6), ("{\"a\" 1}", 5), ("{,}", 1),
    ("\u{feff}{}", 0),
  ])
  func aFlawIsToldWithItsOffset(_ text: String, _ offset: Int) {
    let flaw = #expect(throws: JSONMemberReader.Flaw.self, "\(text)") { try read(Array(text.utf8)) }
    #expect(flaw?.offset == offset, "\(text): \(flaw?.what ?? "")")
    #expect(flaw?.what.isEmpty == false)
  }

  /// The one member of an object, as text, or the code and the parameter of what is wrong.
  private func list(_ json: String, steps: Bool = false) -> String {
    withBytes("{\"a\":\(json)}") { bytes in
      var reader = JSONMemberReader(bytes)
      do {
        _ = try reader.next()
        let text = try Arguments.text(try reader.value(), of: steps ? .ops : .values)
        return try reader.next() == nil ? text : "more"
      } catch let problem as LeaseholdError {
        return "\(problem.code.rawValue) \(problem.facts.first.map { "\($0.value)" } ?? "")"
      } catch {
        return "flaw"
      }
    }
  }

  @Test(arguments: [
    ("[]", ""), ("[1]", "1"), ("[ 1 , -2,3.0 ]", "1,-2,3"), ("[1.5]", "1.5"), ("[1,]", "flaw"), ("[,1]", "flaw"),
    ("[1 2]", "flaw"), ("[1", "flaw"), ("[1]]", "flaw"), ("[true]", "invalid-parameter text(\"values\")"),
    ("[[1]]", "invalid-parameter text(\"values\")"), ("{}", "invalid-parameter text(\"values\")"),
    ("7", "invalid-parameter text(\"values\")"),
  ])
  func aListOfNumbersIsTheTextOfAQuery(_ json: String, _ text: String) {
    #expect(list(json) == text, "\(json)")
  }

  @Test(arguments: [
    ("[]", ""), (#"[{"sem":0,"op":-1}]"#, "0:-1"),
    (#"[{"op":1,"sem":2.0,"nowait":true,"undo":true}]"#, "2:1:nowait:undo"),
    (#"[ {"sem":0,"op":0,"nowait":false} , {"sem":1,"op":1,"undo":false} ]"#, "0:0,1:1"),
    (#"[{"sem":0,"op":1,"op":1}]"#, "0:1"), (#"[{"sem":0,"op":1,"op":2}]"#, #"duplicate-parameter text("ops[0].op")"#),
    (#"[{"sem":0}]"#, #"missing-parameter text("ops[0].op")"#), ("[{}]", #"missing-parameter text("ops[0].sem")"#),
    (#"[{"sem":0,"op":1},{"sem":"0","op":1}]"#, #"invalid-parameter text("ops[1].sem")"#),
    (#"[{"sem":0,"op":1,"nowait":1}]"#, #"invalid-parameter text("ops[0].nowait")"#),
    (#"[{"sem":0,"op":1,"flags":1}]"#, #"unknown-parameter text("ops[0].flags")"#),
    (#"[{"sem":0,"op":{}}]"#, #"invalid-parameter text("ops[0].op")"#), ("[1]", #"invalid-parameter text("ops")"#),
    (#"[{"sem":0,"op":1]"#, "flaw"), (#"[{"sem":0,"op":1,}]"#, "flaw"), (#"[{"sem" 0}]"#, "flaw"), (#"[{""#, "flaw"),
  ])
  func aListOfOperationsIsTheTextOfAQuery(_ json: String, _ text: String) {
    #expect(list(json, steps: true) == text, "\(json)")
  }

  @Test(arguments: [
    ("1", true), ("[]", true), (#"[{"a":[1,{"b":null}]},"x"]"#, true), ("[[[[[[[[1]]]]]]]]", true),
    ("[[[[[[[[[1]]]]]]]]]", false), ("[1", false), (#"{"a"}"#, false), ("[nul]", false),
  ])
  func anyValueCanBePassedOver(_ json: String, _ passes: Bool) {
    let passed = withBytes("{\"a\":\(json),\"b\":1}") { bytes in
      var reader = JSONMemberReader(bytes)
      do {
        _ = (try reader.next(), try reader.value())
        return try reader.next() == "b" && reader.value() == .number("1") && reader.next() == nil
      } catch {
        return false
      }
    }
    #expect(passed == passes, "\(json)")
  }

  @Test func textThatIsNotUTF8IsRefused() {
    for bytes in [[0xff], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80]] as [[UInt8]] {
      #expect(throws: JSONMemberReader.Flaw.self) { try read(Array(#"{"a":""#.utf8) + bytes + Array(#""}"#.utf8)) }
      #expect(throws: JSONMemberReader.Flaw.self) { try read(Array(#"{""#.utf8) + bytes + Array(#"":1}"#.utf8)) }
    }
  }

  @Test func everyPrefixOfADocumentFails() throws {
    let document = Array(#"{"ttl": -1.5e+3, "owner":"\u00e9\ud83d\ude00\n€", "force":true, "x":null, "y":false}"#.utf8)
    #expect(try read(document).count == 5)
    for count in 0..<document.count {
      let flaw = #expect(throws: JSONMemberReader.Flaw.self, "\(count)") { try read(Array(document[..<count])) }
      #expect(flaw.map { $0.offset <= count } == true)
    }
  }

  @Test func garbageIsReadOrRefusedAndNeverMore() {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededRandom(seed: seed)
    let pieces = [
      "{", "}", "\"", "\\", "\\u", "d83d", ":", ",", "1", "-", ".", "e", "true", "nul", " ", "[", "é", "\u{0}",
    ]
    for _ in 0..<20_000 {
      var bytes: [UInt8] = []
      if random.once(in: 2) { bytes += Array("{\"a\":".utf8) }
      for _ in 0..<Int.random(in: 0..<12, using: &random) {
        if random.once(in: 8) {
          bytes.append(UInt8.random(in: 0 ... .max, using: &random))
        } else {
          bytes += Array(random.pick(pieces).utf8)
        }
      }
      do throws(JSONMemberReader.Flaw) {
        _ = try read(bytes)
      } catch {
        #expect((0...bytes.count).contains(error.offset), "seed \(seed): \(bytes)")
      }
    }
  }
}
