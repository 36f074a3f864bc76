import Glibc
import Leasehold
import Logging

@testable import LeaseholdHTTP

/// A server on a free port over a fake service; stopped when it goes.
final class ServerScene {
  let service: FakeService
  let store = FakeStore()
  let server: Server

  init(
    _ plan: FakeService.Plan = .wait, _ change: (inout ServerOptions) -> Void = { _ in },
    engine adjust: (inout Engine) -> Void = { _ in }
  ) throws {
    service = FakeService(plan)
    var options = ServerOptions()
    options.port = 0
    options.heartbeat = .seconds(60)
    change(&options)
    var log = Logger(label: "test")
    log.logLevel = .critical
    var engine = service.engine(store)
    adjust(&engine)
    server = try Server(engine, options: options, log: log)
    try server.start()
  }

  deinit {
    server.stop()
    service.forget()
  }

  var port: UInt16 { server.port ?? 0 }

  func client() -> RawClient { RawClient(port: port) }

  /// One answer on a connection of its own.
  func answer(_ method: String, _ target: String, _ headers: String..., body: String = "") -> RawClient.Answer {
    let lines = (["\(method) \(target) HTTP/1.1", "Content-Length: \(body.utf8.count)"] + headers).map { $0 + "\r\n" }
    let host = headers.contains { $0.hasPrefix("Host:") } ? "" : "Host: localhost\r\n"
    return client().send(lines.joined() + host + "\r\n" + body).answer(head: method == "HEAD") ?? RawClient.Answer()
  }

  /// The client of the acquire that waits; waits for it.
  func waiter() throws -> WaitingAcquire {
    guard eventually({ !service.heard.clients.isEmpty && server.activeExchanges > 0 }),
      let waiter = service.heard.clients.last as? WaitingAcquire
    else { throw NeverHappened() }
    return waiter
  }

  /// The lease that the last request would get.
  var lease: LeaseSnapshot {
    get throws {
      guard let request = service.heard.requests.last else { throw NeverHappened() }
      return .sample(request)
    }
  }
}

struct NeverHappened: Error {}

/// Calls the body with the bytes of a text.
func withBytes<Result>(_ text: String, _ body: (UnsafeBufferPointer<UInt8>) throws -> Result) rethrows -> Result {
  try Array(text.utf8).withUnsafeBufferPointer(body)
}

/// What is written into a buffer.
func written(_ write: (inout ResponseBuffer) -> Void) -> String {
  var buffer = ResponseBuffer()
  write(&buffer)
  return buffer.withBytes { String(decoding: $0, as: UTF8.self) }
}
