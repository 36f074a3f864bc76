internal import LeaseholdHost

/// RFC 3339 in UTC with milliseconds, without the C library's time zones.
func timestamp(nanoseconds: Int64) -> String {
  let (day, nanosecondOfDay) = nanoseconds.floorDivided(by: 86_400_000_000_000)
  let (year, month, dayOfMonth) = HostClock.civilDate(day: day)
  let milliseconds = nanosecondOfDay / 1_000_000
  let (hour, minute) = (milliseconds / 3_600_000, milliseconds / 60_000 % 60)
  let date = "\(padded(year, 4))-\(padded(month, 2))-\(padded(dayOfMonth, 2))"
  return date + "T\(padded(hour, 2)):\(padded(minute, 2)):\(padded(milliseconds / 1000 % 60, 2))"
    + ".\(padded(milliseconds % 1000, 3))Z"
}

private func padded(_ number: Int64, _ width: Int) -> String {
  let digits = String(number)
  return String(repeating: "0", count: max(0, width - digits.count)) + digits
}

extension Int64 {
  fileprivate func floorDivided(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }
}
