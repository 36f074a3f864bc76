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
    public var json: JSON { json(engine: nil) }

    /// The answer of `/version`.
    func json(_ engine: EngineTraits, _ cluster: ClusterStatus?) -> JSON {
      json(engine: [
        "name": .string(engine.name), "ttl_min_ms": .number(engine.ttlMin.milliseconds),
        "expiry_precision_ms": .number(engine.expiryPrecision.milliseconds),
        "lacks": .texts(engine.lacks.map(\.rawValue).sorted()), "versions": cluster.map { .texts($0.versions) },
      ])
    }

    private func json(engine: JSON?) -> JSON {
      [
        "name": .string("leasehold"), "version": .string(leasehold), "commit": commit.map(JSON.string) ?? .null,
        "built": instant.map(JSON.string) ?? .null, "swift": .string(swift),
        "libmicrohttpd": .string(libmicrohttpdVersion()), "api": .string("1"), "engine": engine,
      ]
    }
  }
}
