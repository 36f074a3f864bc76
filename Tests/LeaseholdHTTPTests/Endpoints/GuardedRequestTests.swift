import Leasehold
import Testing

@testable import LeaseholdHTTP

@Suite struct GuardedRequestTests {
  @Test func aSegmentWithoutAKeyHasNoGuard() throws {
    let scene = try ServerScene(.wait)
    scene.store.guardKey = 0
    #expect(scene.answer("PUT", "/shm/1", body: "5").status == 201)
    #expect(scene.service.heard.requests.isEmpty)
  }
}
