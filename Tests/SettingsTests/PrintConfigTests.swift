import JSONText
import Testing

@testable import leasehold

@Suite struct PrintConfigTests {
  @Test func theTableHasNameValueAndSourceInColumns() throws {
    try withFile("{\"ttl-max\": \"90m\"}") { path in
      var sources = SettingsSources(
        flags: ["port": "9"], environment: ["LEASEHOLD_UNIX": "/run/l.sock"], configPath: path)
      sources.flags["allow-host"] = "a, b"
      let lines = try sources.resolve().table.split(separator: "\n")
      #expect(lines.count == Setting.all.count { !$0.isHidden })
      #expect(lines[0] == "host                              127.0.0.1                default")
      #expect(lines[1] == "port                              9                        flag --port")
      #expect(lines[2] == "unix                              /run/l.sock              environment LEASEHOLD_UNIX")
      #expect(lines.contains("allow-host                        a,b                      flag --allow-host"))
      let place = "file \(path), line 1, column 2"
      #expect(lines.contains("ttl-max                           90m                      " + place))
      #expect(lines.contains("state-dir                         -                        default"))
    }
  }

  @Test func aHiddenSettingIsPrintedOnceItIsSet() throws {
    #expect(!(try resolve().table.contains("control-key")))
    #expect(try resolve(flags: ["control-key": "7"]).table.contains("0x00000007"))
  }

  @Test func theJSONHasValueSourceAndOriginOfEverySetting() throws {
    let resolved = try resolve(
      flags: ["unix": "/run/\"quoted\""], environment: ["LEASEHOLD_STANDBY": "yes"], file: "{\"port\": 3}")
    let members = try object(JSON(parsing: Array(resolved.json.utf8)))
    #expect(members["config"] == .string(try #require(resolved.configPath)))
    let settings = try object(#require(members["settings"]))
    #expect(settings.count == Setting.all.count { !$0.isHidden })
    let port = try object(#require(settings["port"]))
    #expect(port["value"] == .number("3"))
    #expect(port["source"] == .string("file"))
    #expect(port["origin"] == members["config"])
    #expect(port["line"] == .number("1"))
    let unix = try object(#require(settings["unix"]))
    let expected = ["value": "/run/\"quoted\"", "source": "flag", "origin": "--unix"].mapValues(JSON.string)
    #expect(unix == expected.merging(["line": .null]) { $1 })
    let standby = try object(#require(settings["standby"]))
    #expect(standby["value"] == .bool(true))
    #expect(standby["origin"] == .string("LEASEHOLD_STANDBY"))
    #expect(try object(#require(settings["host"]))["origin"] == .null)
    #expect(try object(#require(settings["allow-host"]))["value"] == .array([]))
  }

  @Test func theValuesOfTheJSONCanBePutIntoAFile() throws {
    let flags = ["ttl-max": "1500ms", "ttl-default": "1.5", "unix-mode": "600", "allow-host": "a,b", "standby": "on"]
    let resolved = try resolve(flags: flags)
    let settings = try object(#require(object(JSON(parsing: Array(resolved.json.utf8)))["settings"]))
    let lines = try settings.map { name, row in
      "\(VisibleText.quoted(name)): \(written(try #require(object(row)["value"])))"
    }
    let again = try resolve(file: "{" + lines.joined(separator: ",\n") + "}")
    #expect(again.all.map(\.value) == resolved.all.map(\.value))
  }

  private func object(_ value: JSON) throws -> [String: JSON] {
    guard case .object(let members) = value else { throw UnusableValue(reason: "not an object") }
    return Dictionary(uniqueKeysWithValues: members.map { ($0.name, $0.value) })
  }

  private func written(_ value: JSON) -> String {
    switch value {
    case .string(let text): VisibleText.quoted(text)
    case .number(let digits): digits
    case .bool(let isOn): isOn ? "true" : "false"
    case .array(let elements): "[" + elements.map(written).joined(separator: ",") + "]"
    case .null, .object: "null"
    }
  }
}
