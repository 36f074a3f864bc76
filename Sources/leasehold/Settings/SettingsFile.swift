internal import Glibc
internal import JSONText
internal import LeaseholdHost

/// The file of settings: one JSON object, with comments; its names are those of the flags.
struct SettingsFile: Sendable, Equatable {
  struct Entry: Sendable, Equatable {
    let text: String
    let place: TextPlace
  }

  /// Read when it exists and no other file is named.
  static let systemPath = "/etc/leasehold/leasehold.json"

  /// The largest file that is read.
  static let bytesMax = 1 << 20

  let path: String
  let entries: [String: Entry]

  /// Reads the content of a file.
  ///
  /// - Throws: An error that names the place when the text is not JSON, the name when it is unknown.
  init(path: String, content: [UInt8]) throws(Failure) {
    let place = { (offset: Int) in TextPlace(of: offset, in: content) }
    let document: JSON
    do {
      document = try JSON(parsing: content, depthMax: 16, refusesTwins: true, dialect: .commented)
    } catch {
      throw Failure("\(path), \(place(error.offset)): \(error.what)", .configuration)
    }
    guard case .object(let members) = document else {
      throw Failure("\(path): the file must hold one JSON object, not \(document.noun)", .configuration)
    }
    var entries: [String: Entry] = [:]
    for member in members {
      let place = place(member.offset)
      guard Setting.named[member.name] != nil else {
        throw Failure("\(path), \(place): \(SettingsFile.unknown(member.name))", .configuration)
      }
      guard let text = SettingsFile.text(of: member.value) else {
        throw Failure("\(path), \(place): '\(member.name)' cannot be \(member.value.noun)", .configuration)
      }
      entries[member.name] = Entry(text: text, place: place)
    }
    self.path = path
    self.entries = entries
  }

  /// Reads a file from the disk; `nil` when there is none.
  static func read(path: String) throws(Failure) -> SettingsFile? {
    let (content, failure) = HostFile.read(path, bytesMax: bytesMax)
    if failure == ENOENT || failure == ENOTDIR { return nil }
    guard failure == 0 else {
      throw Failure("\(path) cannot be read: \(errorText(failure))", failure == EACCES ? .noPermission : .configuration)
    }
    guard content.count <= bytesMax else {
      throw Failure("\(path): the file is larger than \(SizeText.text(bytesMax))", .configuration)
    }
    return try SettingsFile(path: path, content: content)
  }

  private static func unknown(_ name: String) -> String {
    let known = Setting.all.filter { !$0.isHidden }.map(\.name)
    let hint = nearestName(to: name, among: known).map { "; did you mean '\($0)'?" } ?? ""
    return "'\(name)' is not a setting" + hint
  }

  /// The value as a flag would have it; `nil` for what no flag can say.
  private static func text(of value: JSON) -> String? {
    switch value {
    case .string(let text): return text
    case .number(let digits): return digits
    case .bool(let isOn): return isOn ? "true" : "false"
    case .array(let elements):
      let texts = elements.compactMap(\.string)
      return texts.count == elements.count ? texts.joined(separator: ",") : nil
    case .null, .object: return nil
    }
  }
}

/// Where a byte of a text stands, from 1.
struct TextPlace: Sendable, Hashable, CustomStringConvertible {
  let line: Int
  /// In bytes.
  let column: Int

  var description: String { "line \(line), column \(column)" }
}

extension TextPlace {
  fileprivate init(of offset: Int, in text: [UInt8]) {
    let before = text[..<offset]
    line = before.count { $0 == UInt8(ascii: "\n") } + 1
    column = offset - (before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0) + 1
  }
}

extension JSON {
  /// The noun for it in an error.
  fileprivate var noun: String {
    switch self {
    case .null: "null"
    case .bool: "a truth value"
    case .number: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }
}

/// The C library's words for an errno; thread safe since glibc 2.32.
func errorText(_ code: Int32) -> String {
  String(cString: strerror(code))
}
