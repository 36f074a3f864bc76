internal import CBuild
internal import LeaseholdHTTP

/// The build of this program.
enum Build {
  /// The version of the program.
  static let version = String(cString: leasehold_build_version())
  /// The whole name of the commit; `nil` where it was not known.
  static let commit = known(leasehold_build_commit())
  /// The instant of the build, RFC 3339: that of its commit, for two builds of the same sources to be the same.
  static let instant = known(leasehold_build_instant())

  private static func known(_ text: UnsafePointer<CChar>?) -> String? {
    guard let text, text.pointee != 0 else { return nil }
    return String(cString: text)
  }
}

extension ServerOptions.Versions {
  /// Those of this program.
  static let built = ServerOptions.Versions(
    leasehold: Build.version, commit: Build.commit, instant: Build.instant, swift: compilerVersion)
}

#if compiler(>=6.4)
  private let compilerVersion = "6.4 or later"
#elseif compiler(>=6.3)
  private let compilerVersion = "6.3"
#else
  private let compilerVersion = "6.2"
#endif
