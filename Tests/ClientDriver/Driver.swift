import Glibc
import LeaseholdClient

/// Drives the library by lines of JSON, as clients/conformance/run.py describes; with arguments it is a ``Holder``.
@main struct Driver {
  private var leases: [String: Lease] = [:]
  private var clients: [Double: LeaseholdClient] = [:]

  static func main() async {
    if let holder = Holder(CommandLine.arguments.dropFirst().map { $0 }) { return await holder.run() }
    var driver = Driver()
    while let line = readLine() {
      var said: [JSON.Member]
      do {
        said = [JSON.Member("ok", .bool(true))] + (try await driver.carryOut(JSON(Array(line.utf8)) ?? .null))
      } catch {
        said = Self.members(of: error)
      }
      print(JSON.object(said))
      fflush(nil)
    }
  }

  private struct Unsupported: Error {}

  private mutating func carryOut(_ command: JSON) async throws -> [JSON.Member] {
    let (verb, name) = (command["do"].string ?? "", command["as"].string ?? "")
    switch verb {
    case "hello":
      let keeps = ["process", "stream", "renewal"].map { JSON.string($0) }
      return [
        JSON.Member("client", .string("swift")), JSON.Member("keeps", .array(keeps)),
        JSON.Member("wall", .number("\(time(nil))")),
      ]
    case "acquire":
      let lease = try await acquire(command)
      leases[name] = lease
      return [
        JSON.Member("fence", .number("\(lease.fence)")), JSON.Member("ref", .string(lease.ref)),
        JSON.Member("keep", .string(lease.keep.rawValue)),
      ]
    case "sleep":
      try await Task.sleep(for: command["seconds"].duration ?? .zero)
      return []
    default: break
    }
    guard let lease = leases[name] else { throw Unsupported() }
    switch verb {
    case "state":
      let isHeld = lease.isHeld
      return [JSON.Member("held", .bool(isHeld)), JSON.Member("remaining", seconds(lease.remaining)), reason(lease)]
    case "check": try lease.check()
    case "wait_lost":
      let waiting = Task { await lease.whenLost() }
      let limit = command["timeout"].duration ?? .zero
      let clock = Task {
        try await Task.sleep(for: limit)
        waiting.cancel()
      }
      let loss = await waiting.value
      clock.cancel()
      return [JSON.Member("lost", .bool(loss != nil)), reason(lease)]
    case "renew": try await lease.renew()
    case "release": return [JSON.Member("held", .bool(await lease.release()))]
    default: throw Unsupported()
    }
    return []
  }

  private mutating func acquire(_ command: JSON) async throws -> Lease {
    let timeout = command["timeout"].double ?? 5
    let client = try clients[timeout] ?? LeaseholdClient(ServiceEndpoint.fromEnvironment(), timeout: .seconds(timeout))
    clients[timeout] = client
    let slots = command["slots"].int.map { Int($0) }
    let count = command["count"].int.map { Int($0) }
    var lock = Lock(
      command["key"].string ?? "", wait: command["wait"].duration, shared: command["shared"].bool ?? false,
      slots: slots, count: count, ttl: command["ttl"].duration, client: client)
    let several = command["keys"].elements.compactMap(\.string)
    if !several.isEmpty { lock.wants = several.map { Want($0) } }
    lock.maxHold = command["max_hold"].duration
    lock.keep = command["keep"].string.flatMap(Keep.init) ?? .auto
    let wanted = lock
    let acquiring = Task { try await wanted.acquire() }
    guard let patience = command["cancel_after"].duration else { return try await acquiring.value }
    let clock = Task {
      try await Task.sleep(for: patience)
      acquiring.cancel()
    }
    defer { clock.cancel() }
    return try await acquiring.value
  }

  private func reason(_ lease: Lease) -> JSON.Member {
    JSON.Member("reason", lease.loss.map { .string($0.reason) } ?? .null)
  }

  private func seconds(_ time: Duration?) -> JSON { time.map { .number("\($0 / .seconds(1))") } ?? .null }

  private static func members(of error: any Error) -> [JSON.Member] {
    let known = error as? ClientError
    let kind = error is Unsupported ? "unsupported" : known?.kind.rawValue ?? "other"
    let members = [
      JSON.Member("ok", .bool(false)), JSON.Member("error", .string(kind)),
      JSON.Member("code", known.map { .string($0.code) } ?? .null), JSON.Member("message", .string("\(error)")),
    ]
    guard case .leaseLost(let loss)? = known else { return members }
    return members + [JSON.Member("reason", .string(loss.reason))]
  }
}

extension JSON {
  fileprivate var double: Double? { if case .number(let digits) = self { Double(digits) } else { nil } }

  fileprivate var duration: Duration? { double.map { .seconds($0) } }
}
