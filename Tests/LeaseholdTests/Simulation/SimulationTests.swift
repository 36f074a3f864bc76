import LeaseholdTestKit
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// A number from the environment.
private func environment(_ name: String) -> UInt64? { getenv(name).flatMap { UInt64(String(cString: $0)) } }

@Suite struct SimulationTests {
  /// `LEASEHOLD_SIM_SEED` chooses the first seed, `LEASEHOLD_SIM_RUNS` how many.
  @Test func randomTrafficWithCrashesBetweenAnyTwoStepsBreaksNoPromise() throws {
    let first = environment("LEASEHOLD_SIM_SEED") ?? 1
    let runs = environment("LEASEHOLD_SIM_RUNS") ?? 300
    var counted: [String: UInt64] = [:]
    for seed in first..<first + runs {
      let traffic = Traffic(seed: seed)
      do {
        try traffic.run(300)
      } catch {
        Issue.record("LEASEHOLD_SIM_SEED=\(seed) LEASEHOLD_SIM_RUNS=1 repeats this: \(error)")
        return
      }
      counted.merge(traffic.counted, uniquingKeysWith: +)
    }
    let rare = counted.filter { $0.value < runs / 30 }
    #expect(runs < 100 || rare.isEmpty, "too rare to mean anything: \(rare)")
  }

  /// `LEASEHOLD_SCRIBBLE_SEED` chooses the first seed, `LEASEHOLD_SCRIBBLE_RUNS` how many.
  @Test func wordsThatSomebodyScribblesEndNoDaemonAndLetNobodyInTwice() {
    let first = environment("LEASEHOLD_SCRIBBLE_SEED") ?? 1
    let runs = environment("LEASEHOLD_SCRIBBLE_RUNS") ?? 300
    for seed in first..<first + runs {
      if getenv("LEASEHOLD_SCRIBBLE_SEED") != nil { print("seed \(seed)") }
      let scribbles = Scribbles(seed: seed)
      for round in 0..<3 {
        scribbles.scribble()
        if round != 1 { scribbles.serve() }
        scribbles.scene.restart()
        scribbles.serve()
        let flaws = scribbles.flaws()
        guard flaws.isEmpty else {
          Issue.record(
            "LEASEHOLD_SCRIBBLE_SEED=\(seed) LEASEHOLD_SCRIBBLE_RUNS=1 repeats this: \(flaws) \(scribbles.log)")
          return
        }
      }
    }
  }
}
