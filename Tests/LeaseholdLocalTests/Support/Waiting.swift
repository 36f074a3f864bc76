import Glibc

struct NeverHappened: Error {}

/// Looks every millisecond until it is so; gives up after a time no machine needs.
func eventually(_ condition: () throws -> Bool) throws {
  let deadline = ContinuousClock.now + .seconds(30)
  while try !condition() {
    if ContinuousClock.now > deadline { throw NeverHappened() }
    usleep(1000)
  }
}

/// Writes a short file, for example one in /proc/sys.
func writeFile(_ path: String, _ text: String) -> Bool {
  guard let file = fopen(path, "w") else { return false }
  let written = fputs(text, file)
  return fclose(file) == 0 && written >= 0
}
