internal import Glibc
public import HTTPExchange

/// The service's address and the caller's token.
public struct ServiceEndpoint: Sendable, Equatable {
  /// Where it listens.
  public var address: ServiceAddress
  /// Sent as `Authorization: Bearer`.
  public var token: String?
  /// A file in PEM with the certificates that vouch for a service of https, in place of those that this system trusts.
  public var authorities: String?
  /// The header of that name of requests that have none of their own: the trace they are a part of (W3C Trace Context).
  public var traceparent: String?

  /// Names a service.
  public init(_ address: ServiceAddress = .standard, token: String? = nil) {
    self.address = address
    self.token = token
  }

  /// The service as connections know it.
  var peer: HTTPPeer {
    HTTPPeer(address, authorities: authorities, setting: "--cacert or LEASEHOLD_CACERT")
  }

  /// The endpoint that `LEASEHOLD_URL`, `LEASEHOLD_TOKEN` and `LEASEHOLD_CACERT` name; without an address, the service
  /// that ``ServiceAddress/found()`` finds.
  ///
  /// - Parameter url: In place of `LEASEHOLD_URL`.
  /// - Throws: ``ClientError/badAddress(_:)`` when the URL is none.
  public static func fromEnvironment(url: String? = nil) throws(ClientError) -> ServiceEndpoint {
    var endpoint = ServiceEndpoint(token: Environment.value("LEASEHOLD_TOKEN"))
    endpoint.authorities = Environment.value("LEASEHOLD_CACERT")
    if let url = url ?? Environment.value("LEASEHOLD_URL") {
      guard let address = ServiceAddress(url) else { throw .badAddress(url) }
      endpoint.address = address
    } else {
      endpoint.address = .found()
    }
    return endpoint
  }
}

/// The environment of this process.
package enum Environment {
  /// A variable's value; `nil` when it is not set or empty.
  package static func value(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
  }
}

extension ServiceAddress {
  /// Where a service listens that was told nothing else.
  public static let standard = ServiceAddress.tcp(host: "127.0.0.1", port: 31818)
}
