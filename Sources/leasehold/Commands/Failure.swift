internal import ArgumentParser
internal import Glibc
internal import LeaseholdClient
internal import LeaseholdHost

/// Why the daemon or a command ends without success: a line for standard error, and the status.
struct Failure: Error, Equatable {
  /// A line that says what happened and what to do; empty where the status says all.
  let message: String
  let status: Int32
}

extension Failure {
  init(_ message: String, _ status: ExitStatus) { self.init(message: message, status: status.rawValue) }

  /// Makes a failure of an error of the client.
  ///
  /// - Parameters:
  ///   - busy: The status when others hold the lock.
  ///   - isQuiet: Whether nothing is said of that.
  init(_ error: ClientError, busy: Int32 = ExitStatus.temporaryFailure.rawValue, isQuiet: Bool = false) {
    switch error {
    case .problem(let problem) where problem.status == 423 && isQuiet: self.init(message: "", status: busy)
    case .problem(let problem):
      let status: Int32 =
        switch problem.status {
        case 423, 429: busy
        // A caller that waits for itself has made a mistake, which no later attempt mends.
        case 409 where problem.code == "deadlock": ExitStatus.usage.rawValue
        case 401, 403: ExitStatus.noPermission.rawValue
        case 502, 503, 504: ExitStatus.unavailable.rawValue
        case 507: ExitStatus.cannotCreate.rawValue
        case 410, 500: ExitStatus.software.rawValue
        case 404 where problem.code.hasPrefix("no-such-"): ExitStatus.noInput.rawValue
        case 409: ExitStatus.temporaryFailure.rawValue
        default: ExitStatus.usage.rawValue
        }
      self.init(message: problem.spoken, status: status)
    case .unreachable, .timedOut, .insecure, .malformed, .canceled, .invalid: self.init("\(error)", .unavailable)
    case .leaseLost: self.init("\(error)", .software)
    case .badAddress: self.init("\(error)", .usage)
    case .unsafeFolder: self.init("\(error)", .cannotCreate)
    }
  }
}

/// A holder or a waiter in words.
enum HolderText {
  static func text(_ holder: JSON) -> String {
    var words = [holder["owner"].string ?? "lease \(holder["ref"].string ?? "?")"]
    if let pid = holder["pid"].int { words.append("pid \(pid)") }
    if holder["pid"].int == nil, let peer = holder["peer"].string { words.append("from \(peer)") }
    if let state = holder["state"].string, state != "held" { words.append(state) }
    if let note = holder["note"].string { words.append("\"\(note)\"") }
    if let left = holder["expires_in_ms"].int { words.append("\(AgeText.text(milliseconds: left)) left") }
    return words.joined(separator: ", ")
  }
}

/// Durations for people.
enum AgeText {
  /// Such as `0.4s`, `12s`, `3m05s`, `2h10m`, `3d04h`.
  static func text(milliseconds: Int64) -> String {
    let seconds = milliseconds / 1000
    return switch seconds {
    case ..<10: "\(milliseconds / 1000).\(max(0, milliseconds) % 1000 / 100)s"
    case ..<60: "\(seconds)s"
    case ..<3600: "\(seconds / 60)m\((seconds % 60).digits(2))s"
    case ..<86400: "\(seconds / 3600)h\((seconds / 60 % 60).digits(2))m"
    default: "\(seconds / 86400)d\((seconds / 3600 % 24).digits(2))h"
    }
  }
}

/// Runs the body, which takes a lock, with a status and perhaps silence of its own for one that others hold.
func failing<Value>(
  busy: Int32 = ExitStatus.temporaryFailure.rawValue, isQuiet: Bool = false, _ body: () throws -> Value
) throws -> Value {
  do {
    return try body()
  } catch let error as ClientError {
    throw Failure(error, busy: busy, isQuiet: isQuiet)
  }
}
