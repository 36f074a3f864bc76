internal import ArgumentParser

// The argument parser needs a property for each flag; all that is said about it comes from the table.

struct ListeningFlags: ParsableArguments {
  @Option(.host) var host: String?
  @Option(.port) var port: String?
  @Option(.unix) var unix: String?
  @Option(.unixMode) var unixMode: String?
  @Option(.threads) var threads: String?
  @Option(.maxConnections) var maxConnections: String?
  @Option(.connectionMemory) var connectionMemory: String?
  @Option(.idleTimeout) var idleTimeout: String?
  @Option(.firstRequestTimeout) var firstRequestTimeout: String?
  @Option(.drainTimeout) var drainTimeout: String?
  @Option(.maxBody) var maxBody: String?
  @Option(.allowHost) var allowHost: [String] = []

  var given: [(Setting, String?)] {
    [
      (.host, host), (.port, port), (.unix, unix), (.unixMode, unixMode), (.threads, threads),
      (.maxConnections, maxConnections), (.connectionMemory, connectionMemory), (.idleTimeout, idleTimeout),
      (.firstRequestTimeout, firstRequestTimeout),
      (.drainTimeout, drainTimeout), (.maxBody, maxBody),
      (.allowHost, allowHost.isEmpty ? nil : allowHost.joined(separator: ",")),
    ]
  }
}

struct AccessFlags: ParsableArguments {
  @Option(.tokenFile) var tokenFile: String?
  @Flag(.unixNeedsToken) var unixNeedsToken: Bool?
  @Option(.tlsCert) var tlsCert: String?
  @Option(.tlsKey) var tlsKey: String?
  @Flag(.insecurePlainHTTP) var insecurePlainHTTP: Bool?
  @Option(.maxLeasesPerCaller) var maxLeasesPerCaller: String?
  @Option(.maxWaitersPerCaller) var maxWaitersPerCaller: String?
  @Option(.maxConnectionsPerCaller) var maxConnectionsPerCaller: String?
  @Option(.maxEventSubscribersPerCaller) var maxEventSubscribersPerCaller: String?
  @Option(.operationWaitersPerCaller) var operationWaitersPerCaller: String?
  @Option(.maxLocksPerCaller) var maxLocksPerCaller: String?
  @Option(.maxSegmentBytesPerCaller) var maxSegmentBytesPerCaller: String?

  var given: [(Setting, String?)] {
    [
      (.tokenFile, tokenFile), (.unixNeedsToken, unixNeedsToken.map { $0 ? "true" : "false" }), (.tlsCert, tlsCert),
      (.tlsKey, tlsKey), (.insecurePlainHTTP, insecurePlainHTTP.map { $0 ? "true" : "false" }),
      (.maxLeasesPerCaller, maxLeasesPerCaller), (.maxWaitersPerCaller, maxWaitersPerCaller),
      (.maxConnectionsPerCaller, maxConnectionsPerCaller),
      (.maxEventSubscribersPerCaller, maxEventSubscribersPerCaller),
      (.operationWaitersPerCaller, operationWaitersPerCaller), (.maxLocksPerCaller, maxLocksPerCaller),
      (.maxSegmentBytesPerCaller, maxSegmentBytesPerCaller),
    ]
  }
}

struct LeaseFlags: ParsableArguments {
  @Option(.ttlDefault) var ttlDefault: String?
  @Option(.ttlMin) var ttlMin: String?
  @Option(.ttlMax) var ttlMax: String?
  @Option(.maxWait) var maxWait: String?
  @Option(.heartbeat) var heartbeat: String?
  @Option(.recoveryGrace) var recoveryGrace: String?

  var given: [(Setting, String?)] {
    [
      (.ttlDefault, ttlDefault), (.ttlMin, ttlMin), (.ttlMax, ttlMax), (.maxWait, maxWait),
      (.heartbeat, heartbeat), (.recoveryGrace, recoveryGrace),
    ]
  }
}

struct LimitFlags: ParsableArguments {
  @Option(.maxLeases) var maxLeases: String?
  @Option(.maxWaiters) var maxWaiters: String?
  @Option(.maxWaitersPerLock) var maxWaitersPerLock: String?
  @Option(.operationWaiters) var operationWaiters: String?
  @Option(.maxProcesses) var maxProcesses: String?
  @Option(.eventsKept) var eventsKept: String?
  @Option(.maxEventSubscribers) var maxEventSubscribers: String?
  @Option(.tombstones) var tombstones: String?
  @Option(.idleLocks) var idleLocks: String?

  var given: [(Setting, String?)] {
    [
      (.maxLeases, maxLeases), (.maxWaiters, maxWaiters), (.maxWaitersPerLock, maxWaitersPerLock),
      (.operationWaiters, operationWaiters), (.maxProcesses, maxProcesses),
      (.operationWaiters, operationWaiters), (.eventsKept, eventsKept), (.maxEventSubscribers, maxEventSubscribers),
      (.tombstones, tombstones), (.idleLocks, idleLocks),
    ]
  }
}

struct MemoryFlags: ParsableArguments {
  @Option(.shmKey) var shmKey: String?
  @Option(.shmSize) var shmSize: String?
  @Option(.shmObjects) var shmObjects: String?
  @Option(.maxValue) var maxValue: String?

  var given: [(Setting, String?)] {
    [(.shmKey, shmKey), (.shmSize, shmSize), (.shmObjects, shmObjects), (.maxValue, maxValue)]
  }
}

struct KernelFlags: ParsableArguments {
  @Option(.pumps) var pumps: String?
  @Option(.peerPidfd) var peerPidfd: String?
  @Option(.stateDir) var stateDir: String?
  @Option(.pathRoots) var pathRoots: [String] = []
  @Option(.controlKey) var controlKey: String?
  @Flag(.standby) var standby: Bool?

  var given: [(Setting, String?)] {
    [
      (.pumps, pumps), (.peerPidfd, peerPidfd), (.stateDir, stateDir),
      (.pathRoots, pathRoots.isEmpty ? nil : pathRoots.joined(separator: ",")), (.controlKey, controlKey),
      (.standby, standby.map { $0 ? "true" : "false" }),
    ]
  }
}

struct LogFlags: ParsableArguments {
  @Option(.logLevel) var logLevel: String?
  @Option(.logFormat) var logFormat: String?
  @Option(.slowWait) var slowWait: String?

  var given: [(Setting, String?)] { [(.logLevel, logLevel), (.logFormat, logFormat), (.slowWait, slowWait)] }
}

extension Setting {
  fileprivate var parserName: NameSpecification { [.customLong(name)] }

  fileprivate var parserHelp: ArgumentHelp {
    ArgumentHelp(
      "\(helpWithRange)", valueName: kind.placeholder, visibility: isHidden ? .hidden : .default)
  }
}

extension Option where Value == String? {
  fileprivate init(_ setting: Setting) {
    self.init(name: setting.parserName, help: setting.parserHelp)
  }
}

extension Option where Value == [String] {
  fileprivate init(wrappedValue: [String], _ setting: Setting) {
    self.init(wrappedValue: wrappedValue, name: setting.parserName, help: setting.parserHelp)
  }
}

extension Flag where Value == Bool? {
  fileprivate init(_ setting: Setting) {
    self.init(name: setting.parserName, inversion: .prefixedNo, help: setting.parserHelp)
  }
}
