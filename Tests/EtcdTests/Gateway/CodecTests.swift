import HTTPExchange
import JSONText
import Testing

@testable import EtcdGateway

@Suite struct CodecTests {
  @Test(arguments: [
    ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
    ("foobar", "Zm9vYmFy"), ("\u{ff}\u{3f}~>", "w78/fj4="),
  ])
  func bytesAreEncodedAndBack(plain: String, encoded: String) {
    #expect(Base64.encode(Array(plain.utf8)) == encoded)
    #expect(Base64.decode(encoded) == Array(plain.utf8))
  }

  @Test(arguments: ["Z", "Zg", "Zg=", "Zg===", "Z===", "Zm9v=", "Zg==Zg==", "Zm 9v", "Zm9-"])
  func whatIsNoEncodingIsRefused(text: String) {
    #expect(Base64.decode(text) == nil)
  }

  @Test func aTransactionIsWrittenAsTheGatewayReadsIt() {
    let transaction = EtcdTransaction(
      if: [
        EtcdCompare(.created, of: .prefix("q/"), .less, 1 << 60), EtcdCompare(.lease, of: .one("a"), .equal, 0),
      ],
      then: [
        .put("a", value: Array("1".utf8), lease: 7), .put("b", value: [], lease: 0), .move("a", lease: 8),
        .delete(.one("a")),
      ], else: [.range(EtcdRange(.range("a", end: "b")))])
    #expect(
      "\(transaction.json)" == """
        {"compare":[{"target":"CREATE","result":"LESS","key":"cS8=","range_end":"cTA=",\
        "create_revision":"1152921504606846976"},\
        {"target":"LEASE","result":"EQUAL","key":"YQ==","lease":"0"}],\
        "success":[{"request_put":{"key":"YQ==","value":"MQ==","lease":"7"}},{"request_put":{"key":"Yg==","value":""}},\
        {"request_put":{"key":"YQ==","lease":"8","ignore_value":true}},{"request_delete_range":{"key":"YQ=="}}],\
        "failure":[{"request_range":{"key":"YQ==","range_end":"Yg==","sort_target":"CREATE","sort_order":"ASCEND"}}]}
        """)
  }

  @Test func aPageIsAskedForByItsKeys() {
    var range = EtcdRange(.prefix("q/"))
    (range.isByKey, range.after, range.limit, range.revision) = (true, "q/a", 2, 9)
    let text = #"{"key":"cS9hAA==","range_end":"cTA=","limit":"2","revision":"9"}"#
    #expect("\(range.json)" == text)
  }

  @Test(arguments: [
    (200, "{}", "answered"), (200, "<html>", "failed, perhaps done"), (400, #"{"code":3,"message":"x"}"#, "invalid"),
    (400, #"{"code":11,"message":"etcdserver: mvcc: required revision has been compacted"}"#, "compacted"),
    (400, #"{"code":3,"message":"etcdserver: user name is empty"}"#, "wants a token"),
    (400, #"{"code":3,"message":"etcdserver: revision of auth store is old"}"#, "wants a token"),
    (401, #"{"code":16,"message":"etcdserver: invalid auth token"}"#, "wants a token"),
    (403, #"{"code":7,"message":"etcdserver: permission denied"}"#, "denied"),
    (404, #"{"code":5,"message":"etcdserver: requested lease not found"}"#, "leaseGone"),
    (404, "404 page not found\n", "noGateway"),
    (503, #"{"code":14,"message":"etcdserver: request timed out"}"#, "failed, perhaps done"),
    (429, #"{"code":8,"message":"etcdserver: mvcc: database space exceeded"}"#, "failed, perhaps done"),
    (429, #"{"code":8,"message":"etcdserver: too many requests"}"#, "failed"), (500, "", "failed, perhaps done"),
  ])
  func eachAnswerIsSortedByWhatItLeavesOpen(status: Int, body: String, kind: String) {
    let attempt = Attempt(Response(status: status, body: Array(body.utf8)), from: "e")
    let sorted =
      switch attempt {
      case .answered: "answered"
      case .refused(let refusal, _): "\(refusal)"
      case .wantsToken: "wants a token"
      case .failed(_, let mayBeDone): mayBeDone ? "failed, perhaps done" : "failed"
      }
    #expect(sorted == kind)
  }

  @Test(arguments: [
    (#"{"result":{"header":{"revision":"5"},"created":true}}"#, EtcdNews.created(5)),
    (#"{"result":{"header":{"revision":"6"}}}"#, .progress(6)),
    (#"{"result":{"canceled":true,"compact_revision":"9"}}"#, .compacted(9)),
    (#"{"result":{"canceled":true,"cancel_reason":"no"}}"#, .ended("no")),
    (#"{"error":{"message":"gone"}}"#, .ended("gone")), ("x", .ended("a line that is not JSON")),
    (
      #"{"result":{"header":{"revision":"7"},"events":[{"type":"DELETE","kv":{"key":"YQ==","mod_revision":"7"}}]}}"#,
      .changes([.deleted("a", at: 7)], upTo: 7)
    ),
  ])
  func eachLineOfAWatchIsRead(line: String, news: EtcdNews) {
    #expect(EtcdNews(line: Array(line.utf8)) == news)
  }
}
