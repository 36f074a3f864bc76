/// The user, with its groups, whose rights the work on files has.
public struct FileIdentity: Sendable, Equatable {
  /// The user.
  public var user: UInt32
  /// Its primary group.
  public var group: UInt32
  /// Its other groups.
  public var groups: [UInt32]

  /// Makes an identity.
  public init(user: UInt32, group: UInt32, groups: [UInt32]) {
    self.user = user
    self.group = group
    self.groups = groups
  }

  /// Runs `body` with the rights of this user for files, on this thread alone; needs to be root.
  ///
  /// The kernel takes root's rights over files away for as long as the thread acts for another user, and gives them
  /// back with the thread's own identity (capabilities(7)). A thread that cannot become itself again would go on with
  /// the wrong rights, so then the process ends.
  /// - Returns: `nil` where the rights cannot be had; `body` was not run then.
  /// - Throws: What `body` throws.
  ///
  /// The corresponding C functions are `setfsuid`, `setfsgid` and `setgroups`.
  public func act<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result? {
    let own = FileIdentity(user: system_geteuid(), group: system_getegid(), groups: system_getgroups())
    guard system_setgroups(groups) == 0 else { return nil }
    defer {
      // Root first: the user has no right to change the groups.
      let isOwn = own.takeUser() && system_setgroups(own.groups) == 0
      precondition(isOwn && own.takeGroup(), "a thread cannot become itself again")
    }
    guard takeGroup(), takeUser() else { return nil }
    return try body()
  }

  // Neither call says whether it failed; asked with -1, which is no user, they tell what holds.

  private func takeUser() -> Bool {
    _ = system_setfsuid(user)
    return user != .max && system_setfsuid(.max) == user
  }

  private func takeGroup() -> Bool {
    _ = system_setfsgid(group)
    return group != .max && system_setfsgid(.max) == group
  }
}
