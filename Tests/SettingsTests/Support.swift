import Glibc
import Testing

@testable import leasehold

/// Resolves settings from given sources; no file of the machine is read.
func resolve(
  flags: [String: String] = [:], environment: [String: String] = [:], file: String? = nil
) throws -> ResolvedSettings {
  var sources = SettingsSources(
    flags: flags, environment: environment, systemPath: "/nonexistent/leasehold.json")
  guard let file else { return try sources.resolve() }
  return try withFile(file) { path in
    sources.systemPath = path
    return try sources.resolve()
  }
}

/// The error that settings end in.
func settingsError(
  flags: [String: String] = [:], environment: [String: String] = [:], file: String? = nil
) throws -> Failure {
  try #require(throws: Failure.self) {
    _ = try ServeOptions(resolve(flags: flags, environment: environment, file: file))
  }
}

/// Runs the body with the path of a file that has this content.
func withFile<Value>(_ content: String, _ body: (String) throws -> Value) throws -> Value {
  var template = Array("/tmp/leasehold-settings-XXXXXX".utf8CString)
  let descriptor = mkstemp(&template)
  try #require(descriptor >= 0)
  let path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  defer { unlink(path) }
  let bytes = Array(content.utf8)
  try #require(write(descriptor, bytes, bytes.count) == bytes.count)
  close(descriptor)
  return try body(path)
}
