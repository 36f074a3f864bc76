internal import Glibc
internal import LeaseholdHost

/// RFC 3339 in UTC with milliseconds.
func timestamp(nanoseconds: Int64) -> String {
  let fraction = (nanoseconds % 1_000_000_000 + 1_000_000_000) % 1_000_000_000
  var seconds = time_t((nanoseconds - fraction) / 1_000_000_000)
  var time = tm()
  gmtime_r(&seconds, &time)
  let date = "\((time.tm_year + 1900).digits(4))-\((time.tm_mon + 1).digits(2))-\(time.tm_mday.digits(2))"
  let clock = "\(time.tm_hour.digits(2)):\(time.tm_min.digits(2)):\(time.tm_sec.digits(2))"
  return "\(date)T\(clock).\((fraction / 1_000_000).digits(3))Z"
}
