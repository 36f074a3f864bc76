/// The access control list of a file (acl(5)), which says more of its rights than the mode.
struct AccessList {
  private enum Tag: UInt16 {
    case owner = 1
    case user = 2
    case owningGroup = 4
    case group = 8
    case mask = 16
    case other = 32
  }

  private struct Entry {
    let tag: Tag
    let rights: UInt32
    let id: UInt32
  }

  private var entries: [Entry] = []

  /// Reads the form that the kernel gives to programs: a version, then entries of tag, rights and identity.
  ///
  /// - Returns: `nil` for anything else, whose rights are not known.
  init?(_ bytes: [UInt8]) {
    func number(_ place: Int, _ size: Int) -> UInt32 {
      bytes[place..<place + size].reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }
    guard bytes.count >= 4, bytes.count % 8 == 4, number(0, 4) == 2 else { return nil }
    for place in stride(from: 4, to: bytes.count, by: 8) {
      guard let tag = Tag(rawValue: UInt16(number(place, 2))) else { return nil }
      entries.append(Entry(tag: tag, rights: number(place + 2, 2), id: number(place + 4, 4)))
    }
  }

  /// Returns true when a user who is not the owner has rights: 4 to read, 2 to write, 1 to run or search.
  ///
  /// An entry for the user decides alone; else any of its groups may give all of the rights; else, for a user in none
  /// of the groups, the rights of all others count.
  ///
  /// - Parameters:
  ///   - groups: All of its groups.
  ///   - owningGroup: The file's.
  func lets(user: UInt32, groups: Set<UInt32>, owningGroup: UInt32, _ rights: UInt32) -> Bool {
    func gives(_ entry: Entry, within mask: UInt32) -> Bool { entry.rights & mask & rights == rights }
    let mask = entries.first { $0.tag == .mask }?.rights ?? .max
    if let own = entries.first(where: { $0.tag == .user && $0.id == user }) { return gives(own, within: mask) }
    let ofGroups = entries.filter {
      $0.tag == .owningGroup && groups.contains(owningGroup) || $0.tag == .group && groups.contains($0.id)
    }
    if !ofGroups.isEmpty { return ofGroups.contains { gives($0, within: mask) } }
    return entries.first { $0.tag == .other }.map { gives($0, within: .max) } ?? false
  }
}
