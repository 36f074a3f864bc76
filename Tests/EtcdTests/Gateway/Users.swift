import HTTPExchange
import LeaseholdHost

@testable import EtcdGateway

extension EtcdGateway {
  /// Makes a user that may do everything; the first one turns users on with the second.
  func addUser(_ name: String, password: String, before deadline: Int64) throws {
    func tell(_ path: String, _ members: [(StaticString, String)]) throws {
      let request = EtcdRequest { for (name, value) in members { $0.text(name, value) } }
      _ = try ask("/v3/auth/" + path, request, before: deadline)
    }
    try tell("user/add", [("name", name), ("password", password)])
    if name == "root" { try tell("role/add", [("name", "root")]) }
    try tell("user/grant", [("user", name), ("role", "root")])
    if name != "root" { try tell("enable", []) }
  }
}
