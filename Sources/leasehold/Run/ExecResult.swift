internal import CSupervise
internal import Glibc
internal import LeaseholdClient

/// A list of C strings for exec, which ends with a null; kept until the process ends.
typealias CStringList = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

extension CStringList {
  /// Makes a list of words, which are kept too.
  static func of(_ words: [UnsafeMutablePointer<CChar>?]) -> CStringList {
    let list = CStringList.allocate(capacity: words.count + 1)
    list.initialize(from: words + [nil], count: words.count + 1)
    return list
  }
}

/// The command, byte for byte as it was given: its arguments need not be UTF-8.
struct CommandWords: @unchecked Sendable {
  // Nobody writes to it.
  let pointer: CStringList

  /// The command at a place of this process's own arguments; `nil` when there is none.
  init?(at place: CommandPlace) {
    guard place.index > 0, place.index < CommandLine.argc else { return nil }
    let words = CommandLine.unsafeArgv + place.index
    let script = place.offset.map { offset in [strdup("sh"), strdup("-c"), words.pointee.map { $0 + offset }] }
    pointer = script.map(CStringList.of) ?? words
  }

  /// The program, for messages.
  var program: String { pointer.pointee.map { String(cString: $0) } ?? "" }
}

extension Environment {
  /// The one variable of ours that is a secret.
  static let token = "LEASEHOLD_TOKEN"

  /// This process's environment, byte for byte, but for variables that get other values, and for the token.
  ///
  /// - Parameter keepingToken: True when the command may ask in our name.
  static func with(_ own: [(name: String, value: String)], keepingToken: Bool) -> CStringList {
    var entries: [UnsafeMutablePointer<CChar>?] = []
    var next = environ
    while let entry = next.pointee {
      let isReplaced = (own.map(\.name) + (keepingToken ? [] : [token])).contains { name in
        strncmp(entry, name, name.utf8.count) == 0 && entry[name.utf8.count] == CChar(UInt8(ascii: "="))
      }
      if !isReplaced { entries.append(entry) }
      next += 1
    }
    return .of(entries + own.map { strdup("\($0.name)=\($0.value)") })
  }

  /// The variables that name a service.
  static func naming(_ endpoint: ServiceEndpoint) -> [(name: String, value: String)] {
    var variables = [(name: "LEASEHOLD_URL", value: "\(endpoint.address)")]
    if let file = endpoint.authorities {
      // The program that gets it may be in another folder by then.
      let path = realpath(file, nil)
      defer { free(path) }
      variables.append((name: "LEASEHOLD_CACERT", value: path.map { String(cString: $0) } ?? file))
    }
    return variables
  }
}

/// The status and the words of a shell for a program that cannot be started.
enum ExecResult {
  /// 127 where there is no such program, 126 where it cannot be run.
  static func failure(_ program: String, code: Int32) -> Failure {
    Failure(message: "\(program): \(String(cString: strerror(code)))", status: code == ENOENT ? 127 : 126)
  }

  /// The status of a shell for a wait status: the command's own, or 128 + n.
  static func status(ofWait status: Int32) -> Int32 {
    let signal = status & 0x7f
    return signal == 0 ? (status >> 8) & 0xff : 128 + signal
  }

  /// The signal that a process was stopped by, out of its wait status; `nil` when it was not stopped.
  static func stopSignal(ofWait status: Int32) -> Int32? {
    status & 0xff == 0x7f ? (status >> 8) & 0xff : nil
  }
}
