import Testing

@testable import SysV

@Suite("A step of an operation")
struct LayoutTests {
  @Test func liesInMemoryAsCLaysItOut() { #expect(SemaphoreOperation.isLaidOutAsInC) }
}
