import Glibc
import HostTestKit
import SysV
import SystemPackage
import Testing

@Suite("A process handle")
struct ProcessHandleTests {
  @Test func ofAProcessThatLivesSaysSoAndOfOneThatWasKilledToo() throws {
    let child = try ChildProcess(perl: "sleep 100 while 1")
    let handle = try ProcessHandle(processID: child.id)
    #expect(handle.processID == child.id)
    #expect(try !handle.hasEnded())
    #expect(try !handle.hasEnded(within: .milliseconds(1)))
    try handle.send(signal: SIGKILL)
    #expect(try handle.hasEnded(within: nil))
    #expect(try handle.hasEnded(within: .seconds(Int64.max)))
  }

  @Test func ofAProcessThatWasWaitedForCannotSend() throws {
    let child = try ChildProcess(perl: "exit")
    let handle = try ProcessHandle(processID: child.id)
    child.end()
    #expect(try handle.hasEnded())
    #expect(throws: Errno.noSuchProcess) { try handle.send(signal: 0) }
  }

  @Test(arguments: [(0, .invalidArgument), (-1, .invalidArgument), (Int32.max, .noSuchProcess)] as [(Int32, Errno)])
  func isNotMadeOfANumberThatIsNoProcess(number: Int32, error: Errno) {
    #expect(throws: error) { _ = try ProcessHandle(processID: number) }
  }

  @Test func closesItsDescriptorAtTheEndOfTheScope() async {
    // In a process of its own: elsewhere another test may get the same number at once.
    await #expect(processExitsWith: .exitCode(7)) {
      let descriptor: Int32
      do {
        let handle = try ProcessHandle(processID: getpid())
        descriptor = handle.fileDescriptor.rawValue
        #expect(isOpen(descriptor))
      }
      exit(isOpen(descriptor) ? 1 : 7)
    }
  }
}

private func isOpen(_ descriptor: Int32) -> Bool {
  let duplicate = dup(descriptor)
  if duplicate >= 0 { close(duplicate) }
  return duplicate >= 0
}
