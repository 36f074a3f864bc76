import LeaseholdTestKit
import Testing

@testable import LeaseholdQueue

@Suite("The recipe of the queue")
struct RecipeTests {
  @Test("holds with each rule, and breaks without it", arguments: Schedule.all)
  func schedule(_ schedule: Schedule) {
    let inForce = play(schedule, Explorer(scenario: .named(schedule.scenario)))
    #expect(inForce.flaw == nil, "with the rule, at \(inForce.at)")
    var explorer = Explorer(scenario: .named(schedule.scenario))
    if let rule = Rule(rawValue: schedule.rule) { explorer.rules = Rules.all.without(rule) }
    explorer.dropped = OuterRule(rawValue: schedule.rule)
    let dropped = play(schedule, explorer)
    #expect(dropped.flaw != nil, "stops at \(dropped.at); can: \(dropped.able)")
  }

  @Test("has a schedule for each rule, but for those of the contract")
  func everyRule() {
    let shown = Schedule.all.map(\.rule)
    let rules = Rule.allCases.map(\.rawValue) + OuterRule.allCases.map(\.rawValue)
    #expect(Set(shown).union(["tombstone", "adopt"]) == Set(rules) && Set(shown).count == shown.count)
  }

  /// Every interleaving of what may happen, from the empty store on: all of it, or the nearest so many states.
  @Test("holds in every state of each scenario", arguments: Scenario.all.map(\.name))
  func explore(_ name: String) {
    var explorer = Explorer(scenario: .named(name))
    explorer.names = false
    let first = World(explorer.scenario)
    // Their hashes are enough to know states again.
    var (seen, todo, next): (Set<Int>, [(world: World, from: Int, step: Int)], Int) = (
      [first.hashValue], [(first, -1, 0)], 0
    )
    while next < todo.count, todo.count < Self.statesMax {
      let world = todo[next].world
      let steps = explorer.steps(world)
      if let flaw = explorer.flaw(world) ?? explorer.stuck(world, steps) {
        Issue.record("\(flaw): \(way(explorer.scenario, todo.map { ($0.from, $0.step) }, to: next))")
        return
      }
      for (index, step) in steps.enumerated() where seen.insert(step.world.hashValue).inserted {
        todo.append((step.world, next, index))
      }
      next += 1
    }
    print("\(name): \(todo.count) states\(next == todo.count ? ", complete" : ", nearest")")
  }

  private static let statesMax = 4_000

  /// The names of the steps to a state.
  private func way(_ scenario: Scenario, _ from: [(from: Int, step: Int)], to last: Int) -> [String] {
    var (indices, at): ([Int], Int) = ([], last)
    while at > 0 {
      indices.append(from[at].step)
      at = from[at].from
    }
    let explorer = Explorer(scenario: scenario)
    var (world, names) = (World(scenario), [String]())
    for index in indices.reversed() {
      let step = explorer.steps(world)[index]
      names.append(step.name)
      world = step.world
    }
    return names
  }

  /// Three servers and three clients, with everything that can go wrong.
  @Test("holds in random walks with three servers")
  func walks() {
    let number = UInt64.random(in: .min ... .max)
    print("seed \(number)")
    var seed = SeededRandom(seed: number)
    let kinds: [Scenario.Kind] = [.wait, .fast, .tries, .max, .upgrade]
    for _ in 0..<300 {
      let people = (0..<3).map { _ in
        Scenario.Person(
          kind: kinds[Int.random(in: 0..<kinds.count, using: &seed)],
          parts: [("x", Int.random(in: 1...3, using: &seed))])
      }
      var faults: [Fault: Int] = [:]
      for fault in [Fault.lag, .impatient, .session, .breaks, .renew, .clock, .unknown, .crash, .silent, .longer] {
        faults[fault] = Int.random(in: 0...1, using: &seed)
      }
      let scenario = Scenario(people, faults) {
        ($0.capacity, $0.servers, $0.attempts, $0.comparesFences) = (3, 3, 2, false)
        $0.isLive = Bool.random(using: &seed)
        $0.hasCooldown = Bool.random(using: &seed)
        $0.sharesLeases = Bool.random(using: &seed)
      }
      guard walk(Explorer(scenario: scenario), &seed) else { return }
    }
  }

  private func walk(_ explorer: Explorer, _ seed: inout SeededRandom) -> Bool {
    var (world, names) = (World(explorer.scenario), [String]())
    for _ in 0..<120 {
      let steps = explorer.steps(world)
      if let flaw = explorer.flaw(world) ?? explorer.stuck(world, steps) {
        Issue.record("\(flaw) of \(explorer.scenario): \(names)")
        return false
      }
      guard let step = steps.randomElement(using: &seed) else { return true }
      names.append(step.name)
      world = step.world
    }
    return true
  }

  /// Takes the steps of a schedule as far as it can.
  private func play(_ schedule: Schedule, _ explorer: Explorer) -> (flaw: String?, at: String, able: [String]) {
    var world = World(explorer.scenario)
    var steps = explorer.steps(world)
    for word in schedule.words {
      let may = word.hasPrefix("?")
      let want = may ? String(word.dropFirst()) : word
      for _ in 0..<300 {
        if let flaw = explorer.flaw(world) ?? explorer.stuck(world, steps) { return (flaw, word, []) }
        let able = steps.first { want == "*" ? !$0.isFault && !$0.isOld : $0.name.hasPrefix(want) }
        guard let able else {
          if want == "*" || may { break }
          return (nil, word, steps.map(\.name))
        }
        world = able.world
        steps = explorer.steps(world)
        if want != "*" { break }
      }
    }
    return (explorer.flaw(world) ?? explorer.stuck(world, steps), "its end", steps.map(\.name))
  }
}
