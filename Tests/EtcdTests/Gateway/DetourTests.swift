import Testing

@testable import EtcdGateway

@Suite struct DetourTests {
  private static let calm = [Standing](repeating: .follows(term: 3), count: 3)

  @Test func behindTheEndpointThatFailedComesTheNextOne() {
    var detour = Detour(from: 2)
    #expect(detour.next(after: 2, Self.calm) == 0)
  }

  @Test func twoEndpointsAreAskedInOneTermAndTheNextOneInANewTerm() {
    var detour = Detour(from: 0)
    #expect(detour.next(after: 0, Self.calm) == 1)
    #expect(detour.next(after: 1, Self.calm) == nil)
    let chosen: [Standing] = [.follows(term: 3), .follows(term: 4), .follows(term: 4)]
    #expect(detour.next(after: 1, chosen) == 2)
  }

  @Test func anEndpointIsAskedAnewWhenItHasAnotherLeader() {
    var detour = Detour(from: 0)
    #expect(detour.next(after: 0, [.follows(term: 3)]) == nil)
    #expect(detour.next(after: 0, [.follows(term: 4)]) == 0)
  }

  @Test func anEndpointThatIsAwayOrHasNoLeaderIsPassedOver() {
    var detour = Detour(from: 0)
    #expect(detour.next(after: 0, [.away, .leaderless, .follows(term: 1)]) == 2)
    #expect(detour.next(after: 2, [.away, .leaderless, .leaderless]) == nil)
  }

  @Test func anEndpointThatDoesNotTellItsTermIsAskedAllTheSame() {
    var detour = Detour(from: 1)
    #expect(detour.next(after: 1, [.follows(term: 0), .away, .away]) == 0)
  }

  @Test func anEndpointThatCouldNotMayBeAskedOnceMore() {
    var detour = Detour(from: 0)
    #expect(detour.next(after: 0, [.follows(term: 3)]) == nil)
    detour.forgive(0)
    #expect(detour.next(after: 0, [.follows(term: 3)]) == 0)
  }

  @Test func theLeaderIsTheOneOfTheNewestTerm() {
    let away = Standing.away
    let (old, new) = (Standing.follows(term: 3, isLeader: true), Standing.follows(term: 4, isLeader: true))
    #expect([away, old, .follows(term: 3)].leader == 1)
    #expect([old, new, .follows(term: 4)].leader == 1 && [new, old].leader == 0)
    #expect([old, .follows(term: 4), away].leader == nil, "the newer one is not seen")
    #expect([Standing.leaderless, away].leader == nil && Self.calm.leader == nil)
  }
}
