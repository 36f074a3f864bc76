internal import Glibc
public import HTTPExchange
internal import LeaseholdHost

/// One HTTP/1.1 connection to the service, for one thread at a time; each call blocks.
///
/// Programs with tasks are better off with ``LeaseholdClient``.
public final class LeaseholdConnection: Sendable {
  /// Where the service is.
  public let endpoint: ServiceEndpoint
  private let connection: HTTPConnection

  /// Makes a connection; it connects with its first request.
  public init(_ endpoint: ServiceEndpoint) {
    self.endpoint = endpoint
    connection = HTTPConnection(endpoint.peer)
  }

  /// Makes the request that is under way fail, and every later one; may be called by any thread.
  public func abort() { connection.abort() }

  /// The port of this side, while connected over TCP.
  public var localPort: UInt16? { connection.localPort }

  /// Sends a request and waits for the whole answer, whatever its status.
  ///
  /// Where the connection was used before and turns out to be closed, the request is sent once more on a new one. All
  /// of that takes ``Request/timeout`` at most.
  ///
  /// - Throws: ``ClientError`` where no answer came; an answer of any status is none.
  public func send(_ request: Request) throws(ClientError) -> Response {
    let deadline = HostClock.monotonic(after: request.timeout)
    let bytes = request.bytes(to: endpoint)
    if connection.isKept {
      do throws(HTTPFailure) {
        return try connection.exchange(bytes, before: deadline)
      } catch .system {
        // The service may have closed it in the same moment.
      } catch {
        throw endpoint.error(error)
      }
    }
    do throws(HTTPFailure) {
      return try connection.exchange(bytes, before: deadline)
    } catch {
      throw firstError(error, before: deadline)
    }
  }

  /// Sends a request whose answer has no end, and gives each line to `body` until that returns false.
  ///
  /// - Parameter silence: How long nothing may come before the service counts as gone.
  /// - Returns: The answer without lines when its status is not 2xx.
  /// - Throws: ``ClientError`` where no answer came or it broke off, and what `body` throws.
  public func stream(
    _ request: Request, silence: Duration, line body: (String) throws(ClientError) -> Bool
  ) throws(ClientError) -> Response {
    let reader: ResponseReader
    let deadline = HostClock.monotonic(after: request.timeout)
    connection.close()
    defer { connection.close() }
    do throws(HTTPFailure) {
      reader = try connection.begin(request.bytes(to: endpoint, closing: true), before: deadline)
      guard (200..<300).contains(reader.status) else {
        return Response(status: reader.status, body: try reader.readBody(deadline: deadline))
      }
    } catch {
      throw firstError(error, before: deadline)
    }
    while true {
      let line: [UInt8]?
      do throws(HTTPFailure) {
        line = try reader.readLine(deadline: HostClock.monotonic(after: silence))
      } catch {
        throw endpoint.error(error)
      }
      guard let line, try body(String(decoding: line, as: UTF8.self)) else { break }
    }
    return Response(status: reader.status, body: [])
  }

  /// The error for a failure of a connection's first request.
  private func firstError(_ failure: HTTPFailure, before deadline: Int64) -> ClientError {
    guard let probe = endpoint.probe(after: failure) else { return endpoint.error(failure) }
    return endpoint.error(failure, Result { () throws(HTTPFailure) in try probe.open(before: deadline) })
  }
}

extension ServiceEndpoint {
  /// The error for a failure.
  func error(_ failure: HTTPFailure) -> ClientError {
    switch failure {
    case .aborted: .canceled
    case .timedOut: .timedOut(address)
    case .unknownHost(let why): .unreachable(address, reason: "the name cannot be resolved: \(why)")
    case .tls(let trouble): .insecure(address, reason: trouble.text)
    case .system(EPROTO): .malformed("an answer that is not HTTP")
    case .system(let code): .unreachable(address, reason: address.reason(of: code))
    }
  }

  /// A connection with TLS to the same port, where plain HTTP failed as it does when TLS is spoken there: such a
  /// service just hangs up.
  func probe(after failure: HTTPFailure) -> HTTPConnection? {
    guard case .tcp(let host, let port) = address else { return nil }
    guard failure == .system(ECONNRESET) || failure == .system(EPROTO) else { return nil }
    var secure = peer
    (secure.address, secure.patience) = (.tls(host: host, port: port), .seconds(1))
    return HTTPConnection(secure)
  }

  /// The error for a failure, after a try to speak TLS.
  func error(_ failure: HTTPFailure, _ probe: Result<Void, HTTPFailure>) -> ClientError {
    switch probe {
    case .failure(.tls(let trouble)) where !trouble.isForeign: break
    case .failure: return error(failure)
    case .success: break
    }
    return .insecure(address, reason: "what listens there speaks TLS: give an address with https://")
  }
}
