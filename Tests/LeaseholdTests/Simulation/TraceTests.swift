import Glibc
import LeaseholdTestKit
import Testing

@testable import Leasehold

/// The stores and semops of fixed stories, one line for each part of a story, as they were when they were written down.
///
/// Whoever changes the order of crash safety, or any of its steps, changes this file with it: with
/// `LEASEHOLD_WRITE_TRACES=1` the test writes it anew. What differs is then seen in the diff.
@Suite struct TraceTests {
  private static let path = #filePath.dropLast("TraceTests.swift".count) + "StoresAndSemops.txt"

  private static let variable = "LEASEHOLD_WRITE_TRACES"

  private static let natives = NativeCrashTests.stories.map { story in
    CrashScript(
      description: story.description,
      before: { scene in if let made = story.made { _ = scene.kernel.makeForeignSet(key: story.key, made) } },
      steps: story.steps)
  }

  @Test func storiesStoreAndOperateAsWrittenDown() throws {
    let isWriting = getenv(Self.variable) != nil
    let known = Self.sections(of: Self.read())
    var text = ""
    var told = 0
    for script in CrashScript.all + Self.natives + CrashScript.traced {
      guard isWriting || known[script.description] != nil else { continue }
      let lines = Self.trace(script) + [Self.recoveries(script)]
      told += 1
      if isWriting {
        text += "# \(script.description)\n" + lines.map { "\($0)\n" }.joined() + "\n"
      } else {
        let expected = known[script.description] ?? []
        for (number, line) in lines.enumerated() where !expected.indices.contains(number) || line != expected[number] {
          Issue.record("'\(script)', part \(number + 1) is now (\(Self.variable)=1 writes it down): \(line)")
        }
        #expect(lines.count == expected.count, "'\(script)'")
      }
    }
    if isWriting { return Self.write(text) }
    #expect(told == known.count && told > 25, "\(told) of \(known.count) stories are told")
  }

  /// One line for each part of a story that nothing interrupts, and for a restart after it.
  private static func trace(_ script: CrashScript) -> [String] {
    let scene = Scene(script.limits, records: script.records)
    script.before(scene)
    var line: [String] = []
    scene.daemon.crash.witness = { line.append($0) }
    var lines: [String] = []
    for part in script.steps {
      part(scene)
      lines.append(line.joined(separator: "; "))
      line = []
    }
    scene.restart()
    return lines + ["restart: " + line.joined(separator: "; ")]
  }

  /// What recoveries do after a crash at each step of a story, and the ends of all that they found, in one number.
  ///
  /// Of sets, one is as good as the other to begin with: so where there are several, the order does not count.
  private static func recoveries(_ script: CrashScript) -> String {
    var (count, digest, step) = (0, UInt64(0), 0)
    while true {
      let scene = Scene(script.limits, records: script.records)
      script.before(scene)
      scene.daemon.crash.crash(afterStep: step)
      for part in script.steps where !scene.daemon.crash.hasCrashed { part(scene) }
      guard scene.daemon.crash.hasCrashed else { break }
      scene.daemon.crash.witness = { effect in
        count += 1
        var hash = script.stride == 1 ? digest : 14_695_981_039_346_656_037
        for byte in effect.utf8 { hash = (hash ^ UInt64(byte)) &* 1_099_511_628_211 }
        digest = script.stride == 1 ? hash : digest &+ hash
      }
      scene.restart()
      scene.pass(.seconds(3600))
      scene.pass(.seconds(3600))
      step += 1
    }
    return "recoveries: \(count) steps after \(step) crashes, \(String(digest, radix: 16))"
  }

  // MARK: The file

  private static func read() -> String {
    guard let file = fopen(String(path), "r") else { return "" }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    while case let byte = getc(file), byte != EOF { bytes.append(UInt8(byte)) }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func write(_ text: String) {
    guard let file = fopen(String(path), "w") else { return }
    #expect(fputs(text, file) >= 0 && fclose(file) == 0)
  }

  private static func sections(of text: String) -> [String: [String]] {
    var sections: [String: [String]] = [:]
    for section in text.split(separator: "# ").filter({ !$0.isEmpty }) {
      let lines = section.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
      sections[lines[0]] = Array(lines.dropFirst().dropLast(2))
    }
    return sections
  }
}
