/// The entities that stand on the records, by the records' numbers.
///
/// It is as long as it must be: nothing stands on a record that was never used, whatever its number.
struct CellTable<Entity: AnyObject> {
  private var entries: [Entity?] = []

  /// One past the highest record on which something stood.
  var count: Int { entries.count }
  /// All that stands there, in the order of the records.
  var all: some Sequence<Entity> { entries.lazy.compactMap(\.self) }

  @inline(__always)
  subscript(cell: Int) -> Entity? {
    get { cell >= 0 && cell < entries.count ? entries[cell] : nil }
    set {
      if cell >= entries.count { grow(to: cell + 1) }
      entries[cell] = newValue
    }
  }

  private mutating func grow(to count: Int) {
    while entries.count < count { entries.append(nil) }
  }
}
