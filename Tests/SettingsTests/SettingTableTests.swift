import Leasehold
import LeaseholdHTTP
import LeaseholdLocal
import Testing

@testable import leasehold

@Suite struct SettingTableTests {
  @Test func everyDefaultIsInItsRangeAndIsWrittenAsItIsPrinted() throws {
    for setting in Setting.all {
      let value = try setting.kind.parse(setting.fallback)
      #expect(setting.kind.text(of: value) == setting.fallback, "\(setting.name)")
    }
  }

  @Test func theDefaultsAreTheDocumentedOnes() throws {
    let settings = try ServeOptions(resolve())
    #expect(settings.server.host == "127.0.0.1")
    #expect(settings.server.port == 31818)
    #expect(settings.server.unixPath == nil)
    #expect(settings.server.unixMode == 0o660)
    #expect(settings.server.connections == 20000)
    #expect(settings.server.connectionMemoryBytes == 16384)
    #expect(settings.server.idleTimeout == .seconds(60))
    #expect(settings.drainTimeout == .seconds(5))
    #expect(settings.server.bodyBytes == 65536)
    #expect(settings.server.allowedHosts.isEmpty)
    #expect(settings.limits.ttlDefault == .seconds(30))
    #expect(settings.limits.ttlMin == .milliseconds(100))
    #expect(settings.limits.ttlMax == .seconds(86_400))
    #expect(settings.limits.waitMax == .seconds(3600))
    #expect(settings.limits.leases == 1_000_000)
    #expect(settings.service.stateDirectory == nil)
    #expect(settings.service.controlKey == 0x4c48_0001)
    #expect(!settings.standby)
    #expect(settings.logFormat == .plain)
  }

  @Test func namesAreUniqueAndNoneIsAnotherKnownVariable() {
    #expect(Setting.named.count == Setting.all.count)
    let variables = Set(Setting.all.map(\.environmentName))
    #expect(variables.count == Setting.all.count)
    #expect(variables.isDisjoint(with: SettingsSources.clientVariables))
    #expect(!variables.contains(SettingsSources.configVariable))
  }

  @Test(arguments: Setting.all) func bothEdgesOfARangeAreInItAndWhatIsBeyondIsNot(setting: Setting) throws {
    for (text, isInside) in edges(of: setting.kind) {
      do {
        _ = try setting.kind.parse(text)
        #expect(isInside, "\(setting.name) takes \(text)")
      } catch {
        #expect(!isInside, "\(setting.name) refuses \(text): \(error.reason)")
        #expect(error.reason.contains(text))
      }
    }
  }

  /// Values at the edges of a range, and one step beyond.
  private func edges(of kind: SettingKind) -> [(text: String, isInside: Bool)] {
    switch kind {
    case .integer(let range), .bytes(let range):
      [
        (String(range.lowerBound), true), (String(range.upperBound), true),
        (String(range.lowerBound - 1), false), (String(range.upperBound + 1), false),
        ("99999999999999999999", false),
      ]
    case .octal(let range):
      [
        (String(range.lowerBound, radix: 8), true), (String(range.upperBound, radix: 8), true),
        (String(range.upperBound + 1, radix: 8), false), ("0668", false),
      ]
    case .duration(let range):
      [
        (range.lowerBound.text, true), (range.upperBound.text, true),
        (TimeSpan(nanoseconds: range.upperBound.nanoseconds + 1_000_000).text, false),
        (range.lowerBound == .zero ? "-1ms" : "0.0\(range.lowerBound.text)", false),
      ]
    case .ipcKey:
      [
        ("1", true), ("0xffffffff", true), ("4294967295", true), ("0", false), ("0x0", false), ("0x100000000", false),
        ("-1", false), ("0x-1", false), ("0x", false), ("ff", false),
      ]
    case .toggle: [("true", true), ("FALSE", true), ("on", true), ("0", true), ("", false), ("2", false)]
    case .choice(let known): known.map { ($0, true) } + [("loud", false)]
    case .path(let bytesMax): [("", true), (String(repeating: "p", count: bytesMax), true)]
    case .text: [("name", true)]
    case .list: [("", true), ("a, b,,c", true)]
    }
  }

  @Test func aPathOrATextThatCannotBeOneIsRefused() throws {
    let tooLong = String(repeating: "p", count: 108)
    let error = try settingsError(flags: ["unix": tooLong])
    #expect(error.message == "--unix: the path has 108 bytes; at most 107 are possible")
    #expect(try settingsError(flags: ["unix": "/run/a\nb"]).message == "--unix: it has a control character in it")
    #expect(try settingsError(flags: ["host": ""]).message == "--host: it is empty")
  }

  @Test func aKeyAboveTwoToTheThirtyFirstBecomesANegativeKey() throws {
    #expect(try ServeOptions(resolve(flags: ["control-key": "0xffffffff"])).service.controlKey == -1)
  }

  @Test(arguments: [(1, 1), (2, 1), (3, 1), (4, 2), (6, 3), (8, 4), (64, 4)])
  func threadsFollowTheProcessorsUnlessTheyAreSet(processors: Int, expected: Int) throws {
    #expect(ServeOptions.threads(processors: processors) == expected)
    #expect(try ServeOptions(resolve(flags: ["threads": "7"])).server.threads == 7)
  }
}
