import Leasehold
import Testing

@testable import LeaseholdHTTP

@Suite struct ArgumentsTests {
  private let everything = ParameterSet(Parameter.allCases)

  @Test func everyNameIsFoundAndNothingNearIt() {
    for parameter in Parameter.allCases {
      let name = "\(parameter.name)"
      #expect(Parameter(name.utf8) == parameter)
      for wrong in [name + "x", String(name.dropLast()), String(name.dropFirst()), name.uppercased(), " " + name] {
        // `values` less its last letter is a name too.
        let other = Parameter.allCases.first { "\($0.name)" == wrong }
        #expect(Parameter(wrong.utf8) == other && other != parameter, "\(wrong)")
      }
      for position in name.utf8.indices {
        var bytes = Array(name.utf8)
        bytes[name.utf8.distance(from: name.utf8.startIndex, to: position)] = UInt8(ascii: "~")
        #expect(Parameter(bytes) == nil)
      }
    }
    #expect(Parameter([]) == nil)
  }

  @Test func namesAreDistinctAndEachHasABitAndAPlace() throws {
    #expect(Set(Parameter.allCases.map { "\($0.name)" }).count == Parameter.allCases.count)
    #expect(everything.names == Parameter.allCases.map { "\($0.name)" })
    for parameter in Parameter.allCases {
      var arguments = Arguments()
      try arguments.note(parameter, "value")
      for other in Parameter.allCases { #expect(arguments[other] == (other == parameter ? "value" : nil)) }
      #expect(ParameterSet(parameter).names == ["\(parameter.name)"])
    }
  }

  private func form(_ text: String, known: ParameterSet? = nil) throws(LeaseholdError) -> Arguments {
    var arguments = Arguments()
    let bytes = Array(text.utf8)
    try bytes.withUnsafeBufferPointer { bytes throws(LeaseholdError) in
      try arguments.readForm(bytes, known: known ?? everything)
    }
    return arguments
  }

  private func json(_ text: String, known: ParameterSet? = nil) throws(LeaseholdError) -> Arguments {
    var arguments = Arguments()
    let bytes = Array(text.utf8)
    try bytes.withUnsafeBufferPointer { bytes throws(LeaseholdError) in
      try arguments.readJSON(bytes, known: known ?? everything)
    }
    return arguments
  }

  @Test func plainValuesStayWhereTheyWereRead() throws {
    let places = UnsafeMutablePointer<UInt32>.allocate(capacity: Arguments.capacity)
    defer { places.deallocate() }
    places.initialize(repeating: .max, count: Arguments.capacity)
    let query = Array("ttl=30s&owner=a%20b&key=jobs".utf8)
    try query.withUnsafeBufferPointer { bytes in
      var arguments = Arguments(over: places)
      try arguments.readForm(bytes, known: everything)
      let (ttl, key, owner) = (arguments.plainBytes(.ttl), arguments[.key], arguments[.owner])
      #expect(ttl?.baseAddress == bytes.baseAddress.map { $0 + 4 } && ttl?.elementsEqual("30s".utf8) == true)
      #expect(key == "jobs" && owner == "a b")
      let (decoded, missing) = (arguments.plainBytes(.owner), arguments.plainBytes(.wait))
      #expect(decoded == nil && missing == nil, "the one had to be decoded, of the other nobody wrote the place")
    }
  }

  @Test func aFormGivesDecodedValues() throws {
    let arguments = try form("owner=a+b%2Bc%C3%BC&ttl=5s&&limit=&max%5Fwaiters=3&key==&count")
    #expect(arguments[.owner] == "a b+cü" && arguments[.ttl] == "5s" && arguments[.limit] == "")
    #expect(arguments[.maxWaiters] == "3" && arguments[.key] == "=" && arguments[.count] == "")
    #expect(arguments[.mode] == nil)
    #expect(try form("")[.ttl] == nil && form("&&")[.ttl] == nil)
  }

  @Test(arguments: [
    ("ttl=%", "malformed-request"), ("ttl=%4", "malformed-request"), ("%zz=1", "malformed-request"),
    ("owner=%00", "invalid-parameter"), ("owner=%ff", "invalid-parameter"), ("nope=1", "unknown-parameter"),
    ("=1", "unknown-parameter"), ("ttl=1&ttl=2", "duplicate-parameter"), ("TTL=1", "unknown-parameter"),
    ("t%74l=1&ttl=2", "duplicate-parameter"), ("owner=a&owner=", "duplicate-parameter"),
  ])
  func aFormIsRefused(_ text: String, _ code: String) {
    let problem = #expect(throws: LeaseholdError.self) { _ = try form(text) }
    #expect(problem?.code.rawValue == code)
  }

  @Test func theSameValueTwiceIsFine() throws {
    #expect(try form("ttl=1&ttl=1")[.ttl] == "1")
    #expect(try form("ttl=a+b&ttl=a%20b")[.ttl] == "a b")
    #expect(try json(#"{"ttl":1,"ttl":"1","ttl":1.0}"#)[.ttl] == "1")
  }

  @Test func aNameThatIsNotTakenHereIsUnknownAndTheOthersAreListed() {
    let problem = #expect(throws: LeaseholdError.self) { _ = try form("force=true", known: [.ttl, .lease]) }
    #expect(problem?.code == .unknownParameter && problem?.facts.last?.value == .texts(["ttl", "lease"]))
  }

  @Test func anUnknownNameIsCutWhereverItCameFrom() {
    let name = String(repeating: "n", count: 5000)
    for problem in [
      #expect(throws: LeaseholdError.self) { _ = try form("\(name)=1") },
      #expect(throws: LeaseholdError.self) { _ = try json("{\"\(name)\":1}") },
    ] {
      #expect(problem?.code == .unknownParameter)
      #expect(problem.map { $0.detail.utf8.count < 600 } == true)
      #expect(problem?.facts.first?.value == .text(String(repeating: "n", count: 64)))
    }
  }

  @Test func aValueIsCutEvenIfItIsOneCharacter() {
    let value = "e" + String(repeating: "\u{301}", count: 5000)
    #expect(value.count == 1)
    let problem = LeaseholdError.notOneOf(.mode, value, ["a"])
    #expect(problem.facts.first { $0.name == "value" }?.value == .text("e" + String(repeating: "\u{301}", count: 63)))
  }

  @Test func aBodyInJSONGivesTheTextThatAQueryWould() throws {
    let arguments = try json(#"{ "ttl": 1.50e1, "owner":"é\n", "force": true, "limit": "7", "count": 3.0 }"#)
    #expect(arguments[.ttl] == "15" && arguments[.owner] == "é\n" && arguments[.force] == "true")
    #expect(arguments[.limit] == "7" && arguments[.count] == "3")
    #expect(try json(#"{"limit":[1,2],"project":"5"}"#)[.limit] == "1,2")
    #expect(try json(#"{"project":"5"}"#)[.project] == "53" && json(#"{"project":5}"#)[.project] == "5")
    #expect(try json("{}")[.ttl] == nil)
    #expect(try json(#"{"holding":["a","b"]}"#)[.holding] == "a,b")
    #expect(
      try json(#"{"want":[{"key":"a b","count":2},{"key":"c","limit":[1,2]}]}"#)[.want]
        == "\n" + #"[{"key":"a b","count":2},{"key":"c","limit":[1,2]}]"#)
  }

  @Test func aParameterTakesTextAndItsOwnKindAlone() {
    for parameter in Parameter.allCases {
      let name = "\(parameter.name)"
      #expect(throws: Never.self) { _ = try json("{\"\(name)\":\"x\"}") }
      let numeric: Set<Parameter.JSONKind> = [.number, .amounts, .character]
      for (value, kinds) in [("7", numeric), ("true", [.flag])] where !kinds.contains(parameter.jsonKind) {
        let problem = #expect(throws: LeaseholdError.self, "\(name)") { _ = try json("{\"\(name)\":\(value)}") }
        #expect(problem?.code == .invalidParameter)
      }
      for value in ["null", "{}", #"[["a"]]"#, #""\u0000""#]
        + ([.numbers, .amounts].contains(parameter.jsonKind) ? [] : ["[1]"])
      {
        let problem = #expect(throws: LeaseholdError.self, "\(name)") { _ = try json("{\"\(name)\":\(value)}") }
        #expect(problem?.code == .invalidParameter)
      }
    }
  }
}
