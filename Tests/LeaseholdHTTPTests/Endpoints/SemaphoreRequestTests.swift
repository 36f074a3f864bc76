import Leasehold
import SysVTypes
import Testing

@testable import LeaseholdHTTP

/// What requests about sets say, and how they are refused before the service hears of them.
@Suite struct SemaphoreRequestTests {
  private func ask(_ method: String, _ target: String, _ json: String = "") throws -> RawClient.Answer {
    try ServerScene().answer(method, target, "Content-Type: application/json", body: json)
  }

  @Test(arguments: [
    ("POST", "/semaphores", "{}", "missing-parameter", "key"),
    ("POST", "/semaphores", #"{"key":1}"#, "missing-parameter", "nsems"),
    ("POST", "/semaphores", #"{"key":0,"nsems":1}"#, "out-of-range", "key"),
    ("POST", "/semaphores", #"{"key":"0x1ffffffff","nsems":1}"#, "out-of-range", "key"),
    ("POST", "/semaphores", #"{"key":"moon","nsems":1}"#, "bad-key", "key"),
    ("POST", "/semaphores", #"{"key":true,"nsems":1}"#, "invalid-parameter", "key"),
    ("POST", "/semaphores", #"{"key":1,"nsems":-1}"#, "out-of-range", "nsems"),
    ("POST", "/semaphores", #"{"key":1,"nsems":1,"mode":600}"#, "invalid-parameter", "mode"),
    ("POST", "/semaphores", #"{"key":1,"nsems":1,"mode":"0o600"}"#, "invalid-parameter", "mode"),
    ("POST", "/semaphores", #"{"key":1,"nsems":1,"mode":"08"}"#, "invalid-parameter", "mode"),
    ("POST", "/semaphores", #"{"key":1,"nsems":1,"mode":"1000"}"#, "out-of-range", "mode"),
    ("POST", "/semaphores", #"{"key":1,"nsems":2,"values":[1]}"#, "invalid-parameter", "values"),
    ("POST", "/semaphores", #"{"key":1,"values":[1,32768]}"#, "out-of-range", "values[1]"),
    ("POST", "/semaphores", #"{"key":1,"values":[1.5]}"#, "invalid-parameter", "values[0]"),
    ("POST", "/semaphores", #"{"key":1,"nsems":1,"exclusive":"maybe"}"#, "invalid-parameter", "exclusive"),
    ("PATCH", "/semaphores/7", #"{"uid":4294967295}"#, "out-of-range", "uid"),
    ("PATCH", "/segments/7", #"{"gid":4294967295}"#, "out-of-range", "gid"),
    ("PATCH", "/semaphores/7", #"{"gid":"root"}"#, "invalid-parameter", "gid"),
    ("PATCH", "/semaphores/7", #"{"owner":1}"#, "unknown-parameter", "owner"),
    ("PATCH", "/semaphores/7?nsems=3", "{}", "unknown-parameter", "nsems"),
    ("PUT", "/semaphores/7/values", "{}", "missing-parameter", "values"),
    ("PUT", "/semaphores/7/values", #"{"values":[]}"#, "invalid-parameter", "values"),
    ("PUT", "/semaphores/7/values", #"{"values":[-1]}"#, "out-of-range", "values[0]"),
    ("PUT", "/semaphores/7/0", "{}", "missing-parameter", "value"),
    ("PUT", "/semaphores/7/0", #"{"value":32768}"#, "out-of-range", "value"),
    ("PUT", "/semaphores/7/0", #"{"value":[1]}"#, "invalid-parameter", "value"),
    ("POST", "/semaphores/7/op", "{}", "missing-parameter", "ops"),
    ("POST", "/semaphores/7/op", #"{"ops":[]}"#, "invalid-parameter", "ops"),
    ("POST", "/semaphores/7/op", #"{"ops":5}"#, "invalid-parameter", "ops"),
    ("POST", "/semaphores/7/op?ops=0", "", "invalid-parameter", "ops"),
    ("POST", "/semaphores/7/op?ops=0:1:later", "", "invalid-parameter", "ops"),
    ("POST", "/semaphores/7/op?ops=0:1,", "", "invalid-parameter", "ops"),
    ("POST", "/semaphores/7/op?ops=65536:1", "", "out-of-range", "ops[0].sem"),
    ("POST", "/semaphores/7/op?ops=0:1,0:-32769", "", "out-of-range", "ops[1].op"),
    ("POST", "/semaphores/7/op?ops=0:1&wait=soon", "", "invalid-parameter", "wait"),
    ("POST", "/semaphores/7/op?ops=0:1&wait=2h", "", "out-of-range", "wait"),
    ("DELETE", "/semaphores/0", "", "out-of-range", "set"), ("DELETE", "/semaphores/moon", "", "bad-key", "set"),
    ("GET", "/semaphores/99999999999", "", "out-of-range", "set"), ("GET", "/semaphores/id:-1", "", "bad-key", "set"),
  ])
  func aWrongRequestNamesItsParameter(
    _ method: String, _ target: String, _ json: String, _ code: String, _ parameter: String
  ) throws {
    let answer = try ask(method, target, json)
    #expect(answer.status == 400 && answer.body.contains("\"code\":\"\(code)\""), "\(answer.body)")
    #expect(answer.body.contains("\"parameter\":\"\(parameter)\""), "\(answer.body)")
  }

  @Test func anErrorWithANumberOfTheKernelHasItsErrno() throws {
    for (target, errno) in [("0:32768", "ERANGE"), ("70000:1", "EFBIG")] {
      let answer = try ask("POST", "/semaphores/7/op?ops=\(target)")
      #expect(answer.body.contains("\"errno\":\"\(errno)\""), "\(answer.body)")
    }
  }

  @Test func theObjectOfAGetMayComeBackAsAPatch() throws {
    let body = """
      {"key":7,"id":1,"uid":0,"gid":0,"cuid":0,"cgid":0,"mode":"0600","nsems":1,"otime":null,"ctime":"x",\
      "otime_seconds":0,"ctime_seconds":1,"leasehold":{"role":"bank"},"values":[1],"semaphores":[{"sem":0,"leases":[]}]}
      """
    // The simulated host has no set; until there, nothing was wrong.
    #expect(try ask("PATCH", "/semaphores/7", body).body.contains("no-such-set"))
  }

  @Test func whatIsTakenBackSaysForHowLong() throws {
    let scene = try ServerScene()
    let answer = scene.answer(
      "POST", "/semaphores/7/op?ops=3:-2:undo:nowait,0:1:undo,1:1&ttl=5s&owner=me", "Idempotency-Key: mine")
    #expect(answer.status == 200)
    let request = try #require(scene.service.heard.operations.first)
    #expect(request.steps.map(\.undoes) == [true, true, false] && request.steps[0].refusesToWait)
    #expect(request.ttl == .seconds(5) && request.owner == "me" && request.idempotencyKey == "mine")
    _ = scene.answer("POST", "/semaphores/7/op?ops=0:1:undo")
    #expect(scene.service.heard.operations.last?.ttl == .seconds(30))
    for parameter in ["ttl=5s", "owner=me"] {
      let refused = scene.answer("POST", "/semaphores/7/op?ops=0:1&\(parameter)")
      #expect(refused.status == 400 && refused.body.contains("invalid-parameter"))
    }
    #expect(scene.service.heard.operations.count == 2)
  }

  @Test func operationsReachTheServiceAsTheyWereGiven() throws {
    let scene = try ServerScene()
    let json = #"{"ops":[{"sem":3,"op":-2,"nowait":true},{"sem":0,"op":0}],"wait":0}"#
    let answer = scene.answer("POST", "/semaphores/0x7/op", "Content-Type: application/json", body: json)
    #expect(answer.status == 200 && answer.body == "{\"done\":true,\"key\":5,\"id\":7,\"ops\":1,\"waited_ms\":0}\n")
    let same = scene.answer("POST", "/semaphores/7/op?ops=3:-2:nowait,0:0")
    #expect(same.status == 200)
    for request in scene.service.heard.operations {
      #expect(request.address == .key(7) && request.wait == .zero)
      #expect(
        request.steps == [
          SemaphoreOperation(semaphore: 3, delta: -2, flags: .nowait), SemaphoreOperation(semaphore: 0, delta: 0),
        ])
    }
    #expect(scene.service.heard.operations.count == 2)
  }
}
