import Testing

@testable import Leasehold
@testable import LeaseholdHTTP

@Suite struct EndpointTests {
  @Test func operationsAreUniqueAndSoAreMethodAndPath() {
    let all = Endpoint.all
    #expect(Set(all.map { "\($0.operation)" }).count == all.count)
    #expect(Set(all.map { "\($0.method) \($0.path)" }).count == all.count)
    #expect(all.map(\.number) == Array(all.indices))
  }

  @Test func everyPathSaysWhichMethodsItTakes() {
    for path in RouteTable.shared.all {
      let rows = Endpoint.all.filter { "\($0.path)" == "\(path.template)" }
      let methods = Set(rows.flatMap { [$0.method, $0.terraform].compactMap(\.self) }.map { "\($0)".uppercased() })
      let allowed = path.allow.split(separator: ",").map { $0.filter { $0 != " " } }
      #expect(
        Set(allowed) == methods.union(methods.contains("GET") ? ["HEAD", "OPTIONS"] : ["OPTIONS"]), "\(path.template)")
      #expect(Set(allowed).count == allowed.count && allowed.last == "OPTIONS", "\(path.template)")
    }
  }

  @Test func aPathTellsEveryMethodFromEveryOther() {
    for path in RouteTable.shared.all {
      for method in HTTPMethod.allCases {
        let wanted = method == .head ? .get : method
        let expected = Endpoint.all.first {
          "\($0.path)" == "\(path.template)" && [$0.method, $0.terraform].contains(wanted)
        }
        #expect(path.endpoint(method)?.pointee.number == expected?.number, "\(method) \(path.template)")
      }
    }
  }

  @Test func readingTakesNoParameterThatChanges() {
    for endpoint in Endpoint.all where endpoint.method == .get {
      // Reading a variable says under which lease it is done.
      let isVariable = "\(endpoint.path)".hasPrefix("/shm")
      #expect(!endpoint.parameters.contains(.force), "\(endpoint.operation)")
      #expect(endpoint.parameters.contains(.lease) == isVariable, "\(endpoint.operation)")
    }
  }

  static let statuses: [Int: [String]] = [
    400: [
      "malformed-request", "bad-key", "invalid-parameter", "missing-parameter", "unknown-parameter",
      "duplicate-parameter", "out-of-range", "bad-json", "bad-serialized",
    ],
    401: ["unauthenticated"],
    403: ["forbidden", "foreign-origin", "permission-denied", "own-set", "path-not-allowed"],
    404: [
      "not-found", "no-such-lock", "no-such-lease", "no-such-set", "no-such-semaphore", "no-such-path",
      "no-such-segment", "no-such-variable",
    ],
    405: ["method-not-allowed"], 406: ["not-acceptable", "not-representable"],
    413: ["body-too-large"], 414: ["uri-too-long"], 431: ["headers-too-large"], 505: ["unknown-version"],
    415: ["unsupported-media-type"], 421: ["host-not-allowed"],
    409: [
      "limit-mismatch", "kind-mismatch", "in-use", "exists", "nsems-mismatch", "superseded", "canceled",
      "deadlock", "corrupt-segment",
    ],
    412: ["stale-fence", "precondition-failed"],
    410: ["expired", "released", "broken", "rewritten", "undelivered", "set-removed", "lock-removed"],
    422: ["count-exceeds-limit", "same-lock-twice", "idempotency-mismatch", "objects-refused", "no-such-process"],
    423: ["locked", "wait-timeout", "queue-full"],
    429: ["too-many-waiters", "too-many-subscribers", "caller-limit"],
    503: [
      "draining", "starting", "degraded", "clock-stalled", "sysv-unavailable", "too-many-connections",
      "engine-unavailable", "outcome-unknown",
    ],
    507: [
      "kernel-limit", "ledger-full", "too-many-processes", "native-count-full", "too-many-native-handles",
      "segment-full",
    ],
    500: ["ledger-damaged", "internal"], 501: ["not-supported"],
  ]

  @Test func everyCodeHasItsStatus() {
    for (status, codes) in Self.statuses {
      for code in codes {
        #expect(ProblemTable.known(.init(rawValue: code)).map { Int($0.status) } == status, "\(code)")
      }
    }
    #expect(Set(ProblemTable.rows.map(\.key.rawValue)) == Set(Self.statuses.values.joined()))
  }

  @Test func anErrorWithoutARowIsA500ThatKeepsItsCode() {
    let writer = AnswerWriter(now: MonotonicInstant(nanoseconds: 0), wallOffset: 0)
    let response = writer.response(LeaseholdError(.init(rawValue: "made-up"), "No."), requestID: [], asText: false)
    #expect(response.status == 500)
    switch response.body {
    case .stream: Issue.record("it is complete")
    case .whole(let body):
      #expect(body.withBytes { String(decoding: $0, as: UTF8.self) }.contains("\"code\":\"made-up\""))
    }
  }

  @Test func titlesAreDistinctAndEverythingSaysWhatToDo() {
    #expect(Set(ProblemTable.rows.map { "\($0.value.title)" }).count == ProblemTable.rows.count)
    for (code, row) in ProblemTable.rows {
      let help = OpenAPIDocument.help(code)
      #expect(help?.hasSuffix(".") == true && !"\(row.title)".hasSuffix("."), "\(code)")
      #expect(help?.contains("\"") == false && help?.contains("  ") == false, "\(code)")
      #expect(code.rawValue.utf8.allSatisfy { $0 == UInt8(ascii: "-") || (0x61...0x7a).contains($0) }, "\(code)")
    }
  }
}
