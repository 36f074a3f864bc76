import Testing

@testable import LeaseholdHTTP

@Suite struct MetricsTests {
  private struct Sample {
    let name: String
    let labels: String
    let value: Double
  }

  /// Reads the text format; a line it cannot read is an issue.
  private func read(_ text: String) throws -> (help: [String], types: [String: String], samples: [Sample]) {
    var result: (help: [String], types: [String: String], samples: [Sample]) = ([], [:], [])
    for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
      let words = line.split(separator: " ", maxSplits: 3).map(String.init)
      if line.hasPrefix("# HELP "), words.count == 4 {
        result.help.append(words[2])
      } else if line.hasPrefix("# TYPE "), words.count == 4 {
        #expect(result.types[words[2]] == nil, "a second TYPE of \(words[2])")
        #expect(["counter", "gauge", "histogram"].contains(words[3]), "\(line)")
        result.types[words[2]] = words[3]
      } else {
        let end = try #require(line.lastIndex(of: " "), "\(line)")
        let value = try #require(Double(line[line.index(after: end)...]), "\(line)")
        let parts = line[..<end].split(separator: "{", maxSplits: 1).map(String.init)
        result.samples.append(Sample(name: parts[0], labels: parts.count > 1 ? parts[1] : "", value: value))
      }
    }
    return result
  }

  /// The name behind HELP and TYPE: a histogram's samples have suffixes.
  private func family(of sample: Sample, _ types: [String: String]) -> String {
    for suffix in ["_bucket", "_sum", "_count"] where sample.name.hasSuffix(suffix) {
      let name = String(sample.name.dropLast(suffix.count))
      if types[name] == "histogram" { return name }
    }
    return sample.name
  }

  @Test func everyFamilyHasHelpAndTypeAndNumbers() throws {
    let scene = try ServerScene(.grant)
    _ = scene.answer("POST", "/locks/a/acquire")
    _ = scene.answer("GET", "/nothing")
    let answer = scene.answer("GET", "/metrics")
    #expect(answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
    #expect(answer.body.hasSuffix("\n"))
    let (help, types, samples) = try read(answer.body)
    #expect(Set(help).count == help.count && Set(help) == Set(types.keys))
    #expect(Set(samples.map { family(of: $0, types) }) == Set(types.keys))
    #expect(Set(samples.map { $0.name + $0.labels }).count == samples.count)
    for sample in samples {
      #expect(sample.value.isFinite && sample.value >= 0, "\(sample.name)")
      if types[sample.name] == "counter" {
        let parts = sample.name.split(separator: "_")
        #expect(parts.last == "total" || parts.last == "sum", "\(sample.name)")
      }
    }
  }

  @Test func requestsAreCountedByOperationAndStatus() throws {
    let scene = try ServerScene(.grant)
    for _ in 0..<3 { _ = scene.answer("POST", "/locks/a/acquire") }
    _ = scene.answer("POST", "/locks/a/acquire?nope=1")
    _ = scene.answer("GET", "/nothing")
    _ = scene.answer("GET", "/healthz", "Host: evil.example")
    let samples = try read(scene.answer("GET", "/metrics").body).samples.filter { $0.name.hasSuffix("requests_total") }
    let counts = Dictionary(uniqueKeysWithValues: samples.map { ($0.labels, $0.value) })
    #expect(counts["operation=\"acquireLock\",status=\"2xx\"}"] == 3)
    #expect(counts["operation=\"acquireLock\",status=\"4xx\"}"] == 1)
    #expect(counts["operation=\"none\",status=\"4xx\"}"] == 2)
    #expect(counts.count == 3)
  }
}
