import Leasehold
import Testing

@testable import LeaseholdHTTP

/// What an engine has not: each part may be missing.
@Suite struct EnginePartTests {
  private func bare() throws -> ServerScene {
    try ServerScene(
      .grant,
      engine: { engine in
        (engine.native, engine.semaphores, engine.variables, engine.processes) = (nil, nil, nil, nil)
        engine.traits.lacks = [.notes, .holdAtLeast, .addedLocks]
      })
  }

  @Test(arguments: [
    ("GET", "/semaphores"), ("GET", "/semaphores/7"), ("POST", "/semaphores/7/op?ops=0:1"), ("PUT", "/locks/a"),
    ("POST", "/locks/php:1234/acquire"), ("GET", "/keys/php:1234"), ("GET", "/shm"), ("PUT", "/shm/1?wait=0"),
    ("GET", "/segments"), ("PUT", "/leases/0123456789abcdef0123456789abcdef/note?note=a"),
    ("POST", "/leases/0123456789abcdef0123456789abcdef/add?want=a"),
    ("POST", "/locks/a/acquire?note=a"), ("POST", "/locks/a/acquire?hold_at_least=1m"),
  ])
  func whatTheEngineHasNotIsNotSupportedAndSaysWhatToUseInstead(_ method: String, _ target: String) throws {
    let scene = try bare()
    let answer = scene.answer(method, target, body: target.hasPrefix("/shm/") ? "5" : "")
    #expect(answer.status == 501 && answer.body.contains("\"code\":\"not-supported\""), "\(answer.body)")
    #expect(answer.body.contains("\"instead\":\"") && answer.body.contains("the engine 'fake'"))
    #expect(scene.service.heard.requests.isEmpty)
  }

  @Test func locksNeedNoneOfTheseParts() throws {
    let scene = try bare()
    #expect(scene.answer("POST", "/locks/a/acquire").status == 201)
    #expect(scene.answer("GET", "/metrics").status == 200)
    let ready = scene.answer("GET", "/readyz")
    #expect(ready.status == 200 && ready.body.contains("\"ipc_namespace\":null"))
  }

  @Test func aLeaseInNoSemaphoreHasNullForIt() throws {
    let lease = LeaseSnapshot.sample(AcquireRequest(key: try LockKey(utf8: "a".utf8), ttl: .zero, caller: .nobody))
    lease.binding = nil
    let text = written {
      AnswerWriter(now: MonotonicInstant(nanoseconds: 0), wallOffset: 0).lease(lease, into: &$0)
    }
    #expect(text.hasSuffix(",\"sysv\":null"))
    let late = written {
      AnswerWriter(now: MonotonicInstant(nanoseconds: 0), wallOffset: 0, expiryPrecision: .milliseconds(2_500))
        .lease(lease, into: &$0)
    }
    #expect(late.hasSuffix(",\"sysv\":null,\"expiry_precision_ms\":2500"))
    lease.bindsConnection = true
    let again = written {
      AnswerWriter(now: MonotonicInstant(nanoseconds: 0), wallOffset: 0, recoveryGrace: .seconds(2))
        .lease(lease, into: &$0)
    }
    #expect(again.hasSuffix(",\"sysv\":null,\"recovery_grace_ms\":2000"))
  }

  @Test func theVersionTellsWhatTheEngineIsAndLacks() throws {
    let answer = try bare().answer("GET", "/version")
    #expect(answer.body.contains(#""engine":{"name":"fake","ttl_min_ms":1,"expiry_precision_ms":0,"#))
    #expect(answer.body.contains(#""lacks":["added-locks","hold-at-least","notes"]}"#))
  }
}
