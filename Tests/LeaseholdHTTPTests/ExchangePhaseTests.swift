import Testing

@testable import LeaseholdHTTP

/// Every way through the phases of an exchange: who has it, who brings an answer, and a peer that goes.
@Suite struct ExchangePhaseTests {
  /// How the endpoint of an exchange goes on.
  enum Story: CaseIterable { case waits, workerAnswers, workerWaits }

  /// What may happen next, each once; of two who bring an answer one comes first.
  enum Event: CaseIterable { case begin, firstAnswer, secondAnswer, hangUp, workEnds }

  /// An exchange and all that was done about it.
  struct World: Hashable {
    var phase = ExchangePhase.running
    var isSuspended = false
    var isWithWorker = false
    var resumes = 0
    var isAnswerKept = false
    var sent = 0
    var toldLost = 0
    var withdrawn = 0
    var calledOff = 0
    var happened: Set<Event> = []

    func allows(_ event: Event, in story: Story) -> Bool {
      guard !happened.contains(event) else { return false }
      return switch event {
      case .begin: true
      // An endpoint that runs may have told others already; a worker's has not begun before it has the exchange.
      case .firstAnswer: story == .waits || happened.contains(.begin)
      case .secondAnswer: happened.contains(.firstAnswer)
      // Nobody watches before.
      case .hangUp: isSuspended && resumes == 0
      case .workEnds: isWithWorker
      }
    }

    mutating func happen(_ event: Event, in story: Story) {
      happened.insert(event)
      switch event {
      case .begin where story == .waits:
        if phase.park() {
          isSuspended = true
        } else {
          sendKept()
        }
      case .begin:
        phase.beginWork()
        (isSuspended, isWithWorker) = (true, true)
      case .firstAnswer, .secondAnswer: answer()
      case .hangUp:
        guard phase.hangUp() else { return }
        calledOff += 1
        resumes += 1
      case .workEnds: endWork(hasAnswer: story == .workerAnswers)
      }
    }

    private mutating func answer() {
      switch phase.resolve() {
      case .lost: toldLost += 1
      case .kept: isAnswerKept = true
      case .sent:
        sent += 1
        resumes += 1
      }
    }

    private mutating func endWork(hasAnswer: Bool) {
      isWithWorker = false
      switch phase.endWork(hasAnswer: hasAnswer) {
      case .parks: return
      case .sends: sent += 1
      case .sendsKept:
        if hasAnswer { withdrawn += 1 }
        sendKept()
      case .callsOff: if hasAnswer { withdrawn += 1 } else { calledOff += 1 }
      }
      resumes += 1
    }

    private mutating func sendKept() {
      sent += isAnswerKept ? 1 : 0
      isAnswerKept = false
    }

    /// What must hold at every moment.
    var isSound: Bool {
      resumes <= (isSuspended ? 1 : 0) && sent + calledOff + (phase == .gone ? withdrawn : 0) <= 1
        && (!isWithWorker || resumes == 0 && sent == 0)
    }

    /// What must hold when nothing can happen any more.
    func isOver(_ story: Story) -> Bool {
      guard phase == .resolved || phase == .gone, !isAnswerKept, resumes == (isSuspended ? 1 : 0) else { return false }
      let brought = 2 + (story == .workerAnswers ? 1 : 0)
      // Each answer is sent, told that it was lost, or withdrawn; each wait is answered or called off.
      guard sent + toldLost + withdrawn == brought else { return false }
      return phase == .resolved ? sent == 1 && calledOff == 0 : sent == 0 && withdrawn + calledOff == 1
    }
  }

  @Test(arguments: Story.allCases) func everyWayEndsWithOneAnswerOrNobodyThere(_ story: Story) {
    var seen: Set<World> = [World()]
    var open = [World()]
    var (ends, phases): (Int, Set<ExchangePhase>) = (0, [])
    while let world = open.popLast() {
      phases.insert(world.phase)
      let next = Event.allCases.filter { world.allows($0, in: story) }
      for event in next {
        var other = world
        other.happen(event, in: story)
        #expect(other.isSound, "\(event) after \(world)")
        if seen.insert(other).inserted { open.append(other) }
      }
      if next.isEmpty {
        ends += 1
        #expect(world.isOver(story), "\(world)")
      }
    }
    #expect(ends > 2)
    let possible: Set<ExchangePhase> =
      switch story {
      case .waits: [.running, .parked, .resolved, .gone]
      case .workerAnswers: [.running, .working, .answered, .alone, .resolved, .gone]
      case .workerWaits: Set(ExchangePhase.allCases)
      }
    #expect(phases == possible)
  }
}
