package import Leasehold

/// The ledger's records in memory, with the rules of shared memory: every store is whole or absent after a crash.
///
/// A body is written in two steps, as a crash may cut it in half; that must never matter.
package final class MemoryStorage: LedgerStorage {
  struct State {
    var commits: [CommitWord]
    var bodies: [CellBody]
    var headers = [UInt64](repeating: 0, count: HeaderWord.allCases.count)
  }

  var state: State
  private let crash: CrashSwitch
  private var reserved = 0
  package let capacity: Int
  /// The count from which on there is no memory; `nil` for no such limit.
  package var memoryLimit: Int?
  /// Rules that the ledger broke.
  package private(set) var violations: [String] = []

  package init(capacity: Int, crash: CrashSwitch) {
    self.capacity = capacity
    self.crash = crash
    state = State(
      commits: Array(repeating: .free, count: capacity), bodies: Array(repeating: CellBody(), count: capacity))
    crash.add { [unowned self] in
      let frozen = state
      return { [unowned self] in (state, reserved) = (frozen, 0) }
    }
  }

  package func reserve(_ count: Int) throws(KernelFailure) {
    if let memoryLimit, count > memoryLimit { throw KernelFailure(.noMemory) }
    reserved = max(reserved, count)
  }

  /// Writes a body, in two steps.
  package func write(_ body: CellBody, at cell: Int) {
    if state.commits[cell] != .free { violations.append("wrote the body of record \(cell), which is in use") }
    if cell >= reserved, cell >= Int(clamping: state.headers[HeaderWord.highWater.rawValue]) {
      violations.append("wrote record \(cell) without memory")
    }
    crash.step("write \(cell) \(String(body.digest, radix: 16))")
    for word in 0..<7 { state.bodies[cell].words[word] = body.words[word] }
    crash.step("&")
    for word in 7..<15 { state.bodies[cell].words[word] = body.words[word] }
  }

  package func store(_ value: UInt64, _ word: MutableWord, at cell: Int) {
    if state.commits[cell] == .free { violations.append("changed a word of record \(cell), which is free") }
    crash.step("store \(cell).\(word) \(Int64(bitPattern: value))")
    state.bodies[cell].words[word.rawValue] = value
  }

  package func commit(_ word: CommitWord, at cell: Int) {
    crash.step("mark \(cell) \(word.name)")
    state.commits[cell] = word
  }

  package func commitWord(at cell: Int) -> CommitWord { state.commits[cell] }

  package func lastUsed(in cells: Range<Int>) -> Int? { cells.last { state.commits[$0] != .free } }

  package func body(at cell: Int) -> CellBody { state.bodies[cell] }

  package func header(_ word: HeaderWord) -> Untrusted<UInt64> { Untrusted(state.headers[word.rawValue]) }

  package func setHeader(_ word: HeaderWord, _ value: UInt64) {
    crash.step("\(word) = \(value)")
    state.headers[word.rawValue] = value
  }

  /// Flips bits of a body, as another program that may write the segment could.
  package func scribble(_ mask: UInt64, word: Int, at cell: Int) { state.bodies[cell].words[word] ^= mask }

  /// Overwrites a commit word, as another program that may write the segment could.
  package func scribble(_ word: CommitWord, at cell: Int) { state.commits[cell] = word }

  /// Loses everything, as ipcrm -m and a restart do.
  package func erase() {
    state.commits = Array(repeating: .free, count: capacity)
    state.bodies = Array(repeating: CellBody(), count: capacity)
    state.headers = Array(repeating: 0, count: state.headers.count)
  }
}

extension CellBody {
  /// Tells bodies apart in a trace.
  fileprivate var digest: UInt32 {
    var hash: UInt64 = 0
    for index in 0..<15 { hash = (hash ^ words[index]) &* 0x9e37_79b9_7f4a_7c15; hash ^= hash >> 29 }
    return UInt32(truncatingIfNeeded: hash)
  }
}

extension CommitWord {
  /// The word in a trace: its state and kind, with the reason of an end.
  fileprivate var name: String {
    let (state, kind) = (Int(rawValue & 0xff), Int(rawValue >> 8 & 0xff))
    let states = ["free", "live", "preparing", "retiring", "cooling", "arming", "converting", "suspect"]
    let kinds = ["", " lease", " lock", " text"]
    let withReasons = ["ended", "disarming", "kept"]
    let word = state < 16 ? states[state] : withReasons[min(2, state / 16 - 1)] + "(\(state % 16))"
    return word + kinds[kind]
  }
}
