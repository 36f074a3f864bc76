import JSONText
import Testing

@testable import leasehold

@Suite struct SettingsFileTests {
  private func read(_ content: String) throws -> SettingsFile {
    try SettingsFile(path: "a.json", content: Array(content.utf8))
  }

  private func message(_ content: String) -> String? {
    #expect(throws: Failure.self) { try read(content) }?.message
  }

  @Test func textsNumbersTruthValuesAndListsBecomeWhatAFlagWouldSay() throws {
    let file = try read(
      """
      {"host": "::1", "port": 8080, "ttl-max": 1.5, "standby": true,
       "allow-host": ["a", "b"], "unix-mode": "0600", "unix": "/run/\\u00e4\\ud83d\\ude00"}
      """)
    #expect(
      file.entries.mapValues(\.text) == [
        "host": "::1", "port": "8080", "ttl-max": "1.5", "standby": "true", "allow-host": "a,b",
        "unix-mode": "0600", "unix": "/run/ä😀",
      ])
    #expect(file.entries["port"]?.place == TextPlace(line: 1, column: 17))
    #expect(file.entries["unix"]?.place == TextPlace(line: 2, column: 49))
  }

  @Test func anUnknownNameIsAnErrorThatNamesTheNearestOne() {
    #expect(message("{\n \"prot\": 1}") == "a.json, line 2, column 2: 'prot' is not a setting; did you mean 'port'?")
    let place = "a.json, line 1, column 2"
    #expect(message("{\"ttl_max\": 1}") == "\(place): 'ttl_max' is not a setting; did you mean 'ttl-max'?")
    #expect(message("{\"MaxWait\": 1}") == "\(place): 'MaxWait' is not a setting; did you mean 'max-wait'?")
    #expect(message("{\"zzzzzz\": 1}") == "\(place): 'zzzzzz' is not a setting")
  }

  @Test func aValueThatNoFlagCanSayIsAnError() {
    #expect(message("{\"port\": null}") == "a.json, line 1, column 2: 'port' cannot be null")
    #expect(message("{\"port\": {}}") == "a.json, line 1, column 2: 'port' cannot be an object")
    #expect(message("{\"allow-host\": [1]}") == "a.json, line 1, column 2: 'allow-host' cannot be an array")
    #expect(message("[]") == "a.json: the file must hold one JSON object, not an array")
  }

  @Test(arguments: [
    ("", "line 1, column 1: a value was expected"),
    ("{\"port\": 1,,}", "line 1, column 12: a text in double quotes was expected"),
    ("{,}", "line 1, column 2: a text in double quotes was expected"),
    ("{\n  \"port\" 1\n}", "line 2, column 10: ':' behind the name was expected"),
    ("{\n\n \"port\": 1 \"host\": 2}", "line 3, column 12: ',' or '}' was expected"),
    ("{\"port\": 01}", "line 1, column 12: a malformed number"),
    ("{\"port\": 1.}", "line 1, column 12: a malformed number"),
    ("{\"port\": -}", "line 1, column 11: a malformed number"),
    ("{\"port\": tru}", "line 1, column 13: a value was expected"),
    ("{\"port\": 1} x", "line 1, column 13: something after the value"),
    ("{\"port\": 1, \"port\": 2}", "line 1, column 13: 'port' stands in its object a second time"),
    ("{\"host\": \"a", "line 1, column 12: a string without an end"),
    ("{\"host\": \"a\nb\"}", "line 1, column 12: a control character in a string"),
    ("{\"host\": \"\\q\"}", "line 1, column 13: an unknown escape"),
    ("{\"host\": \"\\u12g4\"}", "line 1, column 15: a malformed \\u escape"),
    ("{\"host\": \"\\ud800\"}", "line 1, column 17: half a surrogate pair"),
    ("{\"allow-host\": [\"a\"", "line 1, column 20: ',' or ']' was expected"),
    (String(repeating: "[", count: 17), "line 1, column 17: more than 16 levels"),
    ("{/* no such comment */}", "line 1, column 2: a text in double quotes was expected"),
    ("{/ \"port\": 1}", "line 1, column 2: a text in double quotes was expected"),
    ("# a comment\n{\n  // }\n", "line 4, column 1: a text in double quotes was expected"),
    ("{\n \"port\": # 1\n}", "line 3, column 1: a value was expected"),
  ])
  func textThatIsNoJSONIsAnErrorWithItsPlace(content: String, expected: String) {
    #expect(message(content) == "a.json, " + expected)
  }

  @Test func commentsAndACommaBehindTheLastSettingAreRead() throws {
    let file = try read(
      """
      # Ours. "quoted", {braces}
      {# right behind
        "unix": "/run/#a//b",  // a path keeps its own
        "allow-host": ["a", # one
                       "b", # another
                      ],
        // "port": 1
        #"port": 2,
        "ttl-max": "1h" //,
        , # here it is
      } // the end, without a line end
      """)
    #expect(file.entries.mapValues(\.text) == ["unix": "/run/#a//b", "allow-host": "a,b", "ttl-max": "1h"])
    #expect(file.entries["ttl-max"]?.place == TextPlace(line: 9, column: 3))
    #expect(try read("{}#").entries.isEmpty && read("//\r\n{}").entries.isEmpty)
  }

  @Test func bytesThatAreNotUTF8AreAnError() throws {
    let content = Array("{\"host\": \"".utf8) + [0xFF] + Array("\"}".utf8)
    let error = #expect(throws: Failure.self) { try SettingsFile(path: "a.json", content: content) }
    #expect(error?.message == "a.json, line 1, column 13: a string that is not UTF-8")
  }

  @Test func aFileThatIsTooLargeIsRefusedAndNeverCut() throws {
    try withFile(String(repeating: " ", count: SettingsFile.bytesMax + 1)) { path in
      let error = #expect(throws: Failure.self) { try SettingsFile.read(path: path) }
      #expect(error?.message == "\(path): the file is larger than 1MiB")
    }
    try withFile(String(repeating: " ", count: SettingsFile.bytesMax - 2) + "{}") { path in
      let file = try SettingsFile.read(path: path)
      #expect(file?.entries == [:])
    }
  }

  @Test func aCutDocumentNeverReadsAsAWholeOne() {
    let content = Array("{\"host\": \"::1\", \"allow-host\": [\"a\", \"\\u00e4\"], \"ttl-max\": -1.5e+3}".utf8)
    for length in 0..<content.count {
      #expect(throws: JSONScanner.Flaw.self) { try JSON(parsing: Array(content[..<length])) }
    }
    #expect(throws: Never.self) { try JSON(parsing: content) }
  }
}
