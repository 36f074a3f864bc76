import JSONText
import Leasehold
import Synchronization

/// Terraform's words of a lock: its holder, the purpose, and the ID to unlock it with.
struct LockInfo: Sendable {
  /// The members that are kept, as `LockInfo` of Terraform's statemgr has them; all are texts.
  static let names = ["ID", "Operation", "Info", "Who", "Version", "Created", "Path"]
  /// The longest ID, in characters of ASCII.
  static let idBytesMax = 64
  /// The longest member, in bytes of UTF-8.
  static let memberBytesMax = 1024

  let id: String
  private let members: [JSON.Member]

  /// Reads the body of a request; unknown members are left out.
  init(_ body: UnsafeBufferPointer<UInt8>) throws(LeaseholdError) {
    let read: JSON
    do {
      read = body.isEmpty ? .null : try JSON(parsing: Array(body), refusesTwins: true)
    } catch {
      throw .badJSON(error.what, at: error.offset)
    }
    guard let id = read["ID"].string else {
      throw LeaseholdError(
        .missingParameter, "The body has no text 'ID', so it is no lock-info as Terraform sends it." + Terraform.hint,
        facts: [("parameter", .text("ID"))])
    }
    let isPlain = id.utf8.allSatisfy { $0.isLetterOrDigit || "-._~".utf8.contains($0) }
    guard (1...Self.idBytesMax).contains(id.utf8.count), isPlain else {
      throw .invalid("ID", id, "of the lock-info must be 1...\(Self.idBytesMax) letters, digits or -._~")
    }
    var members: [JSON.Member] = []
    for name in Self.names {
      guard read[name] != .null else { continue }
      guard let text = read[name].string else { throw .invalid(name, "", "of the lock-info must be a text") }
      guard !text.isEmpty else { continue }
      guard text.utf8.count <= Self.memberBytesMax, !text.hasControlCharacters || name == "Info" else {
        throw .invalid(
          name, text,
          "of the lock-info must have at most \(Self.memberBytesMax) bytes of UTF-8 without control characters")
      }
      members.append(JSON.Member(name, .string(text)))
    }
    (self.id, self.members) = (id, members)
  }

  /// The lock-info of a holder for which none is kept: what its owner says.
  init(_ holder: Holder) {
    let parts = holder.owner.flatMap(Self.parts)
    id = parts?.id ?? holder.ref
    let who = parts?.who ?? holder.owner ?? holder.peer.inWords
    members = [JSON.Member("ID", .string(id)), JSON.Member("Who", .string(who))]
  }

  /// The owner of the lease, which survives a restart: `ann@laptop (terraform ID)`.
  var owner: String {
    let end = " (terraform \(id))"
    let who = members.first { $0.name == "Who" }?.value.string ?? "somebody"
    var start = String.UnicodeScalarView()
    var room = Limits.ownerBytes - end.utf8.count
    for scalar in who.unicodeScalars {
      room -= UTF8.width(scalar)
      guard room >= 0 else { break }
      start.append(scalar)
    }
    return String(start) + end
  }

  /// The parts that ``owner`` was made of; `nil` for another owner.
  private static func parts(_ owner: String) -> (who: String, id: String)? {
    guard owner.hasSuffix(")"), let blank = owner.lastIndex(of: " ") else { return nil }
    let id = owner[owner.index(after: blank)...].dropLast()
    let start = owner[..<blank]
    guard start.hasSuffix(" (terraform"), !id.isEmpty else { return nil }
    return (String(start.dropLast(" (terraform".count)), String(id))
  }

  /// As members of an error.
  var facts: [LeaseholdError.Fact] { members.map { ($0.name, .text($0.value.string ?? "")) } }

  /// As an answer.
  var response: Response {
    Response(status: 200, contentType: "application/json", body: ResponseBuffer(JSON.object(members).bytes + "\n".utf8))
  }
}

/// The lock-infos of states that were locked last, for callers that are refused.
///
/// They are in memory: after a restart, and beside more than ``statesMax`` states, the owner of the lease tells ID and
/// `Who`.
final class LockInfos: Sendable {
  static let statesMax = 1000

  private let kept = Mutex<[LockKey: (info: LockInfo, lease: LeaseID)]>([:])

  func keep(_ info: LockInfo, of lease: LeaseID, on key: LockKey) {
    kept.withLock { kept in
      if kept.count >= Self.statesMax, kept[key] == nil, let other = kept.keys.first { kept[other] = nil }
      kept[key] = (info, lease)
    }
  }

  /// The lease that was got with a lock-info of the same ID, if that was the last on this lock.
  func lease(of info: LockInfo, on key: LockKey) -> LeaseID? {
    kept.withLock { kept in kept[key].flatMap { $0.info.id == info.id ? $0.lease : nil } }
  }

  /// The lock-info of a holder.
  func info(of holder: Holder, on key: LockKey) -> LockInfo {
    let known = kept.withLock { $0[key] }
    return known.flatMap { $0.lease.ref == holder.ref ? $0.info : nil } ?? LockInfo(holder)
  }
}
