internal import LeaseholdClient

/// The leases that this process runs under: those of every `leasehold run` above it.
///
/// A command that waits for a lock that one of them holds waits for itself. The service sees that when it is told what
/// is held, by whatever name the lock is asked for.
struct Enclosing {
  /// Their ids, the outermost first, with commas between.
  static let variable = "LEASEHOLD_HOLDING"

  /// So many a request may name; of more, the innermost.
  private static let idsMax = 32

  let ids: [String]

  /// Reads what a `leasehold run` above has left in the environment.
  init(holding: String?, lease: String?) {
    var ids = (holding ?? "").split(separator: ",").map(String.init)
    if let lease, !ids.contains(lease) { ids.append(lease) }
    self.ids = ids.suffix(Self.idsMax)
  }

  /// Of this process.
  static var current: Enclosing {
    Enclosing(holding: Environment.value(variable), lease: Environment.value("LEASEHOLD_LEASE"))
  }

  /// The variable for a command that runs under one lease more.
  func variable(adding lease: Grant) -> (name: String, value: String) {
    (name: Self.variable, value: (ids.filter { $0 != lease.id } + [lease.id]).joined(separator: ","))
  }

  /// Returns true when a lock, as the service shows it, may be held by these leases alone: of a lock that counts
  /// natively, the service does not know how many units there are, and lets us wait.
  func mayKeepAll(of lock: JSON) -> Bool {
    let holders = lock["holders"].elements
    return lock["kind"].string == "counting" && lock["limit"].int == nil && lock["available"].int == 0
      && !holders.isEmpty
      && holders.allSatisfy { holder in ids.contains { $0.hasPrefix(holder["ref"].string ?? "?") } }
  }

  /// Those that this service has given, and that are not over: the environment may be older than they.
  func held(at endpoint: ServiceEndpoint) -> [String] {
    guard !ids.isEmpty else { return [] }
    let connection = LeaseholdConnection(endpoint)
    return ids.filter { (try? connection.send(Request("GET", ["leases", $0]).within(.seconds(5))))?.status == 200 }
  }
}
