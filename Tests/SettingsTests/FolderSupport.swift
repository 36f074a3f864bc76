import FoundationEssentials
import Glibc
import Testing

/// Runs the body with the path of an empty folder, which is removed afterwards with all that is in it.
func withFolder(_ body: (String) throws -> Void) throws {
  var template = Array("/tmp/leasehold-folder-XXXXXX".utf8CString)
  try #require(mkdtemp(&template) != nil)
  let path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  defer { try? FileManager.default.removeItem(atPath: path) }
  try body(path)
}

/// Writes a file and makes the folders above it.
func write(_ text: String, to path: String) throws {
  let parts = path.split(separator: "/").dropLast()
  var folder = ""
  for part in parts {
    folder += "/" + part
    mkdir(folder, 0o755)
  }
  let file = try #require(fopen(path, "w"))
  fputs(text, file)
  fclose(file)
}
