public import HTTPExchange

/// Why a request had no success.
public enum ClientError: Error, Sendable, Equatable {
  /// The service refused and said why.
  case problem(Problem)
  /// The service could not be reached, or it went away before it answered.
  case unreachable(ServiceAddress, reason: String)
  /// There is no TLS with the service, or its certificate is not to be trusted.
  case insecure(ServiceAddress, reason: String)
  /// The service did not answer in time.
  case timedOut(ServiceAddress)
  /// The peer that answered is not Leasehold.
  case malformed(String)
  /// The lease ended while it was in use.
  case leaseLost(reason: String)
  /// A text that is no address of a service.
  case badAddress(String)
  /// The folder of the user's own service cannot be used.
  case unsafeFolder(String, reason: String)
  /// The task was canceled.
  case canceled

  /// The problem that the service told, when it was the service.
  public var problem: Problem? {
    if case .problem(let problem) = self { problem } else { nil }
  }

  /// True when others hold the lock; trying later may help.
  public var isBusy: Bool { problem?.isBusy ?? false }
}

extension ClientError: CustomStringConvertible {
  /// One line that says what happened and what to do.
  public var description: String {
    switch self {
    case .problem(let problem): "\(problem.code): \(problem.detail)"
    case .unreachable(let address, let reason) where reason.hasPrefix("Permission denied"):
      "cannot reach the service at \(address): \(reason); `leasehold doctor` says what lets you use the socket"
    case .unreachable(let address, let reason):
      "cannot reach the service at \(address): \(reason); is `leasehold serve` running, and is LEASEHOLD_URL right?"
    case .unsafeFolder(let path, let reason):
      "cannot use \(path) for a service of your own: \(reason); remove it, set XDG_RUNTIME_DIR, or name a service with "
        + "LEASEHOLD_URL"
    case .insecure(let address, let reason): "cannot trust the service at \(address): \(reason)"
    case .timedOut(let address): "the service at \(address) did not answer in time"
    case .malformed(let what): "what answered is not Leasehold: \(what)"
    case .leaseLost(let reason): "the lease is lost: \(reason)"
    case .badAddress(let url):
      "'\(url)' is no address; give something like unix:/run/leasehold/leasehold.sock, http://127.0.0.1:31818 or "
        + "https://HOST:31818"
    case .canceled: "canceled"
    }
  }
}

/// An error of the service, after RFC 9457.
public struct Problem: Error, Sendable, Equatable {
  /// The HTTP status.
  public let status: Int
  /// Which error it is: stable, and listed in `openapi.yaml`.
  public let code: String
  /// A sentence that says what to do.
  public let detail: String
  /// All members, such as `holders` of a lock that is held.
  public let members: JSON

  package init(status: Int, body: [UInt8]) {
    self.status = status
    members = JSON(body) ?? .null
    code = members["code"].string ?? "http-\(status)"
    detail = members["detail"].string ?? "the service answered with status \(status)"
  }

  /// True when others hold the lock, or too many wait; trying later may help.
  public var isBusy: Bool { status == 423 || status == 429 }

  /// True when the service is not there for anybody just now; trying again soon may help.
  public var isTemporary: Bool { status == 503 || status == 502 || status == 504 }
}
