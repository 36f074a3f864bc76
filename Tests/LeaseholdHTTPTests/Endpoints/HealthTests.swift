import Leasehold
import Testing

@testable import LeaseholdHTTP

@Suite struct HealthTests {
  @Test(arguments: [(TimeSpan.zero, 200), (.seconds(5), 200), (.milliseconds(5001), 503), (.seconds(3600), 503)])
  func aClockThatHasNotTurnedForSomeSecondsIsNoHealth(_ age: TimeSpan, _ status: Int) throws {
    let scene = try ServerScene(.grant)
    scene.service.ail([], sinceClockTurned: age)
    for path in ["/healthz", "/readyz"] {
      let answer = scene.answer("GET", path)
      #expect(answer.status == status, "\(path)")
      #expect(status == 200 || answer.body.contains("\"code\":\"clock-stalled\""), "\(answer.body)")
    }
    // Grants do not look at it.
    #expect(scene.answer("POST", "/locks/a/acquire").status == 201)
    let line = "\nleasehold_clock_age_seconds \(Double(age.nanoseconds) / 1e9)\n"
    #expect(scene.answer("GET", "/metrics").body.contains(line))
  }

  @Test(arguments: [ServiceFault.Part.ledger, .guardSet])
  func withoutWhatLeasesRestOnItIsAliveAndNotReady(_ part: ServiceFault.Part) throws {
    let scene = try ServerScene(.grant)
    scene.service.ail([ServiceFault(part, "SHMALL is 1 here")])
    #expect(scene.answer("GET", "/healthz").status == 200)
    let answer = scene.answer("GET", "/readyz")
    #expect(answer.status == 503 && answer.headers["retry-after"] == "1")
    for words in ["\"code\":\"degraded\"", "\"part\":\"\(part.rawValue)\"", "SHMALL is 1 here"] {
      #expect(answer.body.contains(words), "\(answer.body)")
    }
    #expect(scene.answer("GET", "/metrics").body.contains("\nleasehold_ready 0\n"))
    scene.service.ail([])
    #expect(scene.answer("GET", "/readyz").status == 200)
    #expect(scene.answer("GET", "/metrics").body.contains("\nleasehold_ready 1\n"))
  }

  @Test func withoutTheMarkOfFencesItIsReady() throws {
    let scene = try ServerScene(.grant)
    scene.service.ail([ServiceFault(.stateDirectory, "the disk is full")])
    #expect(scene.answer("GET", "/readyz").status == 200)
  }

  @Test func linesThatTheLogLostAreCounted() throws {
    let scene = try ServerScene(.grant) { $0.logLinesDropped = { 42 } }
    #expect(scene.answer("GET", "/metrics").body.contains("\nleasehold_log_lines_dropped_total 42\n"))
  }
}
