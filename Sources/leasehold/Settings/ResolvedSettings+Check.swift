internal import Glibc

extension ResolvedSettings {
  /// Checks what one setting alone cannot tell.
  func check() throws(SettingsError) {
    try checkOrder(.ttlMin, .ttlDefault)
    try checkOrder(.ttlDefault, .ttlMax)
    try checkAccess()
  }

  /// Nobody shall be served by accident who is not on this host, nor a token be readable on the way.
  private func checkAccess() throws(SettingsError) {
    let (certificate, key) = (path(.tlsCert), path(.tlsKey))
    guard (certificate == nil) == (key == nil) else {
      let (given, missing) = certificate == nil ? (Setting.tlsKey, Setting.tlsCert) : (.tlsCert, .tlsKey)
      throw SettingsError(given, from: self[given].source, "\(missing.flag) is missing: TLS needs both")
    }
    if toggle(.unixNeedsToken), path(.tokenFile) == nil {
      throw SettingsError(
        .unixNeedsToken, from: self[.unixNeedsToken].source, "there are no tokens without --token-file")
    }
    if ResolvedSettings.isNoHost(text(.host)) {
      guard path(.unix) != nil else {
        throw SettingsError(.host, from: self[.host].source, "'none' leaves nothing to listen on: give --unix")
      }
      return
    }
    guard !ResolvedSettings.isLoopback(text(.host)) else { return }
    guard path(.tokenFile) != nil else {
      throw SettingsError(
        .host, from: self[.host].source,
        "'\(text(.host))' is not a loopback address: others than this host can reach it, so it needs tokens "
          + "(--token-file); or bind to 127.0.0.1, or use --unix")
    }
    guard certificate != nil || toggle(.insecurePlainHTTP) else {
      throw SettingsError(
        .host, from: self[.host].source,
        "'\(text(.host))' is not a loopback address, and without TLS everybody on the way can read the tokens: give "
          + "--tls-cert and --tls-key, or say --insecure-plain-http")
    }
  }

  private func checkOrder(_ low: Setting, _ high: Setting) throws(SettingsError) {
    let (lower, upper) = (self[low], self[high])
    guard duration(low) > duration(high) else { return }
    let status: ExitStatus = [lower.source, upper.source].contains(.flag) ? .usage : .configuration
    throw SettingsError(
      "\(low.flag)\(lower.source.parenthesis(low)): \(lower.text) is more than "
        + "\(high.flag)\(upper.source.parenthesis(high)), \(upper.text)",
      status: status)
  }

  /// Whether the text says that there is to be no TCP listener.
  static func isNoHost(_ host: String) -> Bool { host == "none" }

  /// Whether nobody outside this host can reach the address.
  static func isLoopback(_ host: String) -> Bool {
    if host == "localhost" { return true }
    var four = in_addr()
    if inet_pton(AF_INET, host, &four) == 1 { return UInt32(bigEndian: four.s_addr) >> 24 == 127 }
    var six = in6_addr()
    guard inet_pton(AF_INET6, host, &six) == 1 else { return false }
    return withUnsafeBytes(of: six) { bytes in bytes.last == 1 && bytes.dropLast().allSatisfy { $0 == 0 } }
  }
}
