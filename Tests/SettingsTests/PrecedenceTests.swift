import Testing

@testable import leasehold

@Suite struct PrecedenceTests {
  private let flags = ["port": "1"]
  private let environment = ["LEASEHOLD_PORT": "2"]
  private let file = "{\"port\": 3}"

  @Test func aFlagBeatsTheEnvironmentThatBeatsTheFileThatBeatsTheDefault() throws {
    let fromFlag = try resolve(flags: flags, environment: environment, file: file)["port"]
    #expect(fromFlag.value == .integer(1))
    #expect(fromFlag.source == .flag)
    let fromEnvironment = try resolve(environment: environment, file: file)["port"]
    #expect(fromEnvironment.value == .integer(2))
    #expect(fromEnvironment.source == .environment)
    let fromFile = try resolve(file: file)
    #expect(fromFile["port"].value == .integer(3))
    let place = TextPlace(line: 1, column: 2)
    #expect(fromFile["port"].source == .file(path: try #require(fromFile.configPath), at: place))
    let fallback = try resolve()["port"]
    #expect(fallback.value == .integer(31818))
    #expect(fallback.source == .fallback)
  }

  @Test(arguments: Setting.all) func everySettingIsReadFromEveryPlace(setting: Setting) throws {
    let (own, other) = sample(setting)
    let flag = try resolve(flags: [setting.name: own], environment: [setting.environmentName: other])[setting.name]
    #expect(flag.source == .flag)
    #expect(flag.value == (try setting.kind.parse(own)))
    let variable = try resolve(environment: [setting.environmentName: own], file: "{\"\(setting.name)\":\"\(other)\"}")
    #expect(variable[setting.name].source == .environment)
    #expect(variable[setting.name].value == (try setting.kind.parse(own)))
    let file = try resolve(file: "\n{\"\(setting.name)\": \"\(own)\"}")
    #expect(file[setting.name].source == .file(path: try #require(file.configPath), at: TextPlace(line: 2, column: 2)))
    #expect(file[setting.name].value == (try setting.kind.parse(own)))
  }

  private func sample(_ setting: Setting) -> (String, String) {
    switch setting.kind {
    case .text: ("127.0.0.2", "127.0.0.3")
    case .path: ("/run/a", "/run/b")
    case .list: ("a,b", "c")
    case .integer: ("60", "61")
    case .octal: ("0600", "0640")
    case .bytes: ("8KiB", "9KiB")
    case .duration: ("31s", "32s")
    case .ipcKey: ("0x1", "0x2")
    case .toggle: ("true", "false")
    case .choice(let known): (known[0], known[1])
    }
  }

  @Test func aNamedFileMustExist() throws {
    let byFlag = #expect(throws: Failure.self) {
      try SettingsSources(configPath: "/nonexistent/a.json").resolve()
    }
    #expect(byFlag == Failure("--config: there is no file '/nonexistent/a.json'", .usage))
    let byVariable = #expect(throws: Failure.self) {
      try SettingsSources(environment: ["LEASEHOLD_CONFIG": "/nonexistent/b.json"]).resolve()
    }
    #expect(byVariable?.message == "--config (from LEASEHOLD_CONFIG): there is no file '/nonexistent/b.json'")
    #expect(byVariable?.status == 78)
  }

  @Test func aNamedFileReplacesTheOneOfTheSystemAndTheFlagBeatsTheVariable() throws {
    try withFile("{\"port\": 1}") { first in
      try withFile("{\"port\": 2}") { second in
        var sources = SettingsSources(environment: ["LEASEHOLD_CONFIG": first], systemPath: second)
        let byVariable = try sources.resolve()
        #expect(byVariable["port"].value == .integer(1))
        sources.configPath = second
        let byFlag = try sources.resolve()
        #expect(byFlag["port"].value == .integer(2))
        sources.configPath = ""
        let byNone = try sources.resolve()
        #expect(byNone.configPath == nil)
      }
    }
  }

  @Test func aFileThatIsADirectoryIsAnErrorWithTheReason() throws {
    let error = #expect(throws: Failure.self) { try SettingsSources(configPath: "/tmp").resolve() }
    #expect(error?.message == "/tmp cannot be read: Is a directory")
  }

  @Test func unknownVariablesAreWarnedOfAndThoseOfTheClientAreNot() throws {
    let resolved = try resolve(environment: [
      "LEASEHOLD_PROT": "1", "LEASEHOLD_URL": "u", "LEASEHOLD_LEASE": "l", "LEASEHOLD_FENCE": "f",
      "LEASEHOLD_LOCK": "k", "LEASEHOLD_ZZZZZ": "", "PATH": "/bin", "LEASEHOLDER": "me",
    ])
    #expect(
      resolved.warnings == [
        "LEASEHOLD_PROT is not a setting and is not used; did you mean LEASEHOLD_PORT?",
        "LEASEHOLD_ZZZZZ is not a setting and is not used",
      ])
  }

  @Test func aServiceLinkOfKubernetesIsNoPort() throws {
    let resolved = try resolve(environment: ["LEASEHOLD_PORT": "tcp://10.0.0.1:31818"])
    #expect(resolved["port"].source == .fallback)
    #expect(
      resolved.warnings == [
        "LEASEHOLD_PORT is a service link of Kubernetes and is not used; set enableServiceLinks: false"
      ])
  }
}
