internal import Glibc

extension ResolvedSettings {
  /// Checks what one setting alone cannot tell.
  func check() throws(SettingsError) {
    try checkOrder(.ttlMin, .ttlDefault)
    try checkOrder(.ttlDefault, .ttlMax)
    guard ResolvedSettings.isLoopback(text(.host)) else {
      throw SettingsError(
        .host, from: self[.host].source,
        "'\(text(.host))' is not a loopback address: a non-loopback listener needs tokens, "
          + "which this version does not have; bind to 127.0.0.1 or use --unix")
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
