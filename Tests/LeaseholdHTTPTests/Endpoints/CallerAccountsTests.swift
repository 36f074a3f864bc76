import Testing

@testable import Leasehold
@testable import LeaseholdHTTP

@Suite struct CallerAccountsTests {
  @Test func accountsThatNobodyUsesAreForgottenAndOthersStayTheSame() {
    let accounts = CallerAccounts(Limits(), connections: 100)
    let used = accounts.account(token: "used")
    for number in 0..<5000 { _ = accounts.account(token: "\(number)") }
    #expect(accounts.count <= 512)
    #expect(accounts.account(token: "used") === used)
  }
}
