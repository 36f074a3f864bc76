#if DEBUG
  public import Leasehold

  /// The delays and faults that an engine is given.
  public struct Delays: Sendable {
    /// The time that each call takes, and the answer to each acquire.
    public var span = TimeSpan.zero
    /// The number, of a hundred calls, that fail and do nothing.
    public var failing: UInt64 = 0
    /// The number, of a hundred calls that change something, that are done without an answer.
    public var forgetting: UInt64 = 0
    /// Decides which.
    public var seed: UInt64 = 1

    /// Reads `ms=200,fail=3,forget=3,seed=7`, each optional; `nil` for anything else.
    public init?(_ text: String) {
      for part in text.split(separator: ",") {
        let pair = part.split(separator: "=")
        guard pair.count == 2, let number = UInt64(pair[1]), number <= 1_000_000 else { return nil }
        switch pair[0] {
        case "ms": span = .milliseconds(Int64(number))
        case "fail": failing = number
        case "forget": forgetting = number
        case "seed": seed = number
        default: return nil
        }
      }
    }

    /// True when it changes nothing but that calls come from other threads.
    var isNone: Bool { span == .zero && failing == 0 && forgetting == 0 }

    enum Fate: Sendable { case done, fails, isForgotten }

    /// The fate of a call, by its number: the same for the same seed.
    func fate(of call: UInt64) -> Fate {
      var bits = (call &+ seed &<< 32) &* 0x9e37_79b9_7f4a_7c15
      bits = (bits ^ bits >> 29) &* 0xbf58_476d_1ce4_e5b9
      let chance = (bits >> 32) % 100
      return chance < failing ? .fails : chance < failing + forgetting ? .isForgotten : .done
    }
  }

  extension Engine {
    /// The same engine, slow and unreliable.
    public func delayed(by delays: Delays) -> Engine {
      var engine = self
      let slow = DelayedLockService(locks, life, delays)
      (engine.locks, engine.life) = (slow, slow)
      engine.traits.name += ", delayed"
      engine.traits.mayBlock = true
      return engine
    }
  }
#endif
