internal import Glibc
internal import LeaseholdHost

extension SettingsFile {
  /// Read when it exists and no other file is named.
  static let systemPath = "/etc/leasehold/leasehold.json"

  /// The largest file that is read.
  static let bytesMax = 1 << 20

  /// Reads a file from the disk; `nil` when there is none.
  static func read(path: String) throws(Failure) -> SettingsFile? {
    let (content, failure) = HostFile.read(path, bytesMax: bytesMax)
    if failure == ENOENT || failure == ENOTDIR { return nil }
    guard failure == 0 else { throw unreadable(path, failure) }
    guard content.count <= bytesMax else {
      throw Failure("\(path): the file is larger than \(SizeText.text(bytesMax))", .configuration)
    }
    return try SettingsFile(path: path, content: content)
  }

  private static func unreadable(_ path: String, _ code: Int32) -> Failure {
    let status: ExitStatus = code == EACCES ? .noPermission : .configuration
    return Failure("\(path) cannot be read: \(errorText(code))", status)
  }
}

/// The C library's words for an errno; thread safe since glibc 2.32.
func errorText(_ code: Int32) -> String {
  String(cString: strerror(code))
}
