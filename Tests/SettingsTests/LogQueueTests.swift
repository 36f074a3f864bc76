import Glibc
import Leasehold
import Testing

@testable import leasehold

@Suite struct LogQueueTests {
  /// A pipe that takes no byte more, and what it is full of.
  private struct FullPipe {
    let reader: Int32
    let writer: Int32
    let filled: Int

    init() throws {
      var ends: [Int32] = [0, 0]
      try #require(pipe(&ends) == 0)
      (reader, writer) = (ends[0], ends[1])
      let flags = fcntl(writer, F_GETFL)
      _ = fcntl(writer, F_SETFL, flags | O_NONBLOCK)
      var count = 0
      while write(writer, "x", 1) == 1 { count += 1 }
      filled = count
      _ = fcntl(writer, F_SETFL, flags)
    }

    /// Reads what it was full of, and the lines behind it up to the last one that is wanted.
    func lines(through last: String) -> [String] {
      var content: [UInt8] = []
      var chunk = [UInt8](repeating: 0, count: 65536)
      while !String(decoding: content.dropFirst(filled), as: UTF8.self).hasSuffix(last + "\n") {
        let count = read(reader, &chunk, chunk.count)
        if count <= 0 { break }
        content += chunk[..<count]
      }
      return String(decoding: content.dropFirst(filled), as: UTF8.self).split(separator: "\n").map(String.init)
    }

    func close() {
      Glibc.close(reader)
      Glibc.close(writer)
    }
  }

  private func queue(_ descriptor: Int32, lines: Int = 10, bytes: Int = 1000) throws -> LogQueue {
    // As the daemon does it.
    signal(SIGPIPE, SIG_IGN)
    return try #require(
      LogQueue(descriptor: descriptor, room: LogQueue.Room(lines: lines, bytes: bytes)) { "gap of \($0)\n" })
  }

  @Test func nobodyWaitsForAReaderAndTheLogTellsInItsPlaceHowManyLinesItLacks() throws {
    let pipe = try FullPipe()
    defer { pipe.close() }
    let queue = try queue(pipe.writer)
    queue.append("first\n")
    // From here on the thread waits in the write, and nothing is taken from the queue any more.
    while queue.isWaiting { usleep(100) }
    for number in 0..<25 { queue.append("line \(number)\n") }
    #expect(queue.droppedLines == 15)
    #expect(!queue.flush(within: .milliseconds(1)))
    let kept = ["first"] + (0..<10).map { "line \($0)" }
    #expect(pipe.lines(through: "gap of 15") == kept + ["gap of 15"])
    queue.append("last\n")
    #expect(queue.flush(within: .seconds(60)) && queue.droppedLines == 15)
  }

  @Test func bytesAreBoundedToo() throws {
    let pipe = try FullPipe()
    defer { pipe.close() }
    let queue = try queue(pipe.writer, lines: 1000, bytes: 100)
    queue.append("first\n")
    while queue.isWaiting { usleep(100) }
    for _ in 0..<3 { queue.append(String(repeating: "x", count: 39) + "\n") }
    queue.append(String(repeating: "y", count: 4000) + "\n")
    #expect(queue.droppedLines == 2)
    queue.append("small\n")
    #expect(pipe.lines(through: "small").suffix(2) == ["gap of 2", "small"])
  }

  @Test func aFullDiskCostsLinesAndNothingElse() throws {
    let disk = open("/dev/full", O_WRONLY)
    defer { close(disk) }
    let queue = try queue(disk)
    for _ in 0..<5 {
      queue.append("line\n")
      #expect(queue.flush(within: .seconds(60)))
    }
    #expect(queue.droppedLines == 5)
  }

  @Test func aReaderThatIsGoneCostsLinesAndNothingElse() throws {
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    defer { close(ends[1]) }
    let queue = try queue(ends[1])
    close(ends[0])
    queue.append("line\n")
    #expect(queue.flush(within: .seconds(60)) && queue.droppedLines == 1)
  }

  @Test func aDescriptorThatSomebodyMadeNonBlockingIsWaitedForAllTheSame() throws {
    let pipe = try FullPipe()
    defer { pipe.close() }
    _ = fcntl(pipe.writer, F_SETFL, fcntl(pipe.writer, F_GETFL) | O_NONBLOCK)
    let queue = try queue(pipe.writer, lines: 10_000, bytes: 1 << 20)
    for number in 0..<5000 { queue.append("line \(number)\n") }
    #expect(pipe.lines(through: "line 4999") == (0..<5000).map { "line \($0)" })
    #expect(queue.droppedLines == 0)
  }

  @Test func aLineThatWasCutOffDoesNotRunIntoTheNextOne() throws {
    try withFile("") { path in
      let file = open(path, O_WRONLY)
      defer { close(file) }
      var writer = LineWriter(descriptor: file)
      // What a file may grow to is the process's, so a child would be needed to show it; a torn line is all there is.
      writer.isTorn = true
      #expect(writer.write("next\n") && writer.write("one more\n"))
      let text = try String(decoding: contents(of: path), as: UTF8.self)
      #expect(text == "\nnext\none more\n")
    }
  }

  private func contents(of path: String) throws -> [UInt8] {
    let file = open(path, O_RDONLY)
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = read(file, &bytes, bytes.count)
    try #require(count >= 0)
    return Array(bytes[..<count])
  }
}
