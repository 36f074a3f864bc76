internal import LeaseholdClient

/// The cluster that a service keeps its locks in, as the service tells of it.
enum ClusterCheck {
  /// The first version of each line that reads what is current after a pause: etcd's issue 20418.
  private static let mended: [(line: [Int], since: Int, until: Int)] = [
    ([3, 4], 20, 42), ([3, 5], 0, 28), ([3, 6], 0, 9),
  ]

  /// The findings of an engine, as `/version` has it; none of one that is not in a cluster.
  static func findings(_ engine: JSON) -> [Finding] {
    engine["versions"].elements.compactMap(\.string).map { version in
      guard let better = better(version) else { return .ok("etcd", "version \(VisibleText.of(version))") }
      return .note(
        "etcd",
        "version \(VisibleText.of(version)) may answer reads with an old state after its process was paused: no lock "
          + "is granted by that, but a refusal or a list may be late",
        fix: "# upgrade etcd to \(better) or later")
    }
  }

  /// The version to upgrade to; `nil` where that is not needed.
  private static func better(_ version: String) -> String? {
    let numbers = version.split(separator: ".").prefix(3).map { Int($0.prefix { $0.isNumber }) ?? 0 }
    guard numbers.count == 3 else { return nil }
    let (line, patch) = (Array(numbers[..<2]), numbers[2])
    return mended.first { $0.line == line && ($0.since..<$0.until).contains(patch) }.map {
      "\(line[0]).\(line[1]).\($0.until)"
    }
  }
}
