public import Leasehold

/// The settings of an engine over etcd.
public struct EtcdConfiguration: Sendable {
  /// The cluster's client URLs, such as `http://10.0.0.1:2379`; at least one.
  public var endpoints: [String]
  /// The keys of all locks begin with this.
  public var prefix = "/lh/1/"
  /// The user that asks, where etcd has users, and its password.
  public var user: (name: String, password: String)?
  /// A file in PEM with the certificates that vouch for etcd's; `nil` for those that this system trusts.
  public var authorities: String?
  /// The files, in PEM, of a certificate that is shown to etcd, and of its key.
  public var certificate: (file: String, key: String)?
  /// The name of this server among others, for people.
  public var server = "leasehold"
  /// Maxima.
  public var limits = Limits()
  /// Called when etcd goes away, with the reason, and when it is back, with `nil`.
  public var onFault: @Sendable (String?) -> Void = { _ in }

  /// A cluster without users, at its default prefix.
  public init(endpoints: [String]) { self.endpoints = endpoints }
}

/// Why an engine over etcd does not start.
public enum EtcdEngineError: Error, CustomStringConvertible {
  /// A URL that is none.
  case badEndpoint(String)
  /// etcd does not answer as it should.
  case unavailable(String)
  /// etcd does not let this service in.
  case denied(String)
  /// The process may have no more threads.
  case noThread

  /// One line that says what to do.
  public var description: String {
    switch self {
    case .badEndpoint(let text):
      "'\(text)' is no address of etcd; give etcd:http://HOST:2379 or etcd:https://HOST:2379, several with commas"
    case .unavailable(let reason): "etcd cannot be used: \(reason)"
    case .denied(let reason): "etcd does not let this service in: \(reason)"
    case .noThread: "the process may have no more threads (see its pids limit)"
    }
  }
}
