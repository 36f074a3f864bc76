import Glibc
import Leasehold
import Testing

@testable import LeaseholdHTTP

/// Who may call, as far as Host, Origin and Sec-Fetch-Site tell.
@Suite struct BrowserGuardTests {
  @Test func onlyOurOwnNamesAreAnswered() throws {
    let scene = try ServerScene { $0.allowedHosts = ["locks.example"] }
    let good = [
      "localhost", "LOCALHOST:1", "localhost:", "127.0.0.1", "127.0.0.1:31818", "127.1.2.3", "127.255.255.255:65535",
      "[::1]",
      "[::1]:80", "locks.example", "Locks.Example:8080",
    ]
    let bad = [
      "example.com", "localhost.example.com", "localhost:123456", "127.0.0.1.example.com", "127.0.0",
      "126.0.0.1",
      "127.0.0.256", "127.0.0.1000", "127..0.1", "[::2]", "locks.example.com",
      "xlocks.example",
      "2130706433", "0x7f.0.0.1", "localhost,example.com", "",
    ]
    for host in good { #expect(scene.answer("GET", "/healthz", "Host: \(host)").status == 200, "\(host)") }
    for host in bad {
      let answer = scene.answer("GET", "/healthz", "Host: \(host)")
      #expect(answer.status == 421 && answer.body.contains("host-not-allowed"), "\(host)")
    }
    for host in ["localhost:x", "[::1", "[::1]x", "[::1]:x", "user@localhost", "local host", "http://localhost"] {
      let answer = scene.answer("GET", "/healthz", "Host: \(host)")
      #expect(answer.status == 400 && answer.body.contains("malformed-request"), "\(host)")
    }
    #expect(scene.client().send("GET /healthz HTTP/1.0\r\n\r\n").answer()?.status == 200)
  }

  @Test func aGoodHostBeforeABadOneOnTheSameConnectionHelpsNobody() throws {
    let scene = try ServerScene()
    let client = scene.client()
    for (host, status) in [
      ("localhost", 200), ("evil.example", 421), ("localhost", 200), ("", 421), ("localhos", 421), ("localhost", 200),
    ] {
      client.send("GET /version HTTP/1.1\r\nHost: \(host)\r\n\r\n")
      #expect(client.answer()?.status == status, "\(host)")
    }
    client.send("GET http://evil.example/version HTTP/1.1\r\nHost: localhost\r\n\r\n")
    #expect(client.answer()?.status == 421)
  }

  static let origins: [(headers: [String], status: Int)] = [
    ([], 201), (["Origin: http://localhost:5"], 201), (["Origin: https://localhost:5"], 201),
    (["Origin: http://localhost"], 403), (["Origin: http://localhost:55"], 403), (["Origin: http://127.0.0.1:5"], 403),
    (["Origin: null"], 403), (["Origin: http://evil.example"], 403), (["Origin: localhost:5"], 403), (["Origin:"], 403),
    (["Origin: ftp://localhost:5"], 403), (["Sec-Fetch-Site: same-origin"], 201), (["Sec-Fetch-Site: none"], 201),
    (["Sec-Fetch-Site: NONE"], 201), (["Sec-Fetch-Site: same-site"], 403), (["Sec-Fetch-Site: cross-site"], 403),
    (["Sec-Fetch-Site:"], 403), (["Sec-Fetch-Site: none", "Origin: http://evil.example"], 403),
    (["Sec-Fetch-Site: cross-site", "Origin: http://localhost:5"], 403),
  ]

  @Test func aPageOfAnotherOriginChangesNothingAndMayRead() throws {
    let scene = try ServerScene(.grant)
    for (headers, status) in Self.origins {
      let client = scene.client()
      let lines = (["Host: localhost:5", "Content-Length: 0"] + headers).joined(separator: "\r\n")
      client.send("POST /locks/a/acquire HTTP/1.1\r\n\(lines)\r\n\r\n")
      let answer = client.answer()
      #expect(answer?.status == status, "\(headers)")
      if status == 403 { #expect(answer?.body.contains("foreign-origin") == true) }
      #expect(scene.client().send("GET /healthz HTTP/1.1\r\n\(lines)\r\n\r\n").answer()?.status == 200, "\(headers)")
    }
    #expect(scene.service.heard.requests.count == Self.origins.filter { $0.status == 201 }.count)
  }

  @Test func aPageOfAnotherOriginMayNotWaitForWhatItCannotRead() throws {
    let scene = try ServerScene(.grant)
    for endpoint in Endpoint.all where endpoint.method == .get && endpoint.mayStayOpen {
      let target = "\(endpoint.path)" == "/shm/{var}" ? "/shm/x" : "/shm"
      for header in ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: http://evil.example"] {
        let answer = scene.answer("GET", target, header)
        #expect(answer.status == 403 && answer.body.contains("foreign-origin"), "\(endpoint.operation) \(header)")
      }
      #expect(scene.answer("GET", target, "Sec-Fetch-Site: same-origin").status != 403)
    }
  }

  @Test(arguments: ["POST", "DELETE", "PUT", "PATCH", "BREW"])
  func everyMethodThatMayChangeIsGuarded(_ method: String) throws {
    let scene = try ServerScene(.grant)
    #expect(scene.answer(method, "/locks/a", "Origin: http://evil.example").status == 403)
  }

  @Test func aUnixSocketTakesAnyHostAndStillNoForeignOrigin() throws {
    let path = "/tmp/leasehold-guard-\(getpid()).sock"
    let scene = try ServerScene(.grant) {
      $0.host = nil
      $0.unixPath = path
    }
    func status(_ lines: String) -> Int? {
      RawClient(path: path).send("POST /locks/a/acquire HTTP/1.1\r\nContent-Length: 0\r\n\(lines)\r\n").answer()?.status
    }
    #expect(status("Host: anything.example\r\n") == 201)
    #expect(status("Host: anything.example\r\nOrigin: http://evil.example\r\n") == 403)
    let caller = try #require(scene.service.heard.requests.first).caller
    #expect(caller.peer.pid == getpid() && caller.peer.uid == getuid() && caller.connection > 0)
  }
}
