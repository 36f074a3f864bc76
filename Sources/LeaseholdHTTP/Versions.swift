public import JSONText
import Leasehold

extension ServerOptions {
  /// The versions that `/version` tells.
  public struct Versions: Sendable {
    /// This service's version.
    public let leasehold: String
    /// The commit it was built from; `nil` where that is not known.
    public let commit: String?
    /// The instant of the build, RFC 3339; `nil` where that is not known.
    public let instant: String?
    /// The compiler's.
    public let swift: String

    /// Tells what was built, and with which compiler.
    public init(leasehold: String, commit: String? = nil, instant: String? = nil, swift: String) {
      self.leasehold = leasehold
      self.commit = commit
      self.instant = instant
      self.swift = swift
    }

    /// The program as it was built; `api` is another number when clients have to change.
    public var json: JSON { .object(members) }

    /// The answer of `/version`.
    func json(_ engine: EngineTraits, _ cluster: ClusterStatus?) -> JSON {
      .object(members + [JSON.Member("engine", Self.json(engine, cluster))])
    }

    private var members: [JSON.Member] {
      [
        JSON.Member("name", .string("leasehold")),
        JSON.Member("version", .string(leasehold)),
        JSON.Member("commit", commit.map(JSON.string) ?? .null),
        JSON.Member("built", instant.map(JSON.string) ?? .null),
        JSON.Member("swift", .string(swift)),
        JSON.Member("libmicrohttpd", .string(libmicrohttpdVersion())),
        JSON.Member("api", .string("1")),
      ]
    }

    private static func json(_ engine: EngineTraits, _ cluster: ClusterStatus?) -> JSON {
      let (shortest, late) = (engine.ttlMin.milliseconds, engine.expiryPrecision.milliseconds)
      var members = [
        JSON.Member("name", .string(engine.name)), JSON.Member("ttl_min_ms", JSON.number("\(shortest)")),
        JSON.Member("expiry_precision_ms", JSON.number("\(late)")),
        JSON.Member("lacks", .array(engine.lacks.map(\.rawValue).sorted().map(JSON.string))),
      ]
      if let cluster { members.append(JSON.Member("versions", .array(cluster.versions.map(JSON.string)))) }
      return .object(members)
    }
  }
}
