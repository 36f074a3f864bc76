import Glibc
import LeaseholdClient

/// A holder of clients/python/tests/faults.py: takes locks, and notes the last instant at which it says to have them.
struct Holder {
  private let dice: SplitMix
  private let ttl: Double
  private let keys: Int
  private let isRenewed: Bool
  private let stopFile: String

  /// Reads `SEED TTL KEYS RENEWED STOPFILE`.
  init?(_ words: [String]) {
    guard words.count == 5, let seed = UInt64(words[0]), let ttl = Double(words[1]), let keys = Int(words[2]) else {
      return nil
    }
    dice = SplitMix(state: seed)
    (self.ttl, self.keys, isRenewed, stopFile) = (ttl, keys, words[3] == "1", words[4])
  }

  /// Holds and lets go until the file is there; each lease is a line.
  func run() async {
    var dice = dice
    guard let endpoint = try? ServiceEndpoint.fromEnvironment() else { return }
    let client = LeaseholdClient(endpoint, timeout: .seconds(1))
    while access(stopFile, F_OK) != 0 {
      let key = Int.random(in: 0..<keys, using: &dice)
      var lock = Lock("faults \(key)", wait: .seconds(2), client: client)
      if isRenewed { lock.ttl = .seconds(ttl) } else { lock.keep = .process }
      guard let lease = try? await lock.acquire() else { continue }
      // It may be lost already, when this program was stopped meanwhile.
      let (got, until) = (monotonic(), monotonic() + Double.random(in: 0..<3 * ttl, using: &dice))
      var (last, isHeld) = (0.0, true)
      while isHeld, monotonic() < until {
        let now = monotonic()
        isHeld = lease.isHeld
        if isHeld { last = now }
        try? await Task.sleep(for: .milliseconds(1))
      }
      print(key, lease.fence, got, last, lease.loss?.reason ?? "-")
      fflush(nil)
      await lease.release()
    }
  }

  private func monotonic() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}

/// Numbers that a seed decides.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
