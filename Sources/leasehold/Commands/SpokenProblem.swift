internal import LeaseholdClient

extension Problem {
  /// The problem in one sentence of the commands: what HTTP calls a parameter is a flag here; of a held lock, it names
  /// the holder.
  var spoken: String {
    let sentence = FlagWords.spoken(detail, mayName: Self.codesOfParameters.contains(code))
    let isBelowRun = !Enclosing.current.ids.isEmpty
    switch code {
    case "unauthenticated":
      return sentence + " Here that is LEASEHOLD_TOKEN=TOKEN in the environment"
        + (isBelowRun ? ", which `leasehold run --keep-token` lets its command have." : ".")
    case "deadlock":
      let circle = members["circle"].elements
      guard isBelowRun, circle.count == 1, let key = circle[0]["waits_for"].string else { break }
      let held = circle[0]["holds"].string ?? key
      return "this would wait for itself: it runs below a `leasehold run` that holds '\(held)' until it ends; take the "
        + "lock there alone"
    default: break
    }
    let holders = members["holders"].elements.prefix(3).map(HolderText.text)
    return sentence + (holders.isEmpty ? "" : " Held by " + holders.joined(separator: "; ") + ".")
  }

  /// Codes in whose sentences a quoted word may be a parameter's name; in others it is the name of a lock or of a
  /// holder.
  private static let codesOfParameters: Set<String> = [
    "invalid-parameter", "missing-parameter", "out-of-range", "unknown-parameter", "count-exceeds-limit",
    "kind-mismatch", "bad-key",
  ]
}

/// The flags that stand for HTTP's parameters.
enum FlagWords {
  /// By the parameter's name; every parameter that a command sends is here.
  static let flags: [String: String] = [
    "wait": "-w", "ttl": "--ttl", "limit": "--slots", "count": "--take", "owner": "--owner", "bind": "--bind",
    "stop": "--grace", "grace": "--grace",
    "hold_at_least": "--at-least", "early": "--early",
    "reason": "--reason", "after": "--after", "note": "--note", "newest": "--newest",
    "force": "--force", "mode": "--mode", "nsems": "--nsems",
    "segment": "--segment", "state": "--state", "exclusive": "--exclusive", "key": "LOCK", "value": "VALUE",
    "slots": "--slots", "slot": "--slot", "resize": "`leasehold resize`", "pinned": "--pinned",
  ]

  /// Values with words of their own: flags that take none, and what a command does by itself.
  private static let values: [String: String] = [
    "mode=shared": "-s", "mode=exclusive": "-x", "force=true": "--force", "exclusive=true": "--exclusive",
    "resize=true": "`leasehold resize`", "pinned=true": "--pinned",
    "bind=connection": "`leasehold hold`", "stop=term": "--grace", "key=private": "private",
  ]

  /// Requests, and the commands that make them; longer ones first.
  private static let requests: [(request: String, command: String)] = [
    ("POST /semaphores {\"key\":\"private\"}", "`leasehold sem create private`"),
    ("POST /locks/{key}/acquire?limit=N", "`leasehold acquire LOCK --slots N`"),
    ("POST /locks/{key}/acquire", "`leasehold acquire LOCK`"),
    ("Write its value (PUT /semaphores/{set}/{number})", "Write its value (`leasehold sem set`)"),
    ("POST /semaphores", "`leasehold sem create`"), ("GET /semaphores", "`leasehold sem`"),
    ("GET /segments", "`ipcs -m`"), ("GET /shm", "`leasehold shm`"), ("GET /locks", "`leasehold locks`"),
    ("an acquire or PUT /locks/{key} makes", "`leasehold acquire` makes"), ("use /locks/NAME", "give one"),
    ("one, for sysv:KEY.N with create=1 alone", "one, except for sysv: names, whose set must exist"),
    (", percent-encoded: /shm/42, /shm/counter", ": 42, counter"),
    ("use /locks and /leases", "use `leasehold locks` and `leasehold leases`"),
  ]

  /// A sentence of the service with flags and commands in place of parameters and requests.
  ///
  /// - Parameter mayName: Whether `'ttl'` may mean the parameter.
  static func spoken(_ detail: String, mayName: Bool) -> String {
    var spoken = ""
    var isQuoted = false
    // A word between two quotes is the caller's: a name, or a parameter.
    for (index, part) in detail.split(separator: "'", omittingEmptySubsequences: false).enumerated() {
      isQuoted = index % 2 == 1
      if isQuoted, mayName, let flag = flags[String(part)], !spoken.hasSuffix("ock ") {
        spoken += flag
      } else {
        spoken += isQuoted ? "'\(part)'" : words(part)
      }
    }
    // An apostrophe that no other closes.
    if isQuoted { spoken.removeLast() }
    return spoken.replacing("`leasehold hold`, hold or", with: "`leasehold hold` or")
  }

  /// Words with blanks between, of which those of the form `name=value` become flags.
  private static func words(_ text: some StringProtocol) -> String {
    var text = String(text)
    if text.contains("/") {
      for (request, command) in requests { text = text.replacing(request, with: command) }
    }
    return text.split(separator: " ", omittingEmptySubsequences: false).map { word in
      let head = word.prefix { "(\"`".contains($0) }
      let rest = word.dropFirst(head.count)
      let tail = String(rest.reversed().prefix { ",;.)`\"".contains($0) }.reversed())
      let pair = rest.dropLast(tail.count)
      let name = pair.prefix { $0 != "=" }
      guard name.endIndex < pair.endIndex, let flag = flags[String(name)] else { return String(word) }
      return head + (values[String(pair)] ?? "\(flag) \(pair.dropFirst(name.count + 1))") + tail
    }.joined(separator: " ")
  }
}
