import Leasehold
import LeaseholdHTTP
import LeaseholdLocal
import Testing

@testable import leasehold

@Suite struct CheckTests {
  @Test func anErrorNamesTheFlagItsSourceAndWhatToGive() throws {
    let hint = "'5x' is not a duration; give something like 250ms, 30s, 1.5m or 2h"
    let environment = try settingsError(environment: ["LEASEHOLD_TTL_MAX": "5x"])
    #expect(environment == Failure("--ttl-max (from LEASEHOLD_TTL_MAX): \(hint)", .configuration))
    let flag = try settingsError(flags: ["ttl-max": "5x"])
    #expect(flag == Failure("--ttl-max: \(hint)", .usage))
    try withFile("{\n\"ttl-max\": \"5x\"}") { path in
      let file = #expect(throws: Failure.self) { try SettingsSources(configPath: path).resolve() }
      #expect(file == Failure("--ttl-max (from \(path), line 2, column 1): \(hint)", .configuration))
    }
  }

  @Test(arguments: [
    ("port", "65536", "65536 is out of range; give 0 to 65535"),
    ("port", "-1", "-1 is out of range; give 0 to 65535"),
    ("port", "http", "'http' is not a whole number; give something like 5"),
    ("port", "", "'' is not a whole number; give something like 5"),
    ("unix-mode", "0888", "'0888' is not an octal number; give something like 0660"),
    ("unix-mode", "1777", "1777 is out of range; give 0000 to 0777"),
    ("connection-memory", "2MiB", "2MiB is out of range; give 4KiB to 1MiB"),
    ("max-body", "1KB", "'1KB' is not a size; give something like 16KiB, 1MiB or plain bytes"),
    ("idle-timeout", "25h", "25h is out of range; give 1s to 24h"),
    ("control-key", "0", "'0' is not a System V key; give something like 0x4c480001, not 0"),
    ("standby", "maybe", "'maybe' is neither true nor false"),
    ("log-format", "xml", "'xml' is none of plain, json"),
  ])
  func anErrorSaysWhatToGiveInstead(name: String, text: String, reason: String) throws {
    #expect(try settingsError(flags: [name: text]).message == "--\(name): \(reason)")
  }

  @Test func theDefaultTimeToLiveLiesBetweenTheShortestAndTheLongest() throws {
    #expect(
      try settingsError(environment: ["LEASEHOLD_TTL_MAX": "10s"])
        == Failure(
          "--ttl-default (its default): 30s is more than --ttl-max (from LEASEHOLD_TTL_MAX), 10s",
          .configuration))
    #expect(
      try settingsError(flags: ["ttl-min": "1m"], environment: ["LEASEHOLD_TTL_DEFAULT": "59s"])
        == Failure(
          "--ttl-min: 1m is more than --ttl-default (from LEASEHOLD_TTL_DEFAULT), 59s", .usage))
    let equal = ["ttl-min": "5s", "ttl-default": "5s", "ttl-max": "5s"]
    #expect(try ServeOptions(resolve(flags: equal)).limits.ttlMin == .seconds(5))
  }

  @Test(arguments: ["127.0.0.1", "127.255.255.254", "::1", "0:0:0:0:0:0:0:1", "localhost"])
  func aLoopbackAddressIsTaken(host: String) throws {
    #expect(try ServeOptions(resolve(flags: ["host": host])).server.host == host)
  }

  @Test(arguments: [
    "0.0.0.0", "::", "192.168.1.1", "10.0.0.1", "::2", "::ffff:127.0.0.1", "1::1", "example.com", "127.1", "128.0.0.1",
    "127.0.0.1 ", "localhost.",
  ])
  func anyOtherAddressIsRefusedForLackOfTokens(host: String) throws {
    let error = try settingsError(environment: ["LEASEHOLD_HOST": host])
    #expect(
      error.message == "--host (from LEASEHOLD_HOST): '\(host)' is not a loopback address: others than this host can "
        + "reach it, so it needs tokens (--token-file); or bind to 127.0.0.1, or use --unix")
    #expect(error.status == 78)
  }

  @Test func tokensOverTheNetworkNeedTLSOrAWordThatTheyDoNot() throws {
    let open = ["host": "192.0.2.1", "token-file": "/etc/t"]
    #expect(try settingsError(flags: open).message.contains("without TLS everybody on the way can read the tokens"))
    let plain = open.merging(["insecure-plain-http": "true"]) { $1 }
    #expect(try ServeOptions(resolve(flags: plain)).allowsPlainHTTP)
    let tls = open.merging(["tls-cert": "/c", "tls-key": "/k"]) { $1 }
    #expect(try ServeOptions(resolve(flags: tls)).tlsKeyPath == "/k")
    // The word alone is not enough: there would be no tokens at all.
    #expect(
      try settingsError(flags: ["host": "192.0.2.1", "insecure-plain-http": "true"]).message.contains("--token-file"))
  }

  @Test func noTCPListenerNeedsAnother() throws {
    #expect(
      try settingsError(flags: ["host": "none"]).message == "--host: 'none' leaves nothing to listen on: give --unix")
    let settings = try ServeOptions(resolve(flags: ["host": "none", "unix": "/run/l.sock"]))
    #expect(settings.server.host == nil)
    #expect(settings.service.description == "/run/l.sock")
  }

  @Test func halvesAreRefused() throws {
    #expect(try settingsError(flags: ["tls-cert": "/c"]).message == "--tls-cert: --tls-key is missing: TLS needs both")
    #expect(try settingsError(flags: ["tls-key": "/c"]).message == "--tls-key: --tls-cert is missing: TLS needs both")
    let etcd = ["engine": "etcd:https://a:1,http://b:2"]
    for (papers, more) in [("etcd-ca", [:]), ("etcd-cert", ["etcd-key": "/k"])] {
      let error = try settingsError(flags: etcd.merging([papers: "/c"]) { $1 }.merging(more) { $1 })
      #expect(error.message == "--\(papers): certificates are for https://, and 'http://b:2' has no TLS")
    }
    #expect(
      try settingsError(flags: ["unix-needs-token": "true"]).message
        == "--unix-needs-token: there are no tokens without --token-file")
  }

  @Test func theStatusesAreThoseOfSysexits() {
    #expect(ExitStatus.allCases.map(\.rawValue) == [0, 64, 66, 69, 70, 73, 75, 77, 78])
  }
}
