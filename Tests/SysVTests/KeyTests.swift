import SysV
import SystemPackage
import Testing

@Suite("A key")
struct KeyTests {
  static let readable: [(String, Int32)] = [
    ("0", 0), ("1", 1), ("-1", -1), ("2147483647", .max), ("-2147483648", .min), ("2147483648", .min),
    ("4294967295", -1), ("0x0", 0), ("0xffffffff", -1), ("0XFFFFFFFF", -1), ("0x0001e240", 123456),
    ("0x80000000", .min), ("007", 7),
  ]

  @Test(arguments: readable)
  func isReadAsPeopleAndToolsWriteIt(text: String, number: Int32) {
    #expect(IPCKey(parsing: text)?.rawValue == number)
  }

  @Test(arguments: [
    "", " ", "1 ", " 1", "+1", "--1", "-", "1.0", "1e3", "4294967296", "-2147483649", "0x", "0x100000000", "0x+1",
    "0x-1", "0xg", "-0x1", "x1", "99999999999999999999", "١", "1\0", "1_000",
  ])
  func isNotReadFromAnythingElse(text: String) {
    #expect(IPCKey(parsing: text) == nil)
  }

  @Test(
    arguments: [
      (0, "0x00000000"), (123456, "0x0001e240"), (-1, "0xffffffff"), (Int32.min, "0x80000000"),
    ] as [(Int32, String)])
  func isWrittenAsIpcsWritesItAndReadBack(number: Int32, text: String) {
    let key = IPCKey(rawValue: number)
    #expect(key.hexadecimal == text)
    #expect("\(key)" == text)
    #expect(IPCKey(parsing: text) == key)
  }

  @Test(arguments: ["/etc/passwd", "/", "/usr/bin/perl"], [1, 65, 200, 255] as [UInt8])
  func ofAFileIsThatOfOtherPrograms(path: String, project: UInt8) throws {
    let perl = shell("perl -MIPC::SysV=ftok -e 'print ftok(q(\(path)), \(project))'")
    try #require(perl.status == 0)
    let key = try IPCKey.fileToken(path: FilePath(path), project: project)
    #expect(IPCKey(parsing: perl.output) == key)
  }

  @Test func ofAFileThatIsNotThereSaysSo() throws {
    #expect(throws: Errno.noSuchFileOrDirectory) { try IPCKey.fileToken(path: "/nowhere/at/all", project: 1) }
    #expect(throws: Errno.notDirectory) { try IPCKey.fileToken(path: "/etc/passwd/x", project: 1) }
  }
}

@Suite("An error number")
struct ErrnoTests {
  @Test(
    arguments: [
      (.resourceTemporarilyUnavailable, "EAGAIN"), (.identifierRemoved, "EIDRM"), (.fileTooLarge, "EFBIG"),
      (.argListTooLong, "E2BIG"), (.outOfRange, "ERANGE"), (.permissionDenied, "EACCES"), (.interrupted, "EINTR"),
    ] as [(Errno, String)])
  func hasItsNameInC(error: Errno, name: String) {
    #expect(error.name == name)
  }

  @Test func thatLibcDoesNotKnowHasNoName() {
    #expect(Errno(rawValue: 4095).name == nil)
  }
}
