/// The known name a user most likely meant; `nil` when none is near.
func nearestName(to name: String, among known: [String]) -> String? {
  let wanted = Array(name.lowercased().map { $0 == "_" ? "-" : $0 })
  let nearest =
    known
    .map { (name: $0, distance: editDistance(wanted, Array($0))) }
    .min { $0.distance < $1.distance }
  guard let nearest, nearest.distance <= max(1, wanted.count / 3) else { return nil }
  return nearest.name
}

/// The number of characters that must be inserted, removed, replaced or swapped with the next to make one text of the
/// other.
private func editDistance(_ first: [Character], _ second: [Character]) -> Int {
  var before: [Int] = []
  var last = Array(0...second.count)
  for (i, character) in first.enumerated() {
    var row = [i + 1]
    for (j, other) in second.enumerated() {
      var distance = min(last[j] + (character == other ? 0 : 1), last[j + 1] + 1, row[j] + 1)
      if i > 0, j > 0, character == second[j - 1], first[i - 1] == other {
        distance = min(distance, before[j - 1] + 1)
      }
      row.append(distance)
    }
    (before, last) = (last, row)
  }
  return last[second.count]
}
