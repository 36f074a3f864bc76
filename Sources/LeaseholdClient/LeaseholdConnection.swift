internal import Glibc
internal import LeaseholdHost
import Synchronization

/// One HTTP/1.1 connection to the service, for one thread at a time; each call blocks.
///
/// Programs with tasks are better off with ``LeaseholdClient``, which uses these on threads of its own.
public final class LeaseholdConnection: Sendable {
  /// Where the service is.
  public let endpoint: ServiceEndpoint
  private let current = Mutex<Socket?>(nil)
  private let isAborted = Mutex(false)

  /// Makes a connection; it connects with its first request.
  public init(_ endpoint: ServiceEndpoint) { self.endpoint = endpoint }

  /// Makes the request that is under way fail, and every later one; may be called by any thread.
  public func abort() {
    isAborted.withLock { $0 = true }
    current.withLock { $0?.abort() }
  }

  /// The port of this side, while connected over TCP.
  public var localPort: UInt16? { current.withLock { $0 }?.localPort }

  /// Sends a request and waits for the whole answer, whatever its status.
  ///
  /// Where the connection was used before and turns out to be closed, the request is sent once more on a new one. All
  /// of that takes ``Request/timeout`` at most.
  public func send(_ request: Request) throws(ClientError) -> Response {
    let deadline = HostClock.monotonic(after: request.timeout)
    if let used = current.withLock({ $0 }) {
      if used.isIdle {
        do throws(Socket.Failure) {
          return try exchange(request, over: used, deadline: deadline)
        } catch .system {
          // The service may have closed it in the same moment.
        } catch {
          // An answer that comes late must not be taken for that of a later request.
          current.withLock { $0 = nil }
          throw clientError(error)
        }
      }
      current.withLock { $0 = nil }
    }
    do throws(Socket.Failure) {
      return try exchange(request, over: connect(before: deadline), deadline: deadline)
    } catch {
      current.withLock { $0 = nil }
      throw firstError(error, before: deadline)
    }
  }

  /// Sends a request whose answer has no end, and gives each line to `body` until that returns false.
  ///
  /// - Parameter silence: How long nothing may come before the service counts as gone.
  /// - Returns: The answer without lines when its status is not 2xx.
  public func stream(
    _ request: Request, silence: Duration, line body: (String) throws(ClientError) -> Bool
  ) throws(ClientError) -> Response {
    let reader: ResponseReader
    let deadline = HostClock.monotonic(after: request.timeout)
    do throws(Socket.Failure) {
      let socket = try connect(before: deadline)
      try socket.send(request.bytes(to: endpoint, closing: true), deadline: deadline)
      reader = ResponseReader(socket)
      try reader.readHead(deadline: deadline)
      guard (200..<300).contains(reader.status) else {
        return Response(status: reader.status, headers: reader.headers, body: try reader.readBody(deadline: deadline))
      }
    } catch {
      throw firstError(error, before: deadline)
    }
    defer { current.withLock { $0 = nil } }
    while true {
      let line: String?
      do throws(Socket.Failure) {
        line = try reader.readLine(deadline: HostClock.monotonic(after: silence))
      } catch {
        throw clientError(error)
      }
      guard let line, try body(line) else { break }
    }
    return Response(status: reader.status, headers: reader.headers, body: [])
  }

  private func connect(before deadline: Int64) throws(Socket.Failure) -> Socket {
    if isAborted.withLock({ $0 }) { throw .aborted }
    let socket = try Socket(endpoint, deadline: min(deadline, HostClock.monotonic(after: .seconds(5))))
    current.withLock { $0 = socket }
    if isAborted.withLock({ $0 }) { throw .aborted }
    return socket
  }

  /// What a failure of a connection's first request comes to.
  private func firstError(_ failure: Socket.Failure, before deadline: Int64) -> ClientError {
    guard speaksTLS(after: failure, before: deadline) else { return clientError(failure) }
    return .insecure(endpoint.address, reason: "what listens there speaks TLS: give an address with https://")
  }

  /// Whether plain HTTP failed because TLS is spoken there: such a service just hangs up.
  private func speaksTLS(after failure: Socket.Failure, before deadline: Int64) -> Bool {
    guard case .tcp(let host, let port) = endpoint.address else { return false }
    guard failure == .system(ECONNRESET) || failure == .system(EPROTO) else { return false }
    let secure = ServiceEndpoint(.tls(host: host, port: port))
    do throws(Socket.Failure) {
      _ = try Socket(secure, deadline: min(deadline, HostClock.monotonic(after: .seconds(1))))
      return true
    } catch .tls(let trouble) {
      return !trouble.isForeign
    } catch {
      return false
    }
  }

  private func exchange(
    _ request: Request, over socket: Socket, deadline: Int64
  ) throws(Socket.Failure) -> Response {
    try socket.send(request.bytes(to: endpoint), deadline: deadline)
    let reader = ResponseReader(socket)
    try reader.readHead(deadline: deadline)
    let body = try reader.readBody(deadline: deadline)
    if reader.isLast { current.withLock { $0 = nil } }
    return Response(status: reader.status, headers: reader.headers, body: body)
  }

  private func clientError(_ failure: Socket.Failure) -> ClientError {
    switch failure {
    case .aborted: .canceled
    case .timedOut: .timedOut(endpoint.address)
    case .unknownHost(let why): .unreachable(endpoint.address, reason: "the name cannot be resolved: \(why)")
    case .tls(let trouble): .insecure(endpoint.address, reason: trouble.text)
    case .system(EPROTO): .malformed("an answer that is not HTTP")
    case .system(let code): .unreachable(endpoint.address, reason: endpoint.address.reason(of: code))
    }
  }
}
