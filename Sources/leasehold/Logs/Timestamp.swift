internal import LeaseholdHost

/// RFC 3339 in UTC with milliseconds, without the C library's time zones.
func timestamp(nanoseconds: Int64) -> String {
  let (day, nanosecondOfDay) = nanoseconds.floorDivided(by: 86_400_000_000_000)
  let (year, month, dayOfMonth) = HostClock.civilDate(day: day)
  let milliseconds = nanosecondOfDay / 1_000_000
  let (hour, minute) = (milliseconds / 3_600_000, milliseconds / 60_000 % 60)
  let date = "\(year.digits(4))-\(month.digits(2))-\(dayOfMonth.digits(2))"
  return date + "T\(hour.digits(2)):\(minute.digits(2)):\((milliseconds / 1000 % 60).digits(2))"
    + ".\((milliseconds % 1000).digits(3))Z"
}

extension Int64 {
  fileprivate func floorDivided(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }
}
