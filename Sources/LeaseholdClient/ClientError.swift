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
  /// The lease ended although nobody here gave it back.
  case leaseLost(LeaseLost)
  /// A lock that cannot be wanted so: what is wrong, and which parameter it is about.
  case invalid(String, parameter: String)
  /// A text that is no address of a service.
  case badAddress(String)
  /// The folder of the user's own service cannot be used.
  case unsafeFolder(String, reason: String)
  /// The task was canceled.
  case canceled

  /// The kinds of errors, as all libraries of the service have them.
  public enum Kind: String, Sendable {
    case locked
    /// Others still had the lock when the wait was over; ``isBusy`` is true of this and of ``locked``.
    case waitTimeout = "wait-timeout"
    /// The caller waits for what it holds itself: no lock is reentrant.
    case alreadyHeld = "already-held"
    /// One that is waited for waits for what the caller holds.
    case deadlock
    /// A newer request of the group waits (``Lock/newest``): leave the work to that one.
    case superseded
    case leaseLost = "lease-lost"
    case denied, unavailable
    /// The kernel has no room for another semaphore.
    case kernelLimit = "kernel-limit"
    /// The request can never succeed as it is.
    case invalid
    case canceled, other
  }

  /// The kind of the error.
  public var kind: Kind {
    switch self {
    case .problem(let problem): problem.kind
    case .unreachable(_, let reason) where reason.hasPrefix("Permission denied"): .denied
    case .unreachable, .timedOut, .malformed, .insecure: .unavailable
    case .leaseLost: .leaseLost
    case .invalid, .badAddress, .unsafeFolder: .invalid
    case .canceled: .canceled
    }
  }

  /// The name of the error: the service's, listed in `openapi.yaml`, or one of `unreachable`, `no-answer`, `malformed`,
  /// `insecure`, `lease-lost`, `invalid-option`, `canceled`.
  public var code: String {
    switch self {
    case .problem(let problem): problem.code
    case .unreachable: kind == .denied ? "socket-denied" : "unreachable"
    case .timedOut: "no-answer"
    case .malformed: "malformed"
    case .insecure: "insecure"
    case .leaseLost: "lease-lost"
    case .invalid, .badAddress, .unsafeFolder: "invalid-option"
    case .canceled: "canceled"
    }
  }

  /// The problem that the service told, when it was the service.
  public var problem: Problem? {
    switch self {
    case .problem(let problem): problem
    case .leaseLost(let loss): loss.problem
    default: nil
    }
  }

  /// The HTTP status; 0 where nothing answered.
  public var status: Int { problem?.status ?? 0 }

  /// The name of the request in the log of the service.
  public var requestID: String? { problem?.members["request_id"].string }

  /// True when others hold the lock; trying later may help.
  public var isBusy: Bool { problem?.isBusy ?? false }
}

/// The end of a lease that nobody here gave back.
public struct LeaseLost: Sendable, Equatable {
  /// The names of the locks.
  public let keys: [String]
  /// The service's word, or `deadline`, `silent`, `connection-closed`.
  public let reason: String
  /// The words of the operator that ended it.
  public let breakReason: String?
  /// When the service ended it, as it writes instants; `nil` where it told none.
  public let endedAt: String?
  /// The answer that told it, where it was an answer.
  public let problem: Problem?

  init(_ keys: [String], reason: String, breakReason: String? = nil) {
    self.init(keys, ["reason": .string(reason)], breakReason: breakReason)
  }

  /// Reads a problem, an event, or the last line of a stream.
  init(_ keys: [String], _ json: JSON, problem: Problem? = nil, breakReason: String? = nil) {
    self.keys = keys
    self.problem = problem
    reason = json["reason"].string ?? json["ended"].string ?? json["code"].string ?? "unknown"
    self.breakReason = json["break_reason"].string ?? breakReason
    endedAt = json["ended_at"].string ?? json["at"].string
  }
}

extension LeaseLost: CustomStringConvertible {
  /// A clause that says why.
  public var description: String {
    let why = breakReason.map { "\(reason): \($0)" } ?? reason
    return "the lease on \(keys.joined(separator: ", ")) is lost (\(why))"
  }
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
    case .leaseLost(let loss): "\(loss)"
    case .invalid(let what, let parameter): "\(parameter): \(what)"
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

  package init(status: Int, body: [UInt8]) { self.init(status: status, members: JSON(body) ?? .null) }

  /// - Parameter code: In place of that of the members.
  init(status: Int, members: JSON, code: String? = nil) {
    self.status = status
    self.members = members
    self.code = code ?? members["code"].string ?? "http-\(status)"
    detail = members["detail"].string ?? "the service answered with status \(status)"
  }

  /// True when others hold the lock, or too many wait, so that trying later may help; or when a newer request waits.
  public var isBusy: Bool { status == 423 || status == 429 || code == "superseded" }

  /// The leases on the lock that was wanted.
  public var holders: [LeaseState] { members["holders"].elements.map { LeaseState(json: $0) } }

  /// True where it says that a lease is over, or that none has this id.
  public var isGone: Bool { status == 410 || (status == 404 && code == "no-such-lease") }

  var kind: ClientError.Kind {
    let circle = members["circle"].elements
    switch (status, code) {
    case (_, "already-held"): return .alreadyHeld
    case (_, "wait-timeout"): return .waitTimeout
    case (_, "deadlock"): return circle.count == 1 && circle[0]["you"].bool == true ? .alreadyHeld : .deadlock
    case (_, "superseded"): return .superseded
    case (423, _): return .locked
    case _ where isGone: return .leaseLost
    case (401, _), (403, _): return .denied
    case (507, _): return .kernelLimit
    case (429, _), (503, _): return .unavailable
    default: return status < 500 ? .invalid : .other
    }
  }

  /// True when the service is not there for any caller just now; trying again soon may help.
  public var isTemporary: Bool { status == 503 || status == 502 || status == 504 }
}
