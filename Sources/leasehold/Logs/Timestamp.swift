/// RFC 3339 in UTC with milliseconds, without the C library's time zones.
func timestamp(nanoseconds: Int64) -> String {
  let (day, nanosecondOfDay) = nanoseconds.floorDivided(by: 86_400_000_000_000)
  let (year, month, dayOfMonth) = civilDate(day: day)
  let milliseconds = nanosecondOfDay / 1_000_000
  let (hour, minute) = (milliseconds / 3_600_000, milliseconds / 60_000 % 60)
  let date = "\(padded(year, 4))-\(padded(month, 2))-\(padded(dayOfMonth, 2))"
  return date + "T\(padded(hour, 2)):\(padded(minute, 2)):\(padded(milliseconds / 1000 % 60, 2))"
    + ".\(padded(milliseconds % 1000, 3))Z"
}

/// The Gregorian date of a day counted from 1970-01-01.
///
/// Counts in eras of 400 years that begin on a 1st of March, so that a leap day is the last of its year.
private func civilDate(day: Int64) -> (year: Int64, month: Int64, day: Int64) {
  let (era, dayOfEra) = (day + 719_468).floorDivided(by: 146_097)
  let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
  let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
  let monthFromMarch = (5 * dayOfYear + 2) / 153
  let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
  let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  return (year, month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
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
