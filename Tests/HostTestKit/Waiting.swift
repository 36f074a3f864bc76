import Glibc

package struct NeverHappened: Error {
  package init() {}
}

/// Looks every millisecond until it is so; gives up after a time no machine needs.
package func eventually(_ condition: () throws -> Bool) throws {
  let deadline = ContinuousClock.now + .seconds(30)
  while try !condition() {
    if ContinuousClock.now > deadline { throw NeverHappened() }
    usleep(1000)
  }
}
