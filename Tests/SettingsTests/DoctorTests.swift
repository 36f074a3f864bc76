import Glibc
import LeaseholdClient
import Testing

@testable import leasehold

@Suite struct DoctorTests {
  @Test func aLimitThatIsNearlyUsedUpComesWithTheCommandThatRaisesIt() {
    let findings = KernelCheck.semaphores(sets: 120, semaphores: 300, limits: [250, 32000, 32, 128])
    #expect(
      findings == [
        .problem(
          "SEMMNI", "120 of 128 sets are in use", fix: "sysctl -w kernel.sem=\"250 32000 32 256\""),
        .ok("SEMMNS", "300 of 32000 semaphores are in use"),
      ])
    #expect(KernelCheck.semaphores(sets: 0, semaphores: 0, limits: [60, 32000, 32, 128]).first?.level == .problem)
    // Nothing that the kernel refuses is advised: it takes 32768 sets, and numbers of 32 bits.
    func fixes(_ sets: Int64, _ semaphores: Int64, _ limits: [Int64]) -> [String] {
      KernelCheck.semaphores(sets: sets, semaphores: semaphores, limits: limits).compactMap(\.fix)
    }
    #expect(fixes(29_000, 0, [250, 32000, 32, 30_000]) == ["sysctl -w kernel.sem=\"250 32000 32 32768\""])
    #expect(fixes(32_768, 0, [250, 32000, 32, 32_768]).allSatisfy { $0.contains("ipcs -s") && !$0.contains("sysctl") })
    let limitMax = Int64(Int32.max)
    #expect(fixes(0, limitMax, [250, limitMax - 1, 32, 128]) == ["sysctl -w kernel.sem=\"250 \(limitMax) 32 128\""])
  }

  @Test func anotherNamespaceIsAProblem() {
    #expect(ServiceCheck.namespace(5, 5).level == .ok)
    #expect(ServiceCheck.namespace(5, 6).level == .problem)
    #expect(ServiceCheck.namespace(nil, 6).level == .note)
  }

  @Test(
    "An etcd that may read what is old is named, with the version that does not",
    arguments: [
      ("3.4.19", nil), ("3.4.23", "3.4.42"), ("3.4.42", nil), ("3.5.0", "3.5.28"), ("3.5.27", "3.5.28"),
      ("3.5.28", nil), ("3.6.8", "3.6.9"), ("3.6.9", nil), ("3.7.0", nil), ("3.5.1-rc.1", "3.5.28"), ("3.5", nil),
      ("", nil),
      ("9999999999999999999999.1.1", nil), ("x.y.z", nil),
    ] as [(String, String?)])
  func oldEtcd(_ version: String, _ better: String?) {
    let engine = JSON.object([JSON.Member("versions", .array([.string(version)]))])
    let findings = ClusterCheck.findings(engine)
    #expect(findings.map(\.level) == [better == nil ? .ok : .note])
    #expect(findings.map(\.fix) == [better.map { "# upgrade etcd to \($0) or later" }])
  }

  @Test("An engine without a cluster is not spoken of") func noCluster() {
    #expect(ClusterCheck.findings(.null).isEmpty)
    #expect(ClusterCheck.findings(.object([JSON.Member("name", .string("local"))])).isEmpty)
  }

  @Test(arguments: [
    ("unix:/run/leasehold/leasehold.sock", true), ("http://localhost:31818", true), ("http://127.0.0.1:31818", true),
    ("http://127.1:31818", true),
    ("https://[::1]:31818", true), ("https://locks.example.org:31818", false), ("http://10.1.2.3:31818", false),
  ])
  func onlyTheNamespaceOfThisHostIsCompared(_ url: String, _ isHere: Bool) throws {
    #expect(ServiceCheck.isHere(try #require(ServiceAddress(url))) == isHere)
  }

  @Test func whoMayNotUseTheSocketIsToldWhatLetsThem() {
    func fix(_ mode: UInt32, root: Bool = false) -> String {
      ServiceCheck.socketFix(mode: mode, group: "leasehold", groupIsRoot: root, user: "ann")
    }
    #expect(fix(0o660) == "usermod -aG leasehold ann  # then log in anew")
    #expect(fix(0o600).contains("--unix-mode"))
    #expect(!fix(0o660, root: true).contains("usermod"))
  }

  @Test(arguments: [
    ("unix:/run/leasehold/leasehold.sock", true, "systemctl start leasehold"),
    ("unix:/run/leasehold/leasehold.sock", false, "leasehold serve --unix /run/leasehold/leasehold.sock"),
    ("unix:/tmp/it's mine", true, #"leasehold serve --unix '/tmp/it'\''s mine'"#),
    ("http://127.0.0.1:31818", true, "systemctl start leasehold"), ("http://127.0.0.1:31818", false, "leasehold serve"),
    ("http://localhost:4000", true, "leasehold serve --port 4000"),
    ("http://[::1]:4000", true, "leasehold serve --port 4000 --host ::1"), ("http://10.1.2.3:31818", true, nil),
    ("https://localhost:4000", false, "leasehold serve --port 4000 --tls-cert CERT.pem --tls-key KEY.pem"),
  ])
  func aServiceIsStartedWhereItIsLookedFor(_ url: String, _ hasUnit: Bool, _ fix: String?) throws {
    #expect(ServiceCheck.start(try #require(ServiceAddress(url)), hasUnit: hasUnit) == fix)
  }

  @Test func aDamagedLockComesWithTheLineThatRemovesItAlone() {
    let lock = JSON(Array(#"{"key":"a 'b'/c","damaged":true}"#.utf8)) ?? .null
    let overUnix = ServiceCheck.damaged(lock, at: ServiceEndpoint(.unix(path: "/run/x.sock")))
    #expect(overUnix.level == .problem)
    #expect(
      overUnix.fix
        == "curl -X DELETE --unix-socket /run/x.sock 'http://localhost/locks/a%20%27b%27%2Fc?force=true'")
    let overTCP = ServiceCheck.damaged(lock, at: ServiceEndpoint(.standard, token: "secret"))
    #expect(
      overTCP.fix == "curl -X DELETE -H \"Authorization: Bearer $LEASEHOLD_TOKEN\" "
        + "'http://127.0.0.1:31818/locks/a%20%27b%27%2Fc?force=true'")
  }

  @Test func missingUnitsOfTheLivingAreNotedAndThoseOfTheDeadMended() {
    let lock = JSON(Array(#"{"key":"a","sysv":{"id":7,"pid":9,"semaphores":[3]}}"#.utf8)) ?? .null
    #expect(ServiceCheck.missing(2, of: lock, lastUser: "php").level == .note)
    #expect(ServiceCheck.missing(2, of: lock, lastUser: "leasehold").text.contains("cannot be told"))
    let dead = ServiceCheck.missing(2, of: lock, lastUser: nil)
    #expect(dead.level == .problem)
    #expect(dead.fix?.contains("semop(7, pack(\"s!3\", 3, 2, 0))") == true)
  }

  private func withRoot(_ files: [String: String], _ body: (SystemdCheck) throws -> Void) throws {
    try withFolder { folder in
      for (path, text) in files { try write(text, to: folder + path) }
      try body(SystemdCheck(root: folder))
    }
  }

  @Test func logindTakesTheSetsOfUsersOnly() throws {
    let defs = "UID_MIN\t\t 1000\n"
    try withRoot(["/etc/systemd/logind.conf": "[Login]\n#RemoveIPC=yes\n", "/etc/login.defs": defs]) { check in
      #expect(check.findings(uid: 1000).first?.level == .problem)
      #expect(check.findings(uid: 999).first?.level == .ok)
      #expect(check.findings(uid: nil).first?.level == .note, "whose the sets are is not known")
    }
    let files = [
      "/etc/systemd/logind.conf": "[Login]\nRemoveIPC=yes\n",
      "/etc/systemd/logind.conf.d/a.conf": "[Login]\nRemoveIPC = no\nRemoveIPC=no\n",
    ]
    try withRoot(files) { #expect($0.findings(uid: 1000).first == .ok("logind", "RemoveIPC=no")) }
  }

  @Test func aUnitWithTheUsualHardeningIsFoundOut() throws {
    let unit = "[Unit]\nRemoveIPC=no\n[Service]\nPrivateIPC=yes\nRemoveIPC=true\nProtectProc=invisible\n"
    let path = "/etc/systemd/system/leasehold.service"
    try withRoot([path: unit]) { check in
      let problems = check.findings(uid: 0).filter { $0.level == .problem }
      #expect(
        problems.map { String($0.text.prefix { $0 != ":" }) } == [
          "PrivateIPC=yes", "RemoveIPC=yes", "ProtectProc=invisible",
        ])
      #expect(problems.allSatisfy { $0.fix?.contains("daemon-reload") == true })
    }
    // Each remedy, done, mends, and undoes none of the others: also where another file has the word so far.
    let later = path + ".d/z-last.conf"
    let login = "/etc/systemd/logind.conf"
    try withRoot([path: unit, later: "[Service]\nPrivateIPC=yes\n", login: "[Login]\nRemoveIPC=yes\n"]) { check in
      let problems = check.findings(uid: 1000).filter { $0.level == .problem }
      #expect(problems.count == 4)
      for problem in problems {
        let command = try #require(problem.fix?.split(separator: " && systemctl").first)
        #expect(system(String(command.replacing("/etc/", with: check.root + "/etc/"))) == 0)
      }
      #expect(check.findings(uid: 1000).filter { $0.level == .problem }.isEmpty)
    }
    let mended = "[Service]\nPrivateIPC=no\nRemoveIPC=no\nProtectProc=default\n"
    try withRoot([path: unit, path + ".d/ipc.conf": mended]) { check in
      #expect(check.findings(uid: 0).allSatisfy { $0.level == .ok })
    }
  }
}
