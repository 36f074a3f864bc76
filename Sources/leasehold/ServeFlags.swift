internal import ArgumentParser

// The argument parser needs a property for each flag; all that is said about it comes from the table.

struct ListeningFlags: SettingFlags {
  @Option("host") var host: String?
  @Option("port") var port: String?
  @Option("unix") var unix: String?
  @Option("unix-mode") var unixMode: String?
  @Option("threads") var threads: String?
  @Option("max-connections") var maxConnections: String?
  @Option("connection-memory") var connectionMemory: String?
  @Option("idle-timeout") var idleTimeout: String?
  @Option("first-request-timeout") var firstRequestTimeout: String?
  @Option("drain-timeout") var drainTimeout: String?
  @Option("idle-exit") var idleExit: String?
  @Option("max-body") var maxBody: String?
  @Option("allow-host") var allowHost: [String] = []
}

struct AccessFlags: SettingFlags {
  @Option("token-file") var tokenFile: String?
  @Flag("unix-needs-token") var unixNeedsToken: Bool?
  @Option("tls-cert") var tlsCert: String?
  @Option("tls-key") var tlsKey: String?
  @Flag("insecure-plain-http") var insecurePlainHTTP: Bool?
  @Option("max-leases-per-caller") var maxLeasesPerCaller: String?
  @Option("max-waiters-per-caller") var maxWaitersPerCaller: String?
  @Option("max-connections-per-caller") var maxConnectionsPerCaller: String?
  @Option("max-event-subscribers-per-caller") var maxEventSubscribersPerCaller: String?
  @Option("operation-waiters-per-caller") var operationWaitersPerCaller: String?
  @Option("max-locks-per-caller") var maxLocksPerCaller: String?
  @Option("max-segment-bytes-per-caller") var maxSegmentBytesPerCaller: String?
}

struct LeaseFlags: SettingFlags {
  @Option("ttl-default") var ttlDefault: String?
  @Option("ttl-min") var ttlMin: String?
  @Option("ttl-max") var ttlMax: String?
  @Option("max-wait") var maxWait: String?
  @Option("heartbeat") var heartbeat: String?
  @Option("recovery-grace") var recoveryGrace: String?
}

struct LimitFlags: SettingFlags {
  @Option("max-leases") var maxLeases: String?
  @Option("max-waiters") var maxWaiters: String?
  @Option("max-waiters-per-lock") var maxWaitersPerLock: String?
  @Option("operation-waiters") var operationWaiters: String?
  @Option("max-processes") var maxProcesses: String?
  @Option("events-kept") var eventsKept: String?
  @Option("max-event-subscribers") var maxEventSubscribers: String?
  @Option("tombstones") var tombstones: String?
  @Option("idle-locks") var idleLocks: String?
}

struct ClusterFlags: SettingFlags {
  @Option("engine") var engine: String?
  @Option("etcd-prefix") var etcdPrefix: String?
  @Option("etcd-user") var etcdUser: String?
  @Option("etcd-password-file") var etcdPasswordFile: String?
  @Option("etcd-ca") var etcdCA: String?
  @Option("etcd-cert") var etcdCert: String?
  @Option("etcd-key") var etcdKey: String?
}

struct MemoryFlags: SettingFlags {
  @Option("shm-key") var shmKey: String?
  @Option("shm-size") var shmSize: String?
  @Option("shm-objects") var shmObjects: String?
  @Option("max-value") var maxValue: String?
}

struct KernelFlags: SettingFlags {
  @Option("pumps") var pumps: String?
  @Option("peer-pidfd") var peerPidfd: String?
  @Option("state-dir") var stateDir: String?
  @Option("path-roots") var pathRoots: [String] = []
  @Option("control-key") var controlKey: String?
  @Flag("standby") var standby: Bool?
}

struct LogFlags: SettingFlags {
  @Option("log-level") var logLevel: String?
  @Option("log-format") var logFormat: String?
  @Option("slow-wait") var slowWait: String?
}

/// Flags of settings: the property of each is called as the setting, without dashes.
protocol SettingFlags: ParsableArguments {}

extension SettingFlags {
  /// The flags that were given, by the setting's name.
  var given: [String: String] {
    Mirror(reflecting: self).children.reduce(into: [:]) { given, child in
      guard let flag = child.value as? any GivenFlag, let text = flag.text else { return }
      guard let name = child.label.flatMap({ flagNames[$0.dropFirst().lowercased()] }) else {
        preconditionFailure("no setting is called as the property \(child.label ?? "")")
      }
      given[name] = text
    }
  }
}

/// Names of settings by those of their flags' properties, in lower case.
private let flagNames = Dictionary(
  uniqueKeysWithValues: Setting.all.map { ($0.name.filter { $0 != "-" }, $0.name) })

/// A wrapped property of the argument parser.
private protocol GivenFlag {
  /// Its value as the environment would have it; `nil` when the flag was not given.
  var text: String? { get }
}

extension Option: GivenFlag where Value: GivenFlag {
  fileprivate var text: String? { wrappedValue.text }
}

extension Flag: GivenFlag where Value: GivenFlag {
  fileprivate var text: String? { wrappedValue.text }
}

extension Optional: GivenFlag where Wrapped: LosslessStringConvertible {
  fileprivate var text: String? { map(\.description) }
}

extension [String]: GivenFlag {
  fileprivate var text: String? { isEmpty ? nil : joined(separator: ",") }
}

extension Setting {
  fileprivate static func row(_ name: String) -> Setting {
    guard let setting = named[name] else { preconditionFailure("--\(name) is not in the table of settings") }
    return setting
  }

  fileprivate var parserName: NameSpecification { [.customLong(name)] }

  fileprivate var parserHelp: ArgumentHelp {
    ArgumentHelp("\(helpWithRange)", valueName: kind.placeholder, visibility: isHidden ? .hidden : .default)
  }
}

extension Option where Value == String? {
  fileprivate init(_ name: String) {
    let setting = Setting.row(name)
    self.init(name: setting.parserName, help: setting.parserHelp)
  }
}

extension Option where Value == [String] {
  fileprivate init(wrappedValue: [String], _ name: String) {
    let setting = Setting.row(name)
    self.init(wrappedValue: wrappedValue, name: setting.parserName, help: setting.parserHelp)
  }
}

extension Flag where Value == Bool? {
  fileprivate init(_ name: String) {
    let setting = Setting.row(name)
    self.init(name: setting.parserName, inversion: .prefixedNo, help: setting.parserHelp)
  }
}
