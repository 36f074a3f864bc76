public import JSONText

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

    /// The answer of `/version`; `api` is another number when clients have to change.
    public var json: JSON {
      .object([
        JSON.Member("name", .string("leasehold")),
        JSON.Member("version", .string(leasehold)),
        JSON.Member("commit", commit.map(JSON.string) ?? .null),
        JSON.Member("built", instant.map(JSON.string) ?? .null),
        JSON.Member("swift", .string(swift)),
        JSON.Member("libmicrohttpd", .string(libmicrohttpdVersion())),
        JSON.Member("api", .string("1")),
      ])
    }
  }
}
