import HTTPExchange
import JSONText
import LeaseholdHost

@testable import EtcdGateway

extension EtcdGateway {
  /// Makes a user that may do everything; the first one turns users on with the second.
  func addUser(_ name: String, password: String, before deadline: Int64) throws {
    try tell("user/add", [("name", name), ("password", password)], before: deadline)
    if name == "root" { try tell("role/add", [("name", "root")], before: deadline) }
    try tell("user/grant", [("user", name), ("role", "root")], before: deadline)
    if name != "root" { try tell("enable", [], before: deadline) }
  }

  /// Asks for a change of users and roles.
  func tell(_ path: String, _ members: [(String, String)], before deadline: Int64) throws {
    let request = JSON.object(members.map { JSON.Member($0, .string($1)) })
    _ = try ask("/v3/auth/" + path, request, before: deadline)
  }
}
